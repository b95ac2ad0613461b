-- Whose code stands on the interaction, assigned or kept, with a number above ?2 and other than ?3. The latest of them.
SELECT id FROM delivery
WHERE interaction = ?1 AND code_id IS NOT NULL AND state IN (2, 5) AND seq > ?2 AND seq <> ?3
ORDER BY seq DESC
LIMIT 1
