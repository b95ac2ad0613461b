-- Version 4. Of a trace only what differs between two surveys is kept with each: the rules that could not be evaluated.
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
