-- +goose NO TRANSACTION
-- +goose Up
-- Answers to idempotency keys are found by their age, so that old ones can be forgotten.
-- This migration expands. Concurrently, so that calls go on meanwhile; what an attempt
-- that was interrupted has left is begun anew.
DROP INDEX IF EXISTS idempotency_keys_age;
CREATE INDEX CONCURRENTLY idempotency_keys_age ON idempotency_keys (created_at);

-- +goose Down
DROP INDEX IF EXISTS idempotency_keys_age;
