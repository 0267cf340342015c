-- +goose NO TRANSACTION
-- +goose Up
-- Calls are found by their metadata, their trunk and their numbers, newest first. This
-- migration expands: programs that know an earlier version go on beside it. The calls
-- that they store have terms = 0: these are looked at one by one.
--
-- A term is 't' and the trunk, or 'm' and a pair of the metadata as key=value.
CREATE TABLE IF NOT EXISTS call_terms (
    tenant_id  TEXT   NOT NULL,
    term       TEXT   NOT NULL,
    created_at BIGINT NOT NULL, -- the call's
    call_id    TEXT   COLLATE "C" NOT NULL,
    PRIMARY KEY (tenant_id, term, created_at, call_id)
);
ALTER TABLE calls ADD COLUMN IF NOT EXISTS terms BIGINT NOT NULL DEFAULT 0; -- 1: call_terms has the call's
-- A few at a time, so that no event waits long for its call. Texts with NUL, which
-- JSON functions can't give, are left to be looked at.
-- +goose StatementBegin
DO $$
DECLARE
    tenants TEXT[];
    ids     TEXT[];
    tenant  TEXT := '';
    last    TEXT := '';
BEGIN
    LOOP
        SELECT array_agg(b.tenant_id), array_agg(b.id) INTO tenants, ids FROM (
            SELECT c.tenant_id, c.id FROM calls AS c WHERE (c.tenant_id, c.id) > (tenant, last) ORDER BY c.tenant_id, c.id LIMIT 1000
        ) AS b;
        EXIT WHEN tenants IS NULL;
        WITH listed AS (
            UPDATE calls AS c SET terms = 1 FROM unnest(tenants, ids) AS b(tenant_id, id)
            WHERE c.tenant_id = b.tenant_id AND c.id = b.id AND c.terms = 0 AND strpos(c.doc, '\u0000') = 0
            RETURNING c.tenant_id, c.id, c.created_at, c.doc::json AS doc
        )
        INSERT INTO call_terms (tenant_id, term, created_at, call_id)
            SELECT l.tenant_id, t.term, l.created_at, l.id FROM listed AS l CROSS JOIN LATERAL (
                SELECT 't' || (l.doc ->> 'trunk') AS term WHERE l.doc ->> 'trunk' <> ''
                UNION ALL SELECT 'm' || m.key || '=' || m.value FROM json_each_text(l.doc -> 'metadata') AS m
            ) AS t
            ON CONFLICT DO NOTHING;
        tenant := tenants[array_length(tenants, 1)];
        last := ids[array_length(ids, 1)];
        COMMIT;
    END LOOP;
END $$;
-- +goose StatementEnd
-- Concurrently, so that calls and workers go on meanwhile; what an attempt that was
-- interrupted has left is begun anew.
DROP INDEX IF EXISTS calls_unlisted;
CREATE INDEX CONCURRENTLY calls_unlisted ON calls (tenant_id, created_at, id) WHERE terms = 0;
DROP INDEX IF EXISTS calls_from_newest;
CREATE INDEX CONCURRENTLY calls_from_newest ON calls (tenant_id, from_number, created_at, id);
DROP INDEX IF EXISTS calls_to_newest;
CREATE INDEX CONCURRENTLY calls_to_newest ON calls (tenant_id, to_number, created_at, id);
DROP INDEX IF EXISTS jobs_of_call;
CREATE INDEX CONCURRENTLY jobs_of_call ON jobs (tenant_id, call_id);
-- The new ones begin as these do, and serve what programs before ask for.
DROP INDEX IF EXISTS calls_from;
DROP INDEX IF EXISTS calls_to;

-- +goose Down
CREATE INDEX IF NOT EXISTS calls_from ON calls (tenant_id, from_number);
CREATE INDEX IF NOT EXISTS calls_to ON calls (tenant_id, to_number);
DROP INDEX IF EXISTS jobs_of_call;
DROP INDEX IF EXISTS calls_to_newest;
DROP INDEX IF EXISTS calls_from_newest;
DROP INDEX IF EXISTS calls_unlisted;
ALTER TABLE calls DROP COLUMN IF EXISTS terms;
DROP TABLE IF EXISTS call_terms;
