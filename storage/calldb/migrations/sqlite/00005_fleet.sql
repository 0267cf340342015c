-- +goose Up
-- Who is there, and how many jobs. This migration expands: programs that know an
-- earlier version go on beside it. They don't say that they are there, so a queue of
-- which a job runs is served, whoever runs it; and what they enqueue is counted like
-- any other row.
CREATE TABLE fleet (
    role    TEXT NOT NULL, -- worker, api
    name    TEXT NOT NULL,
    queues  TEXT NOT NULL, -- that a worker serves, as a JSON list; '' for every queue
    kinds   TEXT NOT NULL, -- of job that it does, as a JSON list; '' for every kind
    since   INTEGER NOT NULL,
    seen_at INTEGER NOT NULL,
    PRIMARY KEY (role, name)
) STRICT;
-- How many jobs of each kind there are, up to a row that no transaction is left to
-- put another before: only what is behind it has to be counted. A second count goes
-- over all of them again, a piece at a time, and puts right what was wrong.
CREATE TABLE job_totals (
    id            INTEGER NOT NULL PRIMARY KEY, -- 1
    through       INTEGER NOT NULL, -- jobs.seq
    counts        TEXT NOT NULL, -- JSON: kind to number
    again_through INTEGER NOT NULL, -- how far the second count has come
    again_counts  TEXT NOT NULL,
    at            INTEGER NOT NULL
) STRICT;
INSERT INTO job_totals (id, through, counts, again_through, again_counts, at) VALUES (1, 0, '{}', 0, '{}', 0);

-- +goose Down
DROP TABLE job_totals;
DROP TABLE fleet;
