-- +goose NO TRANSACTION
-- +goose Up
-- How long recordings are kept: legal holds, what was deleted and what proves it, and the
-- indexes by which recordings are found whose time is over. This migration expands: programs
-- that know an earlier version go on beside it. They don't know of holds; only a program that
-- does deletes recordings.
--
-- Concurrently, so that calls and workers go on meanwhile; what an attempt that was
-- interrupted has left is begun anew.
ALTER TABLE jobs ADD COLUMN IF NOT EXISTS retain_until BIGINT NOT NULL DEFAULT 0; -- of a recording: when it may be deleted, as its own request says; 0: by its user, its tenant or the service
ALTER TABLE jobs ADD COLUMN IF NOT EXISTS erased BIGINT NOT NULL DEFAULT 0; -- 1: its objects are deleted, or being deleted
DROP INDEX IF EXISTS jobs_retained;
CREATE INDEX CONCURRENTLY jobs_retained ON jobs (retain_until) WHERE retain_until > 0 AND erased = 0;
DROP INDEX IF EXISTS jobs_aging;
CREATE INDEX CONCURRENTLY jobs_aging ON jobs (tenant_id, created_at, seq) WHERE kind = 'record' AND retain_until = 0 AND erased = 0;

CREATE TABLE IF NOT EXISTS legal_holds (
    id          TEXT   COLLATE "C" NOT NULL PRIMARY KEY,
    tenant_id   TEXT   COLLATE "C" NOT NULL,
    scope       TEXT   COLLATE "C" NOT NULL, -- what subject is: 'recording', 'call', 'user', 'number' or 'tenant'
    subject     TEXT   COLLATE "C" NOT NULL, -- '' of a tenant
    reason      TEXT   NOT NULL,
    placed_at   BIGINT NOT NULL,
    placed_by   TEXT   NOT NULL,
    lifted_at   BIGINT NOT NULL DEFAULT 0, -- 0: it holds
    lifted_by   TEXT   NOT NULL DEFAULT '',
    lift_reason TEXT   NOT NULL DEFAULT ''
);
CREATE INDEX IF NOT EXISTS legal_holds_list ON legal_holds (tenant_id, id);
CREATE INDEX IF NOT EXISTS legal_holds_now ON legal_holds (tenant_id, scope, subject) WHERE lifted_at = 0;

CREATE TABLE IF NOT EXISTS erasures (
    tenant_id    TEXT   COLLATE "C" NOT NULL,
    recording_id TEXT   COLLATE "C" NOT NULL,
    by_job       TEXT   COLLATE "C" NOT NULL, -- the job that deletes
    call_id      TEXT   COLLATE "C" NOT NULL,
    kind         TEXT   NOT NULL, -- of that job: the recording is deleted, or an older version of it
    state        TEXT   NOT NULL, -- 'begun' or 'done'
    reason       TEXT   NOT NULL,
    actor        TEXT   NOT NULL, -- who asked for it
    begun_at     BIGINT NOT NULL,
    done_at      BIGINT NOT NULL DEFAULT 0,
    doc          TEXT   NOT NULL, -- while it is begun what is to be deleted, then what was deleted, as JSON
    PRIMARY KEY (tenant_id, recording_id, by_job)
);
CREATE INDEX IF NOT EXISTS erasures_call ON erasures (tenant_id, call_id);

-- +goose Down
DROP TABLE IF EXISTS erasures;
DROP TABLE IF EXISTS legal_holds;
DROP INDEX IF EXISTS jobs_aging;
DROP INDEX IF EXISTS jobs_retained;
ALTER TABLE jobs DROP COLUMN IF EXISTS erased;
ALTER TABLE jobs DROP COLUMN IF EXISTS retain_until;
