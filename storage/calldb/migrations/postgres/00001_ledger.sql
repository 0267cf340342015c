-- +goose Up
-- The ids of audit lines and outbox events are given out under a shared lock
-- that lasts until the transaction ends. A reader takes it exclusively for a
-- moment, so that no smaller id can appear behind the ones it has seen.
-- +goose StatementBegin
CREATE FUNCTION next_line(line_ids regclass) RETURNS bigint LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(7286232109);
    RETURN nextval(line_ids);
END $$;
-- +goose StatementEnd

CREATE TABLE calls (
    tenant_id   TEXT    NOT NULL,
    id          TEXT    COLLATE "C" NOT NULL, -- sorts by bytes, as SQLite does
    state       TEXT    NOT NULL,
    from_number TEXT    NOT NULL,
    to_number   TEXT    NOT NULL,
    created_at  BIGINT  NOT NULL, -- all times: microseconds since 1970 UTC
    events      BIGINT  NOT NULL DEFAULT 0, -- how many were applied
    doc         TEXT    NOT NULL, -- callmodel.Call as JSON, without its recordings
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX calls_newest ON calls (tenant_id, created_at, id);
CREATE INDEX calls_from ON calls (tenant_id, from_number);
CREATE INDEX calls_to ON calls (tenant_id, to_number);

CREATE TABLE call_events (
    tenant_id TEXT    NOT NULL,
    call_id   TEXT    NOT NULL,
    event_id  TEXT    NOT NULL,
    seq       BIGINT  NOT NULL, -- from 1, in the order of application
    doc       TEXT    NOT NULL, -- callmodel.CallEvent as JSON
    PRIMARY KEY (tenant_id, call_id, event_id)
);

CREATE TABLE call_recordings (
    tenant_id    TEXT    NOT NULL,
    call_id      TEXT    NOT NULL,
    recording_id TEXT    NOT NULL,
    finished_at  BIGINT  NOT NULL,
    doc          TEXT    NOT NULL, -- callmodel.CallRecording as JSON
    PRIMARY KEY (tenant_id, call_id, recording_id)
);

CREATE TABLE idempotency_keys (
    tenant_id      TEXT    NOT NULL,
    idem_key       TEXT    NOT NULL,
    request_sha256 TEXT    NOT NULL,
    status         BIGINT  NOT NULL,
    body           BYTEA   NOT NULL,
    created_at     BIGINT  NOT NULL,
    PRIMARY KEY (tenant_id, idem_key)
);

CREATE TABLE jobs (
    seq          BIGINT  GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    nonce        TEXT    NOT NULL, -- the part of the id that can't be guessed
    queue        TEXT    NOT NULL,
    priority     BIGINT  NOT NULL,
    state        TEXT    NOT NULL,
    attempts     BIGINT  NOT NULL DEFAULT 0,
    retries      BIGINT  NOT NULL DEFAULT 0, -- how often a person put it back
    token        BIGINT  NOT NULL DEFAULT 0, -- the fence: grows with every claim
    worker       TEXT    NOT NULL DEFAULT '',
    tenant_id    TEXT    NOT NULL,
    call_id      TEXT    NOT NULL,
    recording_id TEXT    NOT NULL,
    spec         TEXT    NOT NULL, -- callmodel.RecordingSpec as JSON
    result       TEXT    NOT NULL DEFAULT '', -- callmodel.RecordingResult as JSON
    last_error   TEXT    NOT NULL DEFAULT '',
    created_at   BIGINT  NOT NULL,
    run_at       BIGINT  NOT NULL,
    lease_until  BIGINT  NOT NULL DEFAULT 0,
    finished_at  BIGINT  NOT NULL DEFAULT 0,
    UNIQUE (tenant_id, recording_id)
);
CREATE INDEX jobs_due ON jobs (priority DESC, seq) WHERE state = 'queued';
CREATE INDEX jobs_due_queue ON jobs (queue, priority DESC, seq) WHERE state = 'queued';
CREATE INDEX jobs_leased ON jobs (lease_until) WHERE state = 'running';
CREATE INDEX jobs_set_aside ON jobs (seq) WHERE state = 'quarantined';

CREATE TABLE rule_sets (
    seq        BIGINT  GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id  TEXT    NOT NULL,
    hash       TEXT    NOT NULL,
    format     TEXT    NOT NULL,
    body       BYTEA   NOT NULL,
    created_at BIGINT  NOT NULL,
    created_by TEXT    NOT NULL,
    UNIQUE (tenant_id, hash)
);

CREATE TABLE active_rule_sets (
    tenant_id    TEXT    NOT NULL PRIMARY KEY,
    hash         TEXT    NOT NULL,
    activated_at BIGINT  NOT NULL
);

CREATE SEQUENCE audit_id;
CREATE TABLE audit (
    id        BIGINT  PRIMARY KEY DEFAULT next_line('audit_id'),
    tenant_id TEXT    NOT NULL,
    at        BIGINT  NOT NULL,
    actor     TEXT    NOT NULL,
    action    TEXT    NOT NULL,
    subject   TEXT    NOT NULL,
    detail    TEXT    NOT NULL -- JSON object of strings, or ''
);
CREATE INDEX audit_tenant ON audit (tenant_id, id);

CREATE SEQUENCE outbox_id;
CREATE TABLE outbox (
    id        BIGINT  PRIMARY KEY DEFAULT next_line('outbox_id'),
    event_key TEXT    NOT NULL UNIQUE,
    tenant_id TEXT    NOT NULL,
    type      TEXT    NOT NULL,
    subject   TEXT    NOT NULL,
    at        BIGINT  NOT NULL,
    body      BYTEA   NOT NULL -- JSON
);

-- +goose Down
DROP TABLE outbox;
DROP SEQUENCE outbox_id;
DROP TABLE audit;
DROP SEQUENCE audit_id;
DROP TABLE active_rule_sets;
DROP TABLE rule_sets;
DROP TABLE jobs;
DROP TABLE idempotency_keys;
DROP TABLE call_recordings;
DROP TABLE call_events;
DROP TABLE calls;
DROP FUNCTION next_line(regclass);
