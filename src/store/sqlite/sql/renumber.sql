-- A copy with the next number. AUTOINCREMENT counts inserts only, so a number that an update gave could be given again.
INSERT INTO delivery
    (id, source, interaction, state, due_at, accepted_at, ended_at, leased_at, fence, not_before, rule, code, code_id,
     event, replaced, dead_class, reason, progress)
SELECT randomblob(16), source, interaction, state, due_at, accepted_at, ended_at, leased_at, fence, not_before, rule,
       code, code_id, event, replaced, dead_class, reason, progress
FROM delivery
WHERE seq = ?1
