-- Under `first`: the delivery whose code stands on the interaction already, assigned or kept.
SELECT id FROM delivery
WHERE interaction = ?1 AND code_id IS NOT NULL AND state IN (2, 5)
LIMIT 1
