-- The keys that `seen` does not hold yet, oldest first. A row without a delivery was purged, and counts.
SELECT k.seq, k.keys, d.state
FROM known k
LEFT JOIN delivery d ON d.seq = k.seq
WHERE k.seq > ?1
ORDER BY k.seq
