-- Version 1. A later version adds a file and a line in schema.rs; this one stays as it is.
--
-- What is random (interaction ids, hashed keys) is kept out of the tables and in the narrowest indexes that will do:
-- with a million rows each random insert dirties a page of its own, and that is what an accept costs.

-- One row for each survey, small, because it is rewritten: leased, settled, superseded.
-- `seq` is the order of acceptance; AUTOINCREMENT, so that a number is never given twice, not after a purge either.
CREATE TABLE delivery (
    seq         INTEGER PRIMARY KEY AUTOINCREMENT,
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

-- UUIDv7: grows at its right edge.
CREATE UNIQUE INDEX delivery_id ON delivery (id);
-- What is due (0, t), blocked (0, NULL) and leased (1, t). Only the live, so it is as small as the backlog.
CREATE INDEX delivery_queue ON delivery (state, due_at) WHERE ended_at IS NULL;
-- Who else is live for an interaction. Leasing does not touch it, and history does not make it grow.
CREATE INDEX delivery_live ON delivery (interaction) WHERE ended_at IS NULL;
-- Which codes stood or were written on an interaction.
CREATE INDEX delivery_written ON delivery (interaction) WHERE code_id IS NOT NULL;
-- What is old enough to be deleted.
CREATE INDEX delivery_ended ON delivery (ended_at) WHERE ended_at IS NOT NULL;

-- What came in and what the rules said: written once, read by people.
CREATE TABLE survey (
    seq        INTEGER PRIMARY KEY,
    body       BLOB,
    fields     TEXT,
    trace      TEXT,
    rules_hash TEXT,
    problems   TEXT
) STRICT;

-- What happened to a delivery, in order.
CREATE TABLE story (
    seq   INTEGER NOT NULL,
    n     INTEGER NOT NULL,
    entry TEXT    NOT NULL,
    PRIMARY KEY (seq, n)
) STRICT, WITHOUT ROWID;

-- By which keys a survey is recognised. `seen` is looked up at each accept and random, so it holds nothing but the
-- key and a number; `known` grows at its right edge and outlives the delivery. A key whose delivery is quarantined
-- holds nothing against a readable survey; a key without a delivery is of one that was purged, and counts.
CREATE TABLE seen (
    key BLOB    PRIMARY KEY CHECK (length(key) = 16),
    seq INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE known (
    seq  INTEGER PRIMARY KEY,
    id   BLOB    NOT NULL,
    at   INTEGER NOT NULL,                                  -- of first sight
    keys BLOB    NOT NULL                                   -- 16 bytes each
) STRICT;

-- How many rows of `delivery` there are in each state: changed in the transaction that changes the rows.
CREATE TABLE counts (
    state INTEGER PRIMARY KEY,
    n     INTEGER NOT NULL
) STRICT;
INSERT INTO counts (state, n) VALUES (0, 0), (1, 0), (2, 0), (3, 0), (4, 0), (5, 0), (6, 0), (7, 0), (8, 0);

-- `hash_key`, `codes`, `pause`, `probe`.
CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO meta (key, value) VALUES ('hash_key', randomblob(32));
