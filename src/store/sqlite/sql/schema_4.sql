-- Version 4. An accept writes fewer bytes, to fewer trees.
--
-- In this order, and without GROUP BY, so that a large file needs little memory: what is freed is only dropped when all
-- is copied, because SQLite keeps in memory what a statement overwrites, free pages included.

-- Of a trace only what differs between two surveys is kept with each: the rules that could not be evaluated. The names of
-- the rules, which were most of an accept's bytes, are kept once for each rule set.
CREATE TABLE rule_set (
    n     INTEGER PRIMARY KEY,
    hash  TEXT NOT NULL UNIQUE,
    rules TEXT NOT NULL                                     -- their names in order, a JSON array
) STRICT;
INSERT OR IGNORE INTO rule_set (hash, rules)
SELECT rules_hash, (SELECT json_group_array(value ->> 'rule') FROM json_each(trace))
FROM survey
WHERE rules_hash IS NOT NULL;

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

-- The keys of many neighbours share a row: for each the number and the moment of first sight (8 bytes each), the
-- delivery's id (16), how many keys there are (2), and these, 16 bytes each (known.rs). Named after the first number that
-- it may hold.
CREATE TABLE known_4 (
    seq     INTEGER PRIMARY KEY,
    entries BLOB    NOT NULL
) STRICT;
WITH RECURSIVE row_of(first) AS (
    SELECT min(seq) / 64 * 64 FROM known
    UNION ALL
    SELECT first + 64 FROM row_of WHERE first + 64 <= (SELECT max(seq) FROM known)
)
-- Where there are none the row would have no entries, which the table refuses.
INSERT OR IGNORE INTO known_4 (seq, entries)
SELECT first, (
    SELECT unhex(group_concat(
        printf('%016x%016x', seq, at) || hex(id) || printf('%04x', length(keys) / 16) || hex(keys), '' ORDER BY seq))
    FROM known
    WHERE seq >= first AND seq < first + 64
)
FROM row_of;

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

DROP TABLE survey;
ALTER TABLE survey_4 RENAME TO survey;
DROP TABLE known;
ALTER TABLE known_4 RENAME TO known;
DROP TABLE delivery;
ALTER TABLE delivery_4 RENAME TO delivery;
-- As before.
CREATE UNIQUE INDEX delivery_id ON delivery (id);
CREATE INDEX delivery_queue ON delivery (state, due_at) WHERE ended_at IS NULL;
CREATE INDEX delivery_written ON delivery (interaction) WHERE code_id IS NOT NULL;
CREATE INDEX delivery_ended ON delivery (ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX delivery_landing ON delivery (interaction, not_before)
WHERE ended_at IS NOT NULL AND not_before IS NOT NULL;
