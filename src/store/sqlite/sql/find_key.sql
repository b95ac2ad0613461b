-- Who was seen under a key. For a key that is not known, which is the usual case, this is one look into `seen`.
-- No delivery any more: it was purged, and its state is NULL.
SELECT k.seq, k.id, d.state
FROM seen s
JOIN known k ON k.seq = s.seq
LEFT JOIN delivery d ON d.seq = k.seq
WHERE s.key = ?1
