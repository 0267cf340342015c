-- +goose Up
-- Answers to idempotency keys are found by their age, so that old ones can be forgotten.
-- This migration expands.
CREATE INDEX idempotency_keys_age ON idempotency_keys (created_at);

-- +goose Down
DROP INDEX idempotency_keys_age;
