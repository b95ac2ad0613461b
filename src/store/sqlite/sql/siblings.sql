-- Everything live for one interaction, in the order of acceptance. Usually nothing, or one row.
SELECT seq, id, state, due_at, not_before, progress
FROM delivery
WHERE interaction = ?1 AND ended_at IS NULL
ORDER BY seq
