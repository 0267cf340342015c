-- +goose NO TRANSACTION
-- +goose Up
-- The lines of the audit log by what they are about. Those that every call and job leaves of
-- itself are not among them, so that a call costs no more than before: see
-- storeform.Routine. A subject may be longer than a row of an index. This migration
-- expands.
--
-- Concurrently, so that calls and workers go on meanwhile; what an attempt that was
-- interrupted has left is begun anew.
DROP INDEX IF EXISTS audit_subjects;
CREATE INDEX CONCURRENTLY audit_subjects ON audit (tenant_id, substr(subject, 1, 128), id)
    WHERE action NOT IN ('call.created', 'call.rejected', 'call.event', 'job.enqueued', 'job.completed', 'job.published');

-- +goose Down
DROP INDEX IF EXISTS audit_subjects;
