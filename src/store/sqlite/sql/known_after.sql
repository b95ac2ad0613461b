-- The rows that may hold entries after ?1: the one that ?1 belongs to, and all after it.
SELECT seq, entries FROM known
WHERE seq >= coalesce((SELECT max(seq) FROM known WHERE seq <= ?1), 0)
ORDER BY seq
