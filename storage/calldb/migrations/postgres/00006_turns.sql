-- +goose NO TRANSACTION
-- +goose Up
-- Tenants take turns, and fresh calls aren't kept waiting by a backlog. This migration
-- expands, and by indexes alone: programs that know an earlier version go on beside it,
-- and claim by priority and age.
--
-- Jobs are fresh in the period of five seconds in which they were enqueued and in the
-- next one: jobs_fresh has the jobs of each period by tenant, jobs_backlog all of them.
--
-- Each index has a condition of its own, which no other's implies: a planner whose
-- statistics are old, as of a table in which nothing waited, would take any index of
-- what is queued for as good as another, and walk over all that waits at every claim.
-- Concurrently, so that calls and workers go on meanwhile; what an attempt that was
-- interrupted has left is begun anew.
DROP INDEX IF EXISTS jobs_fresh;
CREATE INDEX CONCURRENTLY jobs_fresh ON jobs (kind, queue, (created_at / 5000000), tenant_id, priority DESC, seq)
    WHERE (CASE WHEN state = 'queued' AND due = 1 THEN 'fresh in queue' ELSE '' END) = 'fresh in queue';
DROP INDEX IF EXISTS jobs_fresh_any;
CREATE INDEX CONCURRENTLY jobs_fresh_any ON jobs (kind, (created_at / 5000000), tenant_id, priority DESC, seq)
    WHERE (CASE WHEN state = 'queued' AND due = 1 THEN 'fresh' ELSE '' END) = 'fresh';
DROP INDEX IF EXISTS jobs_backlog;
CREATE INDEX CONCURRENTLY jobs_backlog ON jobs (kind, queue, tenant_id, priority DESC, seq, created_at)
    WHERE (CASE WHEN state = 'queued' AND due = 1 THEN 'backlog in queue' ELSE '' END) = 'backlog in queue';
DROP INDEX IF EXISTS jobs_backlog_any;
CREATE INDEX CONCURRENTLY jobs_backlog_any ON jobs (kind, tenant_id, priority DESC, seq, created_at)
    WHERE (CASE WHEN state = 'queued' AND due = 1 THEN 'backlog' ELSE '' END) = 'backlog';
DROP INDEX IF EXISTS jobs_ripe;
CREATE INDEX CONCURRENTLY jobs_ripe ON jobs (run_at)
    WHERE (CASE WHEN state = 'queued' AND due = 0 AND suspect = 0 THEN 'waits' ELSE '' END) = 'waits';
-- No program of a release reads these.
DROP INDEX IF EXISTS jobs_turns;
DROP INDEX IF EXISTS jobs_turns_any;
DROP INDEX IF EXISTS jobs_waiting;

-- +goose Down
CREATE INDEX IF NOT EXISTS jobs_turns ON jobs (kind, queue, tenant_id, priority DESC, seq) WHERE state = 'queued' AND due = 1;
CREATE INDEX IF NOT EXISTS jobs_turns_any ON jobs (kind, tenant_id, priority DESC, seq) WHERE state = 'queued' AND due = 1;
CREATE INDEX IF NOT EXISTS jobs_waiting ON jobs (run_at) WHERE state = 'queued' AND due = 0 AND suspect = 0;
DROP INDEX IF EXISTS jobs_fresh;
DROP INDEX IF EXISTS jobs_fresh_any;
DROP INDEX IF EXISTS jobs_backlog;
DROP INDEX IF EXISTS jobs_backlog_any;
DROP INDEX IF EXISTS jobs_ripe;
