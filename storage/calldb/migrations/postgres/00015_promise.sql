-- +goose Up
-- The promise: what became of each call that was to be recorded, and when. This migration
-- expands: programs that know an earlier version go on beside it. Calls whose end they count
-- are not in it.
--
-- Calls of which it isn't known yet. A row goes when its call's recording is at its end.
CREATE TABLE promises (
    tenant_id TEXT COLLATE "C" NOT NULL,
    call_id   TEXT COLLATE "C" NOT NULL,
    hour      BIGINT NOT NULL, -- since 1970, in which the call ended
    server    TEXT COLLATE "C" NOT NULL,
    ended_at  BIGINT NOT NULL, -- microseconds since 1970 UTC, as url_at and look_at
    state     TEXT NOT NULL, -- waiting, explained, unexplained: as it is counted in promise_hours
    reason    TEXT COLLATE "C" NOT NULL,
    url_at    BIGINT NOT NULL DEFAULT 0, -- of its first recording
    look_at   BIGINT NOT NULL, -- when it is looked at next
    PRIMARY KEY (tenant_id, call_id)
);
CREATE INDEX promises_next ON promises (look_at);
CREATE INDEX promises_unexplained ON promises (ended_at) WHERE state = 'unexplained';
CREATE TABLE promise_hours (
    tenant_id    TEXT COLLATE "C" NOT NULL,
    hour         BIGINT NOT NULL, -- in which the calls ended
    server       TEXT COLLATE "C" NOT NULL,
    version      TEXT COLLATE "C" NOT NULL, -- of the software that made the recording
    reason       TEXT COLLATE "C" NOT NULL,
    waiting      BIGINT NOT NULL, -- within their time
    explained    BIGINT NOT NULL, -- late, and the reason says why
    unexplained  BIGINT NOT NULL, -- none of all the others
    recorded     BIGINT NOT NULL, -- their URL is there
    absent       BIGINT NOT NULL,
    quarantined  BIGINT NOT NULL,
    by_0         BIGINT NOT NULL, -- recorded within the times of reports.PromiseBounds
    by_1         BIGINT NOT NULL,
    by_2         BIGINT NOT NULL,
    by_3         BIGINT NOT NULL,
    by_4         BIGINT NOT NULL,
    by_5         BIGINT NOT NULL,
    by_6         BIGINT NOT NULL,
    by_7         BIGINT NOT NULL,
    by_8         BIGINT NOT NULL,
    whole        BIGINT NOT NULL, -- recorded without a defect, and the others by their defects
    missing_legs BIGINT NOT NULL,
    silence      BIGINT NOT NULL,
    gaps         BIGINT NOT NULL,
    drift        BIGINT NOT NULL,
    short        BIGINT NOT NULL,
    faults       BIGINT NOT NULL,
    after_us     BIGINT NOT NULL, -- microseconds from the ends to the URLs
    PRIMARY KEY (tenant_id, hour, server, version, reason)
);
CREATE INDEX promise_hours_hour ON promise_hours (hour);

-- +goose Down
DROP TABLE promise_hours;
DROP TABLE promises;
