-- A piece of the deliveries in order of acceptance. Rows before ?2 are looked at, too: moments of acceptance are the
-- clock's, and a clock may step; but what came in with them is not fetched.
SELECT d.seq, d.id, d.source, d.accepted_at, d.state, s.fields, d.rule, d.code
FROM delivery AS d
LEFT JOIN survey AS s ON s.seq = d.seq AND d.accepted_at >= ?2
WHERE d.seq > ?1
ORDER BY d.seq
LIMIT ?3
