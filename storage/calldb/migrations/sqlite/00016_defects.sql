-- +goose Up
-- The defects: of the recordings of calls, those with each known fault, by the telephone
-- server and what its software is. This migration expands: programs that know an earlier
-- version go on beside it. Recordings that they count are not in it.
CREATE TABLE defect_hours (
    tenant_id  TEXT NOT NULL,
    hour       INTEGER NOT NULL, -- since 1970, in which the calls ended
    server     TEXT NOT NULL,
    software   TEXT NOT NULL, -- the telephone server's, name and version
    defect     TEXT NOT NULL, -- '' of recordings that have none
    recordings INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, hour, server, software, defect)
) STRICT;
CREATE INDEX defect_hours_hour ON defect_hours (hour);

-- +goose Down
DROP TABLE defect_hours;
