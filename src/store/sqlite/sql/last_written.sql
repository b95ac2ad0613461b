-- The code that this service wrote last on an interaction. A code that was merely found there (kept, or the wanted one
-- without a write) is somebody else's; a write that went out without an answer is ours.
SELECT code_id FROM delivery
WHERE interaction = ?1 AND code_id IS NOT NULL
  AND state NOT IN (5, 6)
  AND (event IS NOT NULL OR progress ->> 'wrap_up_time' IS NOT NULL)
ORDER BY leased_at DESC, seq DESC
LIMIT 1
