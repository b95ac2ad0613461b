-- The codes that this service wrote on an interaction, the newest first, and whether each is known to have been set: of
-- those before that one none can stand there. A code that was merely found there (kept, or the wanted one without a
-- write) is somebody else's; one whose write went out without an answer may be ours.
SELECT iif(event IS NULL, progress ->> 'written', code_id),
       state = 2 AND (event IS NOT NULL OR progress ->> 'written' = code_id)
FROM delivery
WHERE interaction = ?1 AND code_id IS NOT NULL
  AND (event IS NOT NULL OR progress ->> 'written' IS NOT NULL)
ORDER BY leased_at DESC, seq DESC
