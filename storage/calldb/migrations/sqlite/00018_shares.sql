-- +goose Up
-- Shares: links by which somebody without credentials hears a part of a recording, and who
-- has opened them. This migration expands.
CREATE TABLE recording_shares (
    id             TEXT    NOT NULL PRIMARY KEY,
    tenant_id      TEXT    NOT NULL,
    token_sha256   TEXT    NOT NULL UNIQUE, -- in hex
    job_id         TEXT    NOT NULL, -- that made the recording
    call_id        TEXT    NOT NULL,
    recording_id   TEXT    NOT NULL,
    output         TEXT    NOT NULL,
    codec          TEXT    NOT NULL,
    from_us        INTEGER NOT NULL, -- microseconds from the recording's beginning
    to_us          INTEGER NOT NULL, -- 0: to its end
    description    TEXT    NOT NULL,
    expires_at     INTEGER NOT NULL, -- microseconds since 1970 UTC, as all times
    max_openings   INTEGER NOT NULL, -- 0: any
    openings       INTEGER NOT NULL DEFAULT 0,
    last_opened_at INTEGER NOT NULL DEFAULT 0,
    created_at     INTEGER NOT NULL,
    created_by     TEXT    NOT NULL,
    revoked_at     INTEGER NOT NULL DEFAULT 0,
    revoked_by     TEXT    NOT NULL DEFAULT ''
) STRICT;
CREATE INDEX recording_shares_tenant ON recording_shares (tenant_id, id);
CREATE INDEX recording_shares_job ON recording_shares (tenant_id, job_id, id);
CREATE INDEX recording_shares_expired ON recording_shares (expires_at);

CREATE TABLE share_openings (
    share_id  TEXT   NOT NULL,
    client    TEXT   NOT NULL, -- a hash of where it was opened from, and by what program
    opened_at INTEGER NOT NULL, -- the last time
    last_at   INTEGER NOT NULL, -- when it was asked for last, within a minute
    PRIMARY KEY (share_id, client)
) STRICT;

-- +goose Down
DROP TABLE share_openings;
DROP TABLE recording_shares;
