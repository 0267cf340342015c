-- +goose Up
-- Webhooks: who is told of the outbox's events, and what became of each delivery. This
-- migration expands.
CREATE TABLE webhook_endpoints (
    id              TEXT    COLLATE "C" NOT NULL PRIMARY KEY,
    tenant_id       TEXT    NOT NULL,
    url             TEXT    NOT NULL,
    events          TEXT    NOT NULL, -- types, as a JSON list; '': all
    form            TEXT    NOT NULL,
    description     TEXT    NOT NULL,
    state           TEXT    NOT NULL, -- 'enabled', 'disabled' or 'deleted'
    state_reason    TEXT    NOT NULL DEFAULT '',
    secret          TEXT    NOT NULL, -- as it is: a hash can't sign; '' of one that is deleted
    old_secret      TEXT    NOT NULL DEFAULT '', -- that before the last rotation
    old_until       BIGINT  NOT NULL DEFAULT 0, -- until when it signs, too
    rotated_at      BIGINT  NOT NULL DEFAULT 0,
    created_at      BIGINT  NOT NULL,
    created_by      TEXT    NOT NULL,
    version         BIGINT  NOT NULL DEFAULT 1,
    from_settings   BIGINT  NOT NULL DEFAULT 0, -- 1: one of the tenant's settings
    last_success_at BIGINT  NOT NULL DEFAULT 0, -- within a second
    failing_since   BIGINT  NOT NULL DEFAULT 0, -- 0: the last try succeeded
    last_status     BIGINT  NOT NULL DEFAULT 0, -- of the last try that failed
    last_error      TEXT    NOT NULL DEFAULT ''
);
CREATE INDEX webhook_endpoints_tenant ON webhook_endpoints (tenant_id, id);

CREATE TABLE webhook_deliveries (
    id           BIGINT  GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    endpoint_id  TEXT    NOT NULL,
    event_id     BIGINT  NOT NULL, -- of the outbox, where the body is
    event_key    TEXT    NOT NULL,
    type         TEXT    NOT NULL,
    subject      TEXT    NOT NULL,
    event_at     BIGINT  NOT NULL,
    state        TEXT    NOT NULL,
    tries        BIGINT  NOT NULL DEFAULT 0, -- since it was made or replayed
    next_at      BIGINT  NOT NULL, -- of one that was claimed: when its lease is over
    token        BIGINT  NOT NULL DEFAULT 0, -- of the lease
    made_at      BIGINT  NOT NULL,
    last_at      BIGINT  NOT NULL DEFAULT 0,
    last_status  BIGINT  NOT NULL DEFAULT 0,
    last_error   TEXT    NOT NULL DEFAULT '',
    delivered_at BIGINT  NOT NULL DEFAULT 0,
    UNIQUE (endpoint_id, event_id)
);
CREATE INDEX webhook_deliveries_due ON webhook_deliveries (endpoint_id, next_at, id) WHERE state = 'waiting';
CREATE INDEX webhook_deliveries_events ON webhook_deliveries (event_id) WHERE state = 'waiting';
CREATE INDEX webhook_deliveries_list ON webhook_deliveries (endpoint_id, id);
CREATE INDEX webhook_deliveries_age ON webhook_deliveries (made_at);

-- +goose Down
DROP TABLE webhook_deliveries;
DROP TABLE webhook_endpoints;
