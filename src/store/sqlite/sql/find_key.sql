-- Whose key it is. No delivery any more: it was purged, and its state is NULL.
SELECT k.id, d.state
FROM known k
LEFT JOIN delivery d ON d.seq = k.seq
WHERE k.seq = ?1
