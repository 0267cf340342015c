package calldb

import "context"

// Exec runs a statement as it is, for tests that look under the hood.
func (d *DB) Exec(ctx context.Context, stmt string) error {
	_, err := d.write.ExecContext(ctx, stmt)
	return err
}

// Rows is the first column of a query, as text.
func (d *DB) Rows(ctx context.Context, query string) ([]string, error) {
	rows, err := d.write.QueryContext(ctx, query)
	if err != nil {
		return nil, err
	}
	var all []string
	err = eachRow(rows, func(s scanner) error {
		var text string
		if err := s.Scan(&text); err != nil {
			return err
		}
		all = append(all, text)
		return nil
	})
	return all, err
}

// Kind is the database's kind: "SQLite" or "PostgreSQL".
func (d *DB) Kind() string { return d.dialect.name }
