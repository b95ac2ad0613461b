-- A bounded piece of what is due too far ahead.
UPDATE delivery
SET due_at = ?2
WHERE seq IN (
    SELECT seq FROM delivery
    WHERE ended_at IS NULL AND state = 0 AND due_at > ?1
    LIMIT ?3
)
