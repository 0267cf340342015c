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
ALTER TABLE jobs ADD COLUMN due INTEGER NOT NULL DEFAULT 1; -- 1: in line; 0: waits for run_at, or to be run alone
ALTER TABLE jobs ADD COLUMN suspect INTEGER NOT NULL DEFAULT 0; -- 1: a lease of it expired; it is run alone
ALTER TABLE jobs ADD COLUMN alone INTEGER NOT NULL DEFAULT 0; -- the token under which it runs alone
ALTER TABLE jobs ADD COLUMN emergency INTEGER NOT NULL DEFAULT 0; -- 1: of an emergency call
UPDATE jobs SET due = 0 WHERE state = 'queued' AND due = 1 AND run_at > CAST(round(unixepoch('now', 'subsec') * 1000) AS INTEGER) * 1000;
CREATE INDEX jobs_turns ON jobs (kind, queue, tenant_id, priority DESC, seq) WHERE state = 'queued' AND due = 1;
CREATE INDEX jobs_turns_any ON jobs (kind, tenant_id, priority DESC, seq) WHERE state = 'queued' AND due = 1;
CREATE INDEX jobs_emergency ON jobs (seq) WHERE state = 'queued' AND due = 1 AND emergency = 1;
CREATE INDEX jobs_waiting ON jobs (run_at) WHERE state = 'queued' AND due = 0 AND suspect = 0;
CREATE INDEX jobs_suspect ON jobs (attempts, run_at) WHERE state = 'queued' AND suspect = 1;
-- No program of a release reads these.
DROP INDEX IF EXISTS jobs_due_kind;
DROP INDEX IF EXISTS jobs_due_kind_queue;

-- +goose Down
CREATE INDEX jobs_due_kind ON jobs (kind, priority DESC, seq) WHERE state = 'queued';
CREATE INDEX jobs_due_kind_queue ON jobs (kind, queue, priority DESC, seq) WHERE state = 'queued';
DROP INDEX jobs_turns;
DROP INDEX jobs_turns_any;
DROP INDEX jobs_emergency;
DROP INDEX jobs_waiting;
DROP INDEX jobs_suspect;
ALTER TABLE jobs DROP COLUMN emergency;
ALTER TABLE jobs DROP COLUMN alone;
ALTER TABLE jobs DROP COLUMN suspect;
ALTER TABLE jobs DROP COLUMN due;
