-- +goose Up
CREATE TABLE calls (
    tenant_id   TEXT    NOT NULL,
    id          TEXT    NOT NULL,
    state       TEXT    NOT NULL,
    from_number TEXT    NOT NULL,
    to_number   TEXT    NOT NULL,
    created_at  INTEGER NOT NULL, -- all times: microseconds since 1970 UTC
    events      INTEGER NOT NULL DEFAULT 0, -- how many were applied
    doc         TEXT    NOT NULL, -- callmodel.Call as JSON, without its recordings
    PRIMARY KEY (tenant_id, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX calls_newest ON calls (tenant_id, created_at, id);
CREATE INDEX calls_from ON calls (tenant_id, from_number);
CREATE INDEX calls_to ON calls (tenant_id, to_number);

CREATE TABLE call_events (
    tenant_id TEXT    NOT NULL,
    call_id   TEXT    NOT NULL,
    event_id  TEXT    NOT NULL,
    seq       INTEGER NOT NULL, -- from 1, in the order of application
    doc       TEXT    NOT NULL, -- callmodel.CallEvent as JSON
    PRIMARY KEY (tenant_id, call_id, event_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE call_recordings (
    tenant_id    TEXT    NOT NULL,
    call_id      TEXT    NOT NULL,
    recording_id TEXT    NOT NULL,
    finished_at  INTEGER NOT NULL,
    doc          TEXT    NOT NULL, -- callmodel.CallRecording as JSON
    PRIMARY KEY (tenant_id, call_id, recording_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE idempotency_keys (
    tenant_id      TEXT    NOT NULL,
    idem_key       TEXT    NOT NULL,
    request_sha256 TEXT    NOT NULL,
    status         INTEGER NOT NULL,
    body           BLOB    NOT NULL,
    created_at     INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, idem_key)
) STRICT;

CREATE TABLE jobs (
    seq          INTEGER PRIMARY KEY AUTOINCREMENT,
    nonce        TEXT    NOT NULL, -- the part of the id that can't be guessed
    queue        TEXT    NOT NULL,
    priority     INTEGER NOT NULL,
    state        TEXT    NOT NULL,
    attempts     INTEGER NOT NULL DEFAULT 0,
    retries      INTEGER NOT NULL DEFAULT 0, -- how often a person put it back
    token        INTEGER NOT NULL DEFAULT 0, -- the fence: grows with every claim
    worker       TEXT    NOT NULL DEFAULT '',
    tenant_id    TEXT    NOT NULL,
    call_id      TEXT    NOT NULL,
    recording_id TEXT    NOT NULL,
    spec         TEXT    NOT NULL, -- callmodel.RecordingSpec as JSON
    result       TEXT    NOT NULL DEFAULT '', -- callmodel.RecordingResult as JSON
    last_error   TEXT    NOT NULL DEFAULT '',
    created_at   INTEGER NOT NULL,
    run_at       INTEGER NOT NULL,
    lease_until  INTEGER NOT NULL DEFAULT 0,
    finished_at  INTEGER NOT NULL DEFAULT 0,
    UNIQUE (tenant_id, recording_id)
) STRICT;
CREATE INDEX jobs_due ON jobs (priority DESC, seq) WHERE state = 'queued';
CREATE INDEX jobs_due_queue ON jobs (queue, priority DESC, seq) WHERE state = 'queued';
CREATE INDEX jobs_leased ON jobs (lease_until) WHERE state = 'running';
CREATE INDEX jobs_set_aside ON jobs (seq) WHERE state = 'quarantined';

CREATE TABLE rule_sets (
    seq        INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant_id  TEXT    NOT NULL,
    hash       TEXT    NOT NULL,
    format     TEXT    NOT NULL,
    body       BLOB    NOT NULL,
    created_at INTEGER NOT NULL,
    created_by TEXT    NOT NULL,
    UNIQUE (tenant_id, hash)
) STRICT;

CREATE TABLE active_rule_sets (
    tenant_id    TEXT    NOT NULL PRIMARY KEY,
    hash         TEXT    NOT NULL,
    activated_at INTEGER NOT NULL
) STRICT;

CREATE TABLE audit (
    id        INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant_id TEXT    NOT NULL,
    at        INTEGER NOT NULL,
    actor     TEXT    NOT NULL,
    action    TEXT    NOT NULL,
    subject   TEXT    NOT NULL,
    detail    TEXT    NOT NULL -- JSON object of strings, or ''
) STRICT;
CREATE INDEX audit_tenant ON audit (tenant_id, id);

CREATE TABLE outbox (
    id        INTEGER PRIMARY KEY AUTOINCREMENT,
    event_key TEXT    NOT NULL UNIQUE,
    tenant_id TEXT    NOT NULL,
    type      TEXT    NOT NULL,
    subject   TEXT    NOT NULL,
    at        INTEGER NOT NULL,
    body      BLOB    NOT NULL -- JSON
) STRICT;

-- +goose Down
DROP TABLE outbox;
DROP TABLE audit;
DROP TABLE active_rule_sets;
DROP TABLE rule_sets;
DROP TABLE jobs;
DROP TABLE idempotency_keys;
DROP TABLE call_recordings;
DROP TABLE call_events;
DROP TABLE calls;
