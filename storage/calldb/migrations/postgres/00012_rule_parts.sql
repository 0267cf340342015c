-- +goose Up
-- The text of a large rule set, compressed and in parts that are stored one by one, so
-- that calls go on between them. This migration expands.
ALTER TABLE rule_sets ADD COLUMN parts TEXT NOT NULL DEFAULT ''; -- '': the text is the body

CREATE TABLE rule_set_parts (
    parts     TEXT   NOT NULL,
    part      BIGINT NOT NULL,
    stored_at BIGINT NOT NULL,
    body      BYTEA  NOT NULL,
    PRIMARY KEY (parts, part)
);
ALTER TABLE rule_set_parts ALTER COLUMN body SET STORAGE EXTERNAL; -- it is compressed

-- +goose Down
DROP TABLE rule_set_parts;
ALTER TABLE rule_sets DROP COLUMN parts;
