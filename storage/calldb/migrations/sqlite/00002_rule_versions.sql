-- +goose Up
CREATE TABLE rule_activations (
    tenant_id TEXT    NOT NULL,
    id        INTEGER NOT NULL, -- from 1, by tenant
    hash      TEXT    NOT NULL,
    replaced  TEXT    NOT NULL,
    action    TEXT    NOT NULL,
    at        INTEGER NOT NULL,
    actor     TEXT    NOT NULL,
    back      INTEGER NOT NULL, -- id of the entry that a rollback goes back to, or 0
    PRIMARY KEY (tenant_id, id)
) STRICT;
INSERT INTO rule_activations (tenant_id, id, hash, replaced, action, at, actor, back)
    SELECT tenant_id, 1, hash, '', 'activate', activated_at, '', 0 FROM active_rule_sets;

CREATE TABLE rule_canaries (
    tenant_id  TEXT    NOT NULL PRIMARY KEY,
    hash       TEXT    NOT NULL,
    share      INTEGER NOT NULL, -- hundredths of a percent
    salt       TEXT    NOT NULL,
    started_at INTEGER NOT NULL,
    actor      TEXT    NOT NULL
) STRICT;

-- +goose Down
DROP TABLE rule_canaries;
DROP TABLE rule_activations;
