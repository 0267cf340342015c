-- +goose Up
-- Reports: calls and recordings by the hour. This migration expands: programs that know
-- an earlier version go on beside it, and what they end is counted, too.
--
-- Calls that have come to their end and are not counted yet.
CREATE TABLE uncounted_calls (
    seq       INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    tenant_id TEXT    NOT NULL,
    call_id   TEXT    NOT NULL,
    UNIQUE (tenant_id, call_id)
) STRICT;
CREATE TABLE call_hours (
    tenant_id   TEXT    NOT NULL,
    hour        INTEGER NOT NULL, -- since 1970, in which the calls were made
    trunk       TEXT    NOT NULL,
    destination TEXT    NOT NULL,
    direction   TEXT    NOT NULL,
    type        TEXT    NOT NULL,
    cause       TEXT    NOT NULL,
    calls       INTEGER NOT NULL,
    answered    INTEGER NOT NULL,
    abandoned   INTEGER NOT NULL,
    failed      INTEGER NOT NULL,
    rejected    INTEGER NOT NULL,
    rang        INTEGER NOT NULL,
    talk        INTEGER NOT NULL, -- microseconds, as post_dial
    post_dial   INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, hour, trunk, destination, direction, type, cause)
) STRICT;
CREATE TABLE recording_hours (
    tenant_id   TEXT    NOT NULL,
    hour        INTEGER NOT NULL, -- since 1970, in which the recordings were finished
    status      TEXT    NOT NULL,
    reason      TEXT    NOT NULL,
    recordings  INTEGER NOT NULL,
    duration    INTEGER NOT NULL, -- microseconds
    bytes       INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, hour, status, reason)
) STRICT;
-- What a recording was counted as, JSON; '' for not at all. It isn't any more, once
-- uncounted is 1.
ALTER TABLE call_recordings ADD COLUMN counted TEXT NOT NULL DEFAULT '';
ALTER TABLE call_recordings ADD COLUMN uncounted INTEGER NOT NULL DEFAULT 1;
CREATE INDEX recordings_uncounted ON call_recordings (tenant_id, call_id, recording_id) WHERE uncounted = 1;
-- Triggers, so that it doesn't matter which program ends a call.
-- +goose StatementBegin
CREATE TRIGGER calls_begun_at_their_end AFTER INSERT ON calls
    WHEN NEW.state IN ('ended', 'failed', 'rejected')
BEGIN
    INSERT OR IGNORE INTO uncounted_calls (tenant_id, call_id) VALUES (NEW.tenant_id, NEW.id);
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER calls_at_their_end AFTER UPDATE OF state ON calls
    WHEN NEW.state IN ('ended', 'failed', 'rejected') AND OLD.state NOT IN ('ended', 'failed', 'rejected')
BEGIN
    INSERT OR IGNORE INTO uncounted_calls (tenant_id, call_id) VALUES (NEW.tenant_id, NEW.id);
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER recordings_changed AFTER UPDATE OF doc ON call_recordings WHEN OLD.uncounted = 0
BEGIN
    UPDATE call_recordings SET uncounted = 1
    WHERE tenant_id = NEW.tenant_id AND call_id = NEW.call_id AND recording_id = NEW.recording_id;
END;
-- +goose StatementEnd
INSERT OR IGNORE INTO uncounted_calls (tenant_id, call_id)
    SELECT tenant_id, id FROM calls WHERE state IN ('ended', 'failed', 'rejected');

-- +goose Down
DROP TRIGGER recordings_changed;
DROP TRIGGER calls_at_their_end;
DROP TRIGGER calls_begun_at_their_end;
DROP INDEX recordings_uncounted;
ALTER TABLE call_recordings DROP COLUMN uncounted;
ALTER TABLE call_recordings DROP COLUMN counted;
DROP TABLE recording_hours;
DROP TABLE call_hours;
DROP TABLE uncounted_calls;
