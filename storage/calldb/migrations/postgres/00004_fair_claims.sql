-- +goose NO TRANSACTION
-- +goose Up
-- Fair claims, and crashes that convict the culprit alone. This migration expands:
-- programs that know version 2 or 3 go on beside it. They insert jobs with the
-- defaults, claim by priority and age whatever is queued, and count an expired lease
-- at once. What they put back to run later has due = 1, so claims look at run_at as
-- well; a suspect that they run leaves its mark behind, and is run alone once more.
--
-- due is 1 for a queued job that is in line and 0 for one that waits for its run_at,
-- or is a suspect: claims move it into the line when its time has come. It says
-- nothing of jobs that aren't queued.
--
-- To contract, in a later release, when no program of version 3 is left to run: drop
-- the indexes jobs_due and jobs_due_queue, put due = 0 where run_at is later, and
-- raise schema_compatibility.oldest_program to 4.
ALTER TABLE jobs ADD COLUMN IF NOT EXISTS due BIGINT NOT NULL DEFAULT 1; -- 1: in line; 0: waits for run_at, or to be run alone
ALTER TABLE jobs ADD COLUMN IF NOT EXISTS suspect BIGINT NOT NULL DEFAULT 0; -- 1: a lease of it expired; it is run alone
ALTER TABLE jobs ADD COLUMN IF NOT EXISTS alone BIGINT NOT NULL DEFAULT 0; -- the token under which it runs alone
ALTER TABLE jobs ADD COLUMN IF NOT EXISTS emergency BIGINT NOT NULL DEFAULT 0; -- 1: of an emergency call
UPDATE jobs SET due = 0 WHERE state = 'queued' AND due = 1 AND run_at > (extract(epoch FROM statement_timestamp()) * 1000000)::bigint;
-- Concurrently, so that calls and workers go on meanwhile; what an attempt that was
-- interrupted has left is begun anew.
DROP INDEX IF EXISTS jobs_turns;
CREATE INDEX CONCURRENTLY jobs_turns ON jobs (kind, queue, tenant_id, priority DESC, seq) WHERE state = 'queued' AND due = 1;
DROP INDEX IF EXISTS jobs_turns_any;
CREATE INDEX CONCURRENTLY jobs_turns_any ON jobs (kind, tenant_id, priority DESC, seq) WHERE state = 'queued' AND due = 1;
DROP INDEX IF EXISTS jobs_emergency;
CREATE INDEX CONCURRENTLY jobs_emergency ON jobs (seq) WHERE state = 'queued' AND due = 1 AND emergency = 1;
DROP INDEX IF EXISTS jobs_waiting;
CREATE INDEX CONCURRENTLY jobs_waiting ON jobs (run_at) WHERE state = 'queued' AND due = 0 AND suspect = 0;
DROP INDEX IF EXISTS jobs_suspect;
CREATE INDEX CONCURRENTLY jobs_suspect ON jobs (attempts, run_at) WHERE state = 'queued' AND suspect = 1;
-- No program of a release reads these.
DROP INDEX IF EXISTS jobs_due_kind;
DROP INDEX IF EXISTS jobs_due_kind_queue;

-- +goose Down
CREATE INDEX IF NOT EXISTS jobs_due_kind ON jobs (kind, priority DESC, seq) WHERE state = 'queued';
CREATE INDEX IF NOT EXISTS jobs_due_kind_queue ON jobs (kind, queue, priority DESC, seq) WHERE state = 'queued';
DROP INDEX IF EXISTS jobs_turns;
DROP INDEX IF EXISTS jobs_turns_any;
DROP INDEX IF EXISTS jobs_emergency;
DROP INDEX IF EXISTS jobs_waiting;
DROP INDEX IF EXISTS jobs_suspect;
ALTER TABLE jobs DROP COLUMN IF EXISTS emergency;
ALTER TABLE jobs DROP COLUMN IF EXISTS alone;
ALTER TABLE jobs DROP COLUMN IF EXISTS suspect;
ALTER TABLE jobs DROP COLUMN IF EXISTS due;
