-- Interactions whose order must be looked at when the file is opened, as far as its tables know: several live, or one
-- that is blocked.
SELECT interaction FROM live
GROUP BY interaction
HAVING count(*) > 1
UNION
SELECT interaction FROM delivery
WHERE ended_at IS NULL AND state = 0 AND due_at IS NULL
