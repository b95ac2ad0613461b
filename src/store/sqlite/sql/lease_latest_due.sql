-- Where the newest rows hold nothing that is due: what fell due last, from the queue's right edge.
UPDATE delivery
SET state = 1, fence = fence + 1, leased_at = ?1
WHERE seq IN (
    SELECT seq FROM delivery
    WHERE ended_at IS NULL AND state = 0 AND due_at <= ?2
    ORDER BY due_at DESC, seq DESC
    LIMIT ?3
)
RETURNING seq, id, source, interaction, rule, code, accepted_at, leased_at, due_at, fence, progress
