-- +goose NO TRANSACTION
-- +goose Up
-- Jobs of several kinds. This migration expands: programs that know version 2 go
-- on beside it. They insert jobs without a kind, which are recordings' then, and
-- find that there is one already by UNIQUE (tenant_id, recording_id). So that two
-- kinds may use one key, that column holds "kind/key" for all other kinds: a
-- recording's id has no '/'. They don't set "published": of a recording, a result
-- that was made, of a job that isn't done, says the same.
--
-- Enqueue no job of another kind before every program knows version 3: the older
-- ones claim jobs of any kind.
--
-- To contract, in a later release, when no program of version 2 is left to run:
-- rename recording_id to job_key without the "kind/", make it unique by tenant and
-- kind, set "published" where the result alone says so, drop the indexes jobs_due
-- and jobs_due_queue, and raise schema_compatibility.oldest_program to 3.
ALTER TABLE jobs ADD COLUMN IF NOT EXISTS kind TEXT NOT NULL DEFAULT 'record';
ALTER TABLE jobs ADD COLUMN IF NOT EXISTS published BIGINT NOT NULL DEFAULT 0; -- 1: the result is in use though the job isn't done
ALTER TABLE jobs ADD COLUMN IF NOT EXISTS reason TEXT NOT NULL DEFAULT ''; -- of last_error, for programs
-- Concurrently, so that calls and workers go on meanwhile; what an attempt that was
-- interrupted has left is begun anew.
DROP INDEX IF EXISTS jobs_due_kind;
CREATE INDEX CONCURRENTLY jobs_due_kind ON jobs (kind, priority DESC, seq) WHERE state = 'queued';
DROP INDEX IF EXISTS jobs_due_kind_queue;
CREATE INDEX CONCURRENTLY jobs_due_kind_queue ON jobs (kind, queue, priority DESC, seq) WHERE state = 'queued';
CREATE TABLE IF NOT EXISTS schema_compatibility (
    oldest_program BIGINT NOT NULL -- the newest version that a program must know at least to run on this schema
);
INSERT INTO schema_compatibility (oldest_program) VALUES (2);

-- +goose Down
DROP TABLE IF EXISTS schema_compatibility;
DROP INDEX IF EXISTS jobs_due_kind;
DROP INDEX IF EXISTS jobs_due_kind_queue;
DELETE FROM jobs WHERE recording_id LIKE '%/%'; -- those of other kinds
ALTER TABLE jobs DROP COLUMN IF EXISTS reason;
ALTER TABLE jobs DROP COLUMN IF EXISTS published;
ALTER TABLE jobs DROP COLUMN IF EXISTS kind;
