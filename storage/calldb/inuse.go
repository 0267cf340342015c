package calldb

import (
	"context"
	"fmt"
	"time"
)

// InUse is by whom the database is used, a line each, for those who are about to change
// it under them: the processes that say that they are there, and on PostgreSQL the
// connections of others of our programs. d's own count, too, but for the one that asks:
// open it with Options.MaxConns 1.
func (d *DB) InUse(ctx context.Context) ([]string, error) {
	there, err := d.Fleet(ctx)
	if err != nil {
		return nil, err
	}
	at, err := d.Now(ctx)
	if err != nil {
		return nil, err
	}
	users := make([]string, 0, len(there))
	for i := range there {
		p := &there[i]
		users = append(users, fmt.Sprintf("%s %s, seen %v ago", p.Role, p.Name, max(at.Sub(p.Seen), 0).Round(time.Second)))
	}
	if !d.dialect.numbered {
		return users, nil
	}
	err = d.view(ctx, "list the connections", func(ctx context.Context, t *tx) error {
		users = users[:len(there)]
		return t.each(ctx, func(s scanner) error {
			var n int64
			var name, from string
			if err := s.Scan(&name, &from, &n); err != nil {
				return err
			}
			users = append(users, fmt.Sprintf("connections of %s from %s: %d", name, from, n))
			return nil
		}, `SELECT application_name, COALESCE(client_addr::text, 'this machine'), count(*) FROM pg_stat_activity
			WHERE datname = current_database() AND pid <> pg_backend_pid() AND application_name LIKE '`+applicationName+`%'
			GROUP BY 1, 2 ORDER BY 1, 2`)
	})
	return users, err
}
