-- +goose Up
-- What comes from brokers and goes to them: messages that could not be taken, how often
-- one was tried, and how far the outbox's readers have come. This migration expands.
CREATE TABLE dead_letters (
    seq         INTEGER PRIMARY KEY AUTOINCREMENT,
    nonce       TEXT    NOT NULL, -- the part of the id that can't be guessed
    tenant_id   TEXT    NOT NULL, -- '': nobody vouches for it
    source      TEXT    NOT NULL,
    fingerprint TEXT    NOT NULL,
    message_id  TEXT    NOT NULL,
    kind        TEXT    NOT NULL,
    code        TEXT    NOT NULL,
    reason      TEXT    NOT NULL,
    body        BLOB    NOT NULL,
    bytes       INTEGER NOT NULL, -- of the message; body is its beginning if it has fewer
    state       TEXT    NOT NULL,
    at          INTEGER NOT NULL, -- microseconds since 1970 UTC
    settled_at  INTEGER NOT NULL DEFAULT 0,
    settled_by  TEXT    NOT NULL DEFAULT '',
    job_id      TEXT    NOT NULL DEFAULT '',
    UNIQUE (source, fingerprint)
) STRICT;
CREATE INDEX dead_letters_tenant ON dead_letters (tenant_id, seq);
CREATE INDEX dead_letters_waiting ON dead_letters (seq) WHERE state = 'waiting';
CREATE INDEX dead_letters_settled ON dead_letters (settled_at) WHERE state <> 'waiting';

CREATE TABLE intake_tries (
    source      TEXT    NOT NULL,
    fingerprint TEXT    NOT NULL,
    tries       INTEGER NOT NULL,
    at          INTEGER NOT NULL, -- of the last one
    PRIMARY KEY (source, fingerprint)
) STRICT, WITHOUT ROWID;
CREATE INDEX intake_tries_age ON intake_tries (at);

CREATE TABLE outbox_readers (
    name         TEXT    NOT NULL PRIMARY KEY,
    through      INTEGER NOT NULL,
    holder       TEXT    NOT NULL,
    holder_until INTEGER NOT NULL,
    read_at      INTEGER NOT NULL -- when somebody last read
) STRICT, WITHOUT ROWID;

-- +goose Down
DROP TABLE outbox_readers;
DROP TABLE intake_tries;
DROP TABLE dead_letters;
