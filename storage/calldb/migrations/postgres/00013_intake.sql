-- +goose Up
-- What comes from brokers and goes to them: messages that could not be taken, how often
-- one was tried, and how far the outbox's readers have come. This migration expands.
CREATE TABLE dead_letters (
    seq         BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    nonce       TEXT   NOT NULL, -- the part of the id that can't be guessed
    tenant_id   TEXT   NOT NULL, -- '': nobody vouches for it
    source      TEXT   NOT NULL,
    fingerprint TEXT   NOT NULL,
    message_id  TEXT   NOT NULL,
    kind        TEXT   NOT NULL,
    code        TEXT   NOT NULL,
    reason      TEXT   NOT NULL,
    body        BYTEA  NOT NULL,
    bytes       BIGINT NOT NULL, -- of the message; body is its beginning if it has fewer
    state       TEXT   NOT NULL,
    at          BIGINT NOT NULL, -- microseconds since 1970 UTC
    settled_at  BIGINT NOT NULL DEFAULT 0,
    settled_by  TEXT   NOT NULL DEFAULT '',
    job_id      TEXT   NOT NULL DEFAULT '',
    UNIQUE (source, fingerprint)
);
CREATE INDEX dead_letters_tenant ON dead_letters (tenant_id, seq);
CREATE INDEX dead_letters_waiting ON dead_letters (seq) WHERE state = 'waiting';
CREATE INDEX dead_letters_settled ON dead_letters (settled_at) WHERE state <> 'waiting';

CREATE TABLE intake_tries (
    source      TEXT   NOT NULL,
    fingerprint TEXT   NOT NULL,
    tries       BIGINT NOT NULL,
    at          BIGINT NOT NULL, -- of the last one
    PRIMARY KEY (source, fingerprint)
);
CREATE INDEX intake_tries_age ON intake_tries (at);

CREATE TABLE outbox_readers (
    name         TEXT   NOT NULL PRIMARY KEY,
    through      BIGINT NOT NULL,
    holder       TEXT   NOT NULL,
    holder_until BIGINT NOT NULL,
    read_at      BIGINT NOT NULL -- when somebody last read
);

-- +goose Down
DROP TABLE outbox_readers;
DROP TABLE intake_tries;
DROP TABLE dead_letters;
