-- +goose Up
-- Calls are found by their metadata, their trunk and their numbers, newest first. This
-- migration expands: programs that know an earlier version go on beside it. The calls
-- that they store have terms = 0: these are looked at one by one.
--
-- A term is 't' and the trunk, or 'm' and a pair of the metadata as key=value.
CREATE TABLE call_terms (
    tenant_id  TEXT    NOT NULL,
    term       TEXT    NOT NULL,
    created_at INTEGER NOT NULL, -- the call's
    call_id    TEXT    NOT NULL,
    PRIMARY KEY (tenant_id, term, created_at, call_id)
) STRICT, WITHOUT ROWID;
ALTER TABLE calls ADD COLUMN terms INTEGER NOT NULL DEFAULT 0; -- 1: call_terms has the call's
-- Texts with NUL, which JSON functions can't give, are left to be looked at.
INSERT INTO call_terms (tenant_id, term, created_at, call_id)
    SELECT tenant_id, 't' || (doc ->> '$.trunk'), created_at, id FROM calls
    WHERE instr(doc, '\u0000') = 0 AND COALESCE(doc ->> '$.trunk', '') <> '';
INSERT INTO call_terms (tenant_id, term, created_at, call_id)
    SELECT c.tenant_id, 'm' || m.key || '=' || m.value, c.created_at, c.id FROM calls AS c, json_each(c.doc, '$.metadata') AS m
    WHERE instr(c.doc, '\u0000') = 0
    ON CONFLICT DO NOTHING;
UPDATE calls SET terms = 1 WHERE instr(doc, '\u0000') = 0;
CREATE INDEX calls_unlisted ON calls (tenant_id, created_at, id) WHERE terms = 0;
CREATE INDEX calls_from_newest ON calls (tenant_id, from_number, created_at, id);
CREATE INDEX calls_to_newest ON calls (tenant_id, to_number, created_at, id);
CREATE INDEX jobs_of_call ON jobs (tenant_id, call_id);
-- The new ones begin as these do, and serve what programs before ask for.
DROP INDEX calls_from;
DROP INDEX calls_to;

-- +goose Down
CREATE INDEX calls_from ON calls (tenant_id, from_number);
CREATE INDEX calls_to ON calls (tenant_id, to_number);
DROP INDEX jobs_of_call;
DROP INDEX calls_to_newest;
DROP INDEX calls_from_newest;
DROP INDEX calls_unlisted;
ALTER TABLE calls DROP COLUMN terms;
DROP TABLE call_terms;
