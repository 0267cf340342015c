-- +goose Up
CREATE TABLE rule_activations (
    tenant_id TEXT    NOT NULL,
    id        BIGINT  NOT NULL, -- from 1, by tenant
    hash      TEXT    NOT NULL,
    replaced  TEXT    NOT NULL,
    action    TEXT    NOT NULL,
    at        BIGINT  NOT NULL,
    actor     TEXT    NOT NULL,
    back      BIGINT  NOT NULL, -- id of the entry that a rollback goes back to, or 0
    PRIMARY KEY (tenant_id, id)
);
INSERT INTO rule_activations (tenant_id, id, hash, replaced, action, at, actor, back)
    SELECT tenant_id, 1, hash, '', 'activate', activated_at, '', 0 FROM active_rule_sets;

CREATE TABLE rule_canaries (
    tenant_id  TEXT    NOT NULL PRIMARY KEY,
    hash       TEXT    NOT NULL,
    share      BIGINT  NOT NULL, -- hundredths of a percent
    salt       TEXT    NOT NULL,
    started_at BIGINT  NOT NULL,
    actor      TEXT    NOT NULL
);

-- +goose Down
DROP TABLE rule_canaries;
DROP TABLE rule_activations;
