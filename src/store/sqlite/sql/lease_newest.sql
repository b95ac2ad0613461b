-- Leases the newest of what is due. It looks back from the newest row and not over the whole backlog: `+` keeps the
-- planner from sorting the queue, and the window bounds the walk over rows that have ended since.
UPDATE delivery
SET state = 1, fence = fence + 1, leased_at = ?1
WHERE seq IN (
    SELECT seq FROM delivery
    WHERE seq > (SELECT max(seq) FROM delivery) - 10000
      AND ended_at IS NULL AND +state = 0 AND +due_at <= ?2
    ORDER BY seq DESC
    LIMIT ?3
)
RETURNING seq, id, source, interaction, rule, code, accepted_at, leased_at, due_at, fence, progress
