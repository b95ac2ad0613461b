-- Interactions whose order must be looked at when the file is opened: several live, or one that is blocked.
SELECT interaction FROM delivery
WHERE ended_at IS NULL
GROUP BY interaction
HAVING count(*) > 1
UNION
SELECT interaction FROM delivery
WHERE ended_at IS NULL AND state = 0 AND due_at IS NULL
