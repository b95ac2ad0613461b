-- Version 4. An accept writes fewer bytes, to fewer trees.
--
-- Of a trace only what differs between two surveys is kept with each: the rules that could not be evaluated.
-- The names of the rules, which were most of an accept's bytes, are kept once for each rule set.
CREATE TABLE rule_set (
    n     INTEGER PRIMARY KEY,
    hash  TEXT NOT NULL UNIQUE,
    rules TEXT NOT NULL                                     -- their names in order, a JSON array
) STRICT;
INSERT INTO rule_set (hash, rules)
SELECT rules_hash, (SELECT json_group_array(value ->> 'rule') FROM json_each(trace))
FROM survey
WHERE rules_hash IS NOT NULL
GROUP BY rules_hash;

CREATE TABLE survey_4 (
    seq      INTEGER PRIMARY KEY,
    body     BLOB,
    fields   TEXT,
    rule_set INTEGER,                                       -- NULL: unreadable
    failures TEXT,                                          -- JSON: pairs of a rule and why; NULL: there are none
    problems TEXT
) STRICT;
INSERT INTO survey_4 (seq, body, fields, rule_set, failures, problems)
SELECT seq, body, fields, (SELECT n FROM rule_set WHERE hash = rules_hash),
       (SELECT nullif(json_group_array(json_array(value ->> 'rule', value ->> 'why')), '[]')
        FROM json_each(trace)
        WHERE value ->> 'finding' = 'not-evaluated'),
       problems
FROM survey
ORDER BY seq;
DROP TABLE survey;
ALTER TABLE survey_4 RENAME TO survey;

-- The keys of many neighbours share a row: for each the number and the moment of first sight (8 bytes each), the
-- delivery's id (16), how many keys there are (2), and these, 16 bytes each (known.rs). Named after the first.
ALTER TABLE known RENAME TO known_3;
CREATE TABLE known (
    seq     INTEGER PRIMARY KEY,
    entries BLOB    NOT NULL
) STRICT;
INSERT INTO known (seq, entries)
SELECT min(seq), unhex(group_concat(
           printf('%016x%016x', seq, at) || hex(id) || printf('%04x', length(keys) / 16) || hex(keys), '' ORDER BY seq))
FROM known_3
GROUP BY seq / 64
ORDER BY 1;
DROP TABLE known_3;

-- The writer knows the newest number, so AUTOINCREMENT need not keep it in a table of its own.
INSERT INTO meta (key, value)
SELECT 'newest', CAST(CAST(seq AS TEXT) AS BLOB) FROM sqlite_sequence WHERE name = 'delivery';
CREATE TABLE delivery_4 (
    seq         INTEGER PRIMARY KEY,                        -- the order of acceptance; never given twice
    id          BLOB    NOT NULL CHECK (length(id) = 16),
    source      TEXT    NOT NULL,
    interaction BLOB    CHECK (length(interaction) = 16),   -- NULL: unreadable
    state       INTEGER NOT NULL,                           -- the place in State::ALL
    due_at      INTEGER,                                    -- NULL while pending: blocked by another of the interaction
    accepted_at INTEGER NOT NULL,
    ended_at    INTEGER,                                    -- NULL: live
    leased_at   INTEGER,                                    -- of the last lease
    fence       INTEGER NOT NULL DEFAULT 0,
    not_before  INTEGER,                                    -- an unclear write may be under way until then
    rule        TEXT,
    code        TEXT,
    code_id     TEXT,                                       -- written, or found on the interaction (kept)
    event       TEXT,
    replaced    TEXT,
    dead_class  TEXT,
    reason      TEXT,
    progress    TEXT,                                       -- JSON; NULL: none yet
    CHECK ((state IN (0, 1)) = (ended_at IS NULL)),
    CHECK (ended_at IS NOT NULL OR (interaction IS NOT NULL AND rule IS NOT NULL AND code IS NOT NULL))
) STRICT;
INSERT INTO delivery_4 SELECT * FROM delivery ORDER BY seq;
DROP TABLE delivery;
ALTER TABLE delivery_4 RENAME TO delivery;
CREATE UNIQUE INDEX delivery_id ON delivery (id);
CREATE INDEX delivery_queue ON delivery (state, due_at) WHERE ended_at IS NULL;
CREATE INDEX delivery_written ON delivery (interaction) WHERE code_id IS NOT NULL;
CREATE INDEX delivery_ended ON delivery (ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX delivery_landing ON delivery (interaction, not_before)
WHERE ended_at IS NOT NULL AND not_before IS NOT NULL;
