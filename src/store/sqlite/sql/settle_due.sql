-- Live again.
UPDATE delivery
SET state = 0, due_at = ?2, not_before = ?3, progress = ?4, code_id = ?5
WHERE seq = ?1
