-- A delivery as people see it; {where} is put in by read.rs.
SELECT d.seq, d.id, d.source, d.interaction, d.state, d.accepted_at, d.due_at, d.ended_at, d.rule, d.code,
       r.hash, r.rules, s.failures, s.problems, d.code_id, d.event, d.replaced, d.dead_class, d.reason, d.progress
FROM delivery d
LEFT JOIN survey s ON s.seq = d.seq
LEFT JOIN rule_set r ON r.n = s.rule_set
