INSERT INTO delivery
    (seq, id, source, interaction, state, due_at, accepted_at, ended_at, not_before, rule, code, progress)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)
