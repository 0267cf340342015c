package calldb

import (
	"context"
	"errors"
	"sync"
	"testing"

	"modernc.org/sqlite"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/storage/calldb/internal/storeform"
)

// Versions of the schema.
const (
	NewestSchema = newestSchema
	OldestSchema = oldestSchema
	FairSchema   = fairSchema
	FleetSchema  = fleetSchema
	TurnsSchema  = turnsSchema
	TermsSchema  = termsSchema
	// DirectorySchema is the first with users.
	DirectorySchema = directorySchema
	KeysSchema      = keysSchema
	// ReportsSchema is the first with reports.
	ReportsSchema = reportsSchema
	// IntakeSchema is the first with dead letters.
	IntakeSchema = intakeSchema
	// WebhooksSchema is the first with webhooks.
	WebhooksSchema = webhooksSchema
	// PromiseSchema is the first with promises.
	PromiseSchema = promiseSchema
	DefectsSchema = defectsSchema
	// KeepingSchema is the first with legal holds.
	KeepingSchema = keepingSchema
)

// MaxLookedAt bounds a page.
const MaxLookedAt = maxLookedAt

// MigrateTo applies the migrations up to version.
func (d *DB) MigrateTo(ctx context.Context, version int64) error {
	p, err := d.provider()
	if err != nil {
		return err
	}
	_, err = p.UpTo(ctx, version)
	return err
}

// Exec runs a statement as it is, for tests that look under the hood.
func (d *DB) Exec(ctx context.Context, stmt string) error {
	_, err := d.write.ExecContext(ctx, stmt)
	return err
}

// Rows is the first column of a query, as text.
func (d *DB) Rows(ctx context.Context, query string, args ...any) ([]string, error) {
	rows, err := d.write.QueryContext(ctx, query, args...)
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

// Query is one with its arguments.
type Query struct {
	Text string
	Args []any
}

// ClaimQueries are the queries of a claim from these kinds and queues: what there is,
// who is in line, and the jobs that are taken.
func (d *DB) ClaimQueries(ctx context.Context, kinds, queues []string, lane int, last callmodel.TenantID, tenants string, n int) (look, line, take Query, err error) {
	err = d.view(ctx, "look at the queries", func(ctx context.Context, t *tx) error {
		claim := &ledger.Claim{Kinds: kinds, Queues: queues}
		parts, err := t.parts(ctx, claim)
		if err != nil {
			return err
		}
		places := placesIn(parts)
		look.Text, look.Args = claimableQuery(claim, parts)
		line.Text, line.Args = lineQuery(&places, &storeform.Turn{Last: [2]callmodel.TenantID{last, last}}, n)
		take.Text, take.Args = takeQuery(places[lane], tenants, n, n)
		for _, q := range []*Query{&look, &line, &take} {
			q.Text = d.dialect.translate(q.Text)
		}
		return nil
	})
	return look, line, take, err
}

// EndedCalls is the query of n calls that wait to be counted for the reports.
func (d *DB) EndedCalls(n int) string { return d.dialect.translate(endedCalls(n)) }

// LinesAbout is the query for lines of the audit log about the subjects, and its arguments
// between the tenant and the last id.
func (d *DB) LinesAbout(subjects ...string) (query string, args []any) {
	where, args := aboutSubjects(true, subjects)
	return d.dialect.translate("SELECT id FROM audit WHERE tenant_id = ? AND " + where + " AND id > ? ORDER BY id LIMIT ?"), args
}

// Plan is how the database runs the query.
func (d *DB) Plan(ctx context.Context, query string, args ...any) (string, error) {
	if d.dialect.numbered {
		rows, err := d.write.QueryContext(ctx, "EXPLAIN (ANALYZE, BUFFERS) "+query, args...)
		if err != nil {
			return "", err
		}
		plan := ""
		err = eachRow(rows, func(s scanner) error {
			var line string
			err := s.Scan(&line)
			plan += line + "\n"
			return err
		})
		return plan, err
	}
	rows, err := d.write.QueryContext(ctx, "EXPLAIN QUERY PLAN "+query, args...)
	if err != nil {
		return "", err
	}
	plan := ""
	err = eachRow(rows, func(s scanner) error {
		var id, parent, unused int64
		var detail string
		if err := s.Scan(&id, &parent, &unused, &detail); err != nil {
			return err
		}
		plan += detail + "\n"
		return nil
	})
	return plan, err
}

// OnPlan has f told of every table that a statement reads of when SQLite plans it, on the
// connection that writes.
func (d *DB) OnPlan(ctx context.Context, f func(table string)) error {
	conn, err := d.write.Conn(ctx)
	if err != nil {
		return err
	}
	err = conn.Raw(func(driver any) error {
		return driver.(sqlite.AuthorizerRegisterer).RegisterAuthorizer(func(a sqlite.AuthorizerActionCode, table, _, _, _ string) sqlite.AuthorizerReturnCode {
			if a == sqlite.AuthRead {
				f(table)
			}
			return sqlite.AuthorizerOK
		})
	})
	return errors.Join(err, conn.Close())
}

// Lock takes a PostgreSQL table for itself until unlock is called, or the test ends.
func (d *DB) Lock(t *testing.T, table string) (unlock func()) {
	t.Helper()
	tx, err := d.write.BeginTx(context.WithoutCancel(t.Context()), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.ExecContext(t.Context(), "LOCK TABLE "+table+" IN ACCESS EXCLUSIVE MODE"); err != nil {
		t.Fatal(err)
	}
	unlock = sync.OnceFunc(func() {
		if err := tx.Commit(); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(unlock)
	return unlock
}

// WebhookSecrets are a webhook's secrets as they are in the database.
func (d *DB) WebhookSecrets(ctx context.Context, id string) (secret, old string, err error) {
	err = d.view(ctx, "look", func(ctx context.Context, t *tx) error {
		return t.row(ctx, "SELECT secret, old_secret FROM webhook_endpoints WHERE id = ?", id).Scan(&secret, &old)
	})
	return secret, old, err
}
