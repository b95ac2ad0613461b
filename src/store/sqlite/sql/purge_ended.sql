-- A bounded piece of what ended long enough ago.
SELECT seq, state, accepted_at FROM delivery
WHERE ended_at IS NOT NULL AND ended_at < ?1
ORDER BY ended_at
LIMIT ?2
