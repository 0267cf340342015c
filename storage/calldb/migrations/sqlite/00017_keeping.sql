-- +goose Up
-- How long recordings are kept: legal holds, what was deleted and what proves it, and the
-- indexes by which recordings are found whose time is over. This migration expands: programs
-- that know an earlier version go on beside it. They don't know of holds; only a program that
-- does deletes recordings.
ALTER TABLE jobs ADD COLUMN retain_until INTEGER NOT NULL DEFAULT 0; -- of a recording: when it may be deleted, as its own request says; 0: by its user, its tenant or the service
ALTER TABLE jobs ADD COLUMN erased INTEGER NOT NULL DEFAULT 0; -- 1: its objects are deleted, or being deleted
CREATE INDEX jobs_retained ON jobs (retain_until) WHERE retain_until > 0 AND erased = 0;
CREATE INDEX jobs_aging ON jobs (tenant_id, created_at, seq) WHERE kind = 'record' AND retain_until = 0 AND erased = 0;

CREATE TABLE legal_holds (
    id          TEXT NOT NULL PRIMARY KEY,
    tenant_id   TEXT NOT NULL,
    scope       TEXT NOT NULL, -- what subject is: 'recording', 'call', 'user', 'number' or 'tenant'
    subject     TEXT NOT NULL, -- '' of a tenant
    reason      TEXT NOT NULL,
    placed_at   INTEGER NOT NULL,
    placed_by   TEXT NOT NULL,
    lifted_at   INTEGER NOT NULL DEFAULT 0, -- 0: it holds
    lifted_by   TEXT NOT NULL DEFAULT '',
    lift_reason TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE INDEX legal_holds_list ON legal_holds (tenant_id, id);
CREATE INDEX legal_holds_now ON legal_holds (tenant_id, scope, subject) WHERE lifted_at = 0;

CREATE TABLE erasures (
    tenant_id    TEXT NOT NULL,
    recording_id TEXT NOT NULL,
    by_job       TEXT NOT NULL, -- the job that deletes
    call_id      TEXT NOT NULL,
    kind         TEXT NOT NULL, -- of that job: the recording is deleted, or an older version of it
    state        TEXT NOT NULL, -- 'begun' or 'done'
    reason       TEXT NOT NULL,
    actor        TEXT NOT NULL, -- who asked for it
    begun_at     INTEGER NOT NULL,
    done_at      INTEGER NOT NULL DEFAULT 0,
    doc          TEXT NOT NULL, -- while it is begun what is to be deleted, then what was deleted, as JSON
    PRIMARY KEY (tenant_id, recording_id, by_job)
) STRICT;
CREATE INDEX erasures_call ON erasures (tenant_id, call_id);

-- +goose Down
DROP TABLE erasures;
DROP TABLE legal_holds;
DROP INDEX jobs_aging;
DROP INDEX jobs_retained;
ALTER TABLE jobs DROP COLUMN erased;
ALTER TABLE jobs DROP COLUMN retain_until;
