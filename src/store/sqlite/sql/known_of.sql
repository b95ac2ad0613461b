-- The row of `known` that a number belongs to.
SELECT seq, entries FROM known
WHERE seq <= ?1
ORDER BY seq DESC
LIMIT 1
