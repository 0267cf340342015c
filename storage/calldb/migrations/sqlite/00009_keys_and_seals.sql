-- +goose Up
-- API keys, and the seals of the audit log. This migration expands: programs that know
-- an earlier version go on beside it. They know no keys but those of their files.
CREATE TABLE api_keys (
    id           TEXT    NOT NULL PRIMARY KEY,
    tenant_id    TEXT    NOT NULL,
    name         TEXT    NOT NULL,
    grants       TEXT    NOT NULL, -- scopes and roles, as a JSON list
    secret       TEXT    NOT NULL, -- SHA-256 of the secret, in hex
    old_secret   TEXT    NOT NULL DEFAULT '', -- that before the last rotation
    old_until    INTEGER NOT NULL DEFAULT 0, -- until when it works
    created_at   INTEGER NOT NULL,
    created_by   TEXT    NOT NULL,
    expires_at   INTEGER NOT NULL, -- 0: never
    last_used_at INTEGER NOT NULL DEFAULT 0, -- within some minutes
    rotated_at   INTEGER NOT NULL DEFAULT 0,
    revoked_at   INTEGER NOT NULL DEFAULT 0,
    revoked_by   TEXT    NOT NULL DEFAULT '',
    changed      INTEGER NOT NULL -- the place of its last change among those of all keys
) STRICT;
CREATE INDEX api_keys_tenant ON api_keys (tenant_id, id);
CREATE UNIQUE INDEX api_keys_name ON api_keys (tenant_id, name) WHERE revoked_at = 0;
CREATE UNIQUE INDEX api_keys_changed ON api_keys (changed);
-- How many changes there were. Who changes a key holds this row until the end of the
-- transaction, so that changes are seen in their order and none comes late.
CREATE TABLE api_key_changes (
    id      INTEGER NOT NULL PRIMARY KEY, -- 1
    through INTEGER NOT NULL
) STRICT;
INSERT INTO api_key_changes (id, through) VALUES (1, 0);
-- A seal says what some lines of the audit log were when it was made.
CREATE TABLE audit_seals (
    seq       INTEGER NOT NULL PRIMARY KEY, -- from 1, without gaps
    from_id   INTEGER NOT NULL, -- of the lines: behind the seal before
    to_id     INTEGER NOT NULL, -- the last line's
    lines     INTEGER NOT NULL, -- how many
    digests   BLOB    NOT NULL, -- of each line its id, 8 bytes, and its SHA-256; '' once the lines were pruned
    lines_sha TEXT    NOT NULL, -- SHA-256 of the digests, in hex
    previous  TEXT    NOT NULL, -- hash of the seal before, '' for the first
    hash      TEXT    NOT NULL, -- of this seal
    sealed_at INTEGER NOT NULL,
    pruned_at INTEGER NOT NULL DEFAULT 0 -- when its lines were taken out, 0: they are there
) STRICT;

-- +goose Down
DROP TABLE audit_seals;
DROP TABLE api_key_changes;
DROP TABLE api_keys;
