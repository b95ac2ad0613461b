-- Version 2. Who is live for an interaction stands in a table of our own, no longer in an index of `delivery`: an index
-- is written with each accept, at a random place; this table is written later, many neighbours at once (recent.rs), and
-- not at all for what has ended by then. `seen` is filled in the same way from now on.
CREATE TABLE live (
    interaction BLOB    NOT NULL CHECK (length(interaction) = 16),
    seq         INTEGER NOT NULL,
    PRIMARY KEY (interaction, seq)
) STRICT, WITHOUT ROWID;
INSERT INTO live (interaction, seq)
SELECT interaction, seq FROM delivery INDEXED BY delivery_live WHERE ended_at IS NULL ORDER BY interaction, seq;
DROP INDEX delivery_live;

-- Up to which row the tables hold everything.
INSERT INTO meta (key, value)
SELECT note, CAST(CAST((SELECT coalesce(max(seq), 0) FROM known) AS TEXT) AS BLOB)
FROM (SELECT 'seen_through' AS note UNION ALL SELECT 'live_through');
