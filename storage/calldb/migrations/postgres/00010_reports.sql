-- +goose NO TRANSACTION
-- +goose Up
-- Reports: calls and recordings by the hour. This migration expands: programs that know
-- an earlier version go on beside it, and what they end is counted, too. One that was
-- interrupted is begun anew.
--
-- Calls that have come to their end and are not counted yet.
CREATE TABLE IF NOT EXISTS uncounted_calls (
    seq       BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id TEXT   NOT NULL,
    call_id   TEXT   NOT NULL,
    UNIQUE (tenant_id, call_id)
);
CREATE TABLE IF NOT EXISTS call_hours (
    tenant_id   TEXT   COLLATE "C" NOT NULL,
    hour        BIGINT NOT NULL, -- since 1970, in which the calls were made
    trunk       TEXT   COLLATE "C" NOT NULL,
    destination TEXT   COLLATE "C" NOT NULL,
    direction   TEXT   COLLATE "C" NOT NULL,
    type        TEXT   COLLATE "C" NOT NULL,
    cause       TEXT   COLLATE "C" NOT NULL,
    calls       BIGINT NOT NULL,
    answered    BIGINT NOT NULL,
    abandoned   BIGINT NOT NULL,
    failed      BIGINT NOT NULL,
    rejected    BIGINT NOT NULL,
    rang        BIGINT NOT NULL,
    talk        BIGINT NOT NULL, -- microseconds, as post_dial
    post_dial   BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, hour, trunk, destination, direction, type, cause)
);
CREATE TABLE IF NOT EXISTS recording_hours (
    tenant_id   TEXT   COLLATE "C" NOT NULL,
    hour        BIGINT NOT NULL, -- since 1970, in which the recordings were finished
    status      TEXT   COLLATE "C" NOT NULL,
    reason      TEXT   COLLATE "C" NOT NULL,
    recordings  BIGINT NOT NULL,
    duration    BIGINT NOT NULL, -- microseconds
    bytes       BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, hour, status, reason)
);
-- What a recording was counted as, JSON; '' for not at all. It isn't any more, once
-- uncounted is 1.
ALTER TABLE call_recordings ADD COLUMN IF NOT EXISTS counted TEXT NOT NULL DEFAULT '';
ALTER TABLE call_recordings ADD COLUMN IF NOT EXISTS uncounted BIGINT NOT NULL DEFAULT 1;
DROP INDEX IF EXISTS recordings_uncounted;
CREATE INDEX CONCURRENTLY recordings_uncounted ON call_recordings (tenant_id, call_id, recording_id) WHERE uncounted = 1;
-- Triggers, so that it doesn't matter which program ends a call.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION call_ended() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO uncounted_calls (tenant_id, call_id) VALUES (NEW.tenant_id, NEW.id) ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION recording_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.uncounted := 1;
    RETURN NEW;
END $$;
-- +goose StatementEnd
CREATE OR REPLACE TRIGGER calls_begun_at_their_end AFTER INSERT ON calls FOR EACH ROW
    WHEN (NEW.state IN ('ended', 'failed', 'rejected')) EXECUTE FUNCTION call_ended();
CREATE OR REPLACE TRIGGER calls_at_their_end AFTER UPDATE OF state ON calls FOR EACH ROW
    WHEN (NEW.state IN ('ended', 'failed', 'rejected') AND OLD.state NOT IN ('ended', 'failed', 'rejected')) EXECUTE FUNCTION call_ended();
CREATE OR REPLACE TRIGGER recordings_changed BEFORE UPDATE OF doc ON call_recordings FOR EACH ROW
    EXECUTE FUNCTION recording_changed();
-- Nothing is counted until the migration is through, so that none is counted twice.
INSERT INTO uncounted_calls (tenant_id, call_id)
    SELECT tenant_id, id FROM calls WHERE state IN ('ended', 'failed', 'rejected') ON CONFLICT DO NOTHING;

-- +goose Down
DROP TRIGGER IF EXISTS recordings_changed ON call_recordings;
DROP TRIGGER IF EXISTS calls_at_their_end ON calls;
DROP TRIGGER IF EXISTS calls_begun_at_their_end ON calls;
DROP FUNCTION IF EXISTS recording_changed();
DROP FUNCTION IF EXISTS call_ended();
DROP INDEX IF EXISTS recordings_uncounted;
ALTER TABLE call_recordings DROP COLUMN IF EXISTS uncounted;
ALTER TABLE call_recordings DROP COLUMN IF EXISTS counted;
DROP TABLE IF EXISTS recording_hours;
DROP TABLE IF EXISTS call_hours;
DROP TABLE IF EXISTS uncounted_calls;
