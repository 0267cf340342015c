-- +goose Up
-- Users and tenants, their history, and the sequence of their changes. This migration
-- expands: programs that know an earlier version go on beside it.
CREATE SEQUENCE directory_seq;
CREATE TABLE directory (
    kind       TEXT   NOT NULL, -- 'user' or 'tenant'
    tenant_id  TEXT   COLLATE "C" NOT NULL,
    id         TEXT   COLLATE "C" NOT NULL, -- of a user; '' of a tenant
    version    BIGINT NOT NULL, -- from 1; 0: its row is locked for the first time
    seq        BIGINT NOT NULL, -- of its last change
    gone       BIGINT NOT NULL, -- 1: it was deleted
    doc        TEXT   NOT NULL, -- users.User or users.Tenant as JSON; '' of what is gone
    updated_at BIGINT NOT NULL,
    updated_by TEXT   NOT NULL,
    PRIMARY KEY (kind, tenant_id, id)
);
CREATE INDEX directory_changes ON directory (seq);
CREATE TABLE directory_versions (
    kind      TEXT   NOT NULL,
    tenant_id TEXT   NOT NULL,
    id        TEXT   NOT NULL,
    version   BIGINT NOT NULL,
    gone      BIGINT NOT NULL,
    doc       TEXT   NOT NULL,
    at        BIGINT NOT NULL,
    actor     TEXT   NOT NULL,
    PRIMARY KEY (kind, tenant_id, id, version)
);
CREATE TABLE user_numbers (
    tenant_id TEXT   NOT NULL,
    number    TEXT   NOT NULL,
    user_id   TEXT   NOT NULL,
    did       BIGINT NOT NULL, -- 1: nobody else's in any tenant
    PRIMARY KEY (tenant_id, number)
);
CREATE UNIQUE INDEX user_numbers_did ON user_numbers (number) WHERE did = 1;
CREATE INDEX user_numbers_of ON user_numbers (tenant_id, user_id);

-- +goose Down
DROP TABLE user_numbers;
DROP TABLE directory_versions;
DROP TABLE directory;
DROP SEQUENCE directory_seq;
