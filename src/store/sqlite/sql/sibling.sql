-- A row among those of its interaction, if it is live.
SELECT seq, id, state, due_at, not_before, progress
FROM delivery
WHERE seq = ?1 AND ended_at IS NULL
