-- Leases what has been due longest. The inner query walks the queue's index from its left edge and stops at the limit.
UPDATE delivery
SET state = 1, fence = fence + 1, leased_at = ?1
WHERE seq IN (
    SELECT seq FROM delivery
    WHERE ended_at IS NULL AND state = 0 AND due_at <= ?2
    ORDER BY due_at, seq
    LIMIT ?3
)
RETURNING seq, id, source, interaction, rule, code, accepted_at, leased_at, due_at, fence, progress
