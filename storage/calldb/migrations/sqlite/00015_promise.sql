-- +goose Up
-- The promise: what became of each call that was to be recorded, and when. This migration
-- expands: programs that know an earlier version go on beside it. Calls whose end they count
-- are not in it.
--
-- Calls of which it isn't known yet. A row goes when its call's recording is at its end.
CREATE TABLE promises (
    tenant_id TEXT NOT NULL,
    call_id   TEXT NOT NULL,
    hour      INTEGER NOT NULL, -- since 1970, in which the call ended
    server    TEXT NOT NULL,
    ended_at  INTEGER NOT NULL, -- microseconds since 1970 UTC, as url_at and look_at
    state     TEXT NOT NULL, -- waiting, explained, unexplained: as it is counted in promise_hours
    reason    TEXT NOT NULL,
    url_at    INTEGER NOT NULL DEFAULT 0, -- of its first recording
    look_at   INTEGER NOT NULL, -- when it is looked at next
    PRIMARY KEY (tenant_id, call_id)
) STRICT;
CREATE INDEX promises_next ON promises (look_at);
CREATE INDEX promises_unexplained ON promises (ended_at) WHERE state = 'unexplained';
CREATE TABLE promise_hours (
    tenant_id    TEXT NOT NULL,
    hour         INTEGER NOT NULL, -- in which the calls ended
    server       TEXT NOT NULL,
    version      TEXT NOT NULL, -- of the software that made the recording
    reason       TEXT NOT NULL,
    waiting      INTEGER NOT NULL, -- within their time
    explained    INTEGER NOT NULL, -- late, and the reason says why
    unexplained  INTEGER NOT NULL, -- none of all the others
    recorded     INTEGER NOT NULL, -- their URL is there
    absent       INTEGER NOT NULL,
    quarantined  INTEGER NOT NULL,
    by_0         INTEGER NOT NULL, -- recorded within the times of reports.PromiseBounds
    by_1         INTEGER NOT NULL,
    by_2         INTEGER NOT NULL,
    by_3         INTEGER NOT NULL,
    by_4         INTEGER NOT NULL,
    by_5         INTEGER NOT NULL,
    by_6         INTEGER NOT NULL,
    by_7         INTEGER NOT NULL,
    by_8         INTEGER NOT NULL,
    whole        INTEGER NOT NULL, -- recorded without a defect, and the others by their defects
    missing_legs INTEGER NOT NULL,
    silence      INTEGER NOT NULL,
    gaps         INTEGER NOT NULL,
    drift        INTEGER NOT NULL,
    short        INTEGER NOT NULL,
    faults       INTEGER NOT NULL,
    after_us     INTEGER NOT NULL, -- microseconds from the ends to the URLs
    PRIMARY KEY (tenant_id, hour, server, version, reason)
) STRICT;
CREATE INDEX promise_hours_hour ON promise_hours (hour);

-- +goose Down
DROP TABLE promise_hours;
DROP TABLE promises;
