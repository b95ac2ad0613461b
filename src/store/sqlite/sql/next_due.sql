-- When the first of what is left falls due.
SELECT due_at FROM delivery
WHERE ended_at IS NULL AND state = 0 AND due_at IS NOT NULL
ORDER BY due_at
LIMIT 1
