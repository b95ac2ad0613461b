-- An end. `leased_at` stays: it says when the last write went out.
UPDATE delivery
SET state = ?2, due_at = NULL, ended_at = ?3, not_before = ?10, progress = ?4,
    code_id = ?5, event = ?6, replaced = ?7, dead_class = ?8, reason = ?9
WHERE seq = ?1
