-- +goose Up
-- The text of a large rule set, compressed and in parts that are stored one by one, so
-- that calls go on between them. This migration expands.
ALTER TABLE rule_sets ADD COLUMN parts TEXT NOT NULL DEFAULT ''; -- '': the text is the body

CREATE TABLE rule_set_parts (
    parts     TEXT    NOT NULL,
    part      INTEGER NOT NULL,
    stored_at INTEGER NOT NULL,
    body      BLOB    NOT NULL,
    PRIMARY KEY (parts, part)
) STRICT;

-- +goose Down
DROP TABLE rule_set_parts;
ALTER TABLE rule_sets DROP COLUMN parts;
