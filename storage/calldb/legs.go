package calldb

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/storage/calldb/internal/storeform"
)

// legsAtOnce is how many rows of jobs one look for legs passes over at most, so that it is
// short however many jobs there are.
const legsAtOnce = 2000

// LegsDue implements lifecycle.Ledger.
func (d *DB) LegsDue(ctx context.Context, q ledger.LegsDue) (ledger.LegsFound, error) {
	var found ledger.LegsFound
	err := d.view(ctx, "look for legs to delete", func(ctx context.Context, t *tx) error {
		found = ledger.LegsFound{Next: q.After + legsAtOnce}
		if !t.kinds {
			return needKinds(q.By)
		}
		queues, which := oneOf("j.queue", q.Queues)
		here := "j.seq > ? AND j.seq <= ? AND j.kind = 'record'" + queues
		args := append([]any{q.After, found.Next}, which...)
		if err := t.each(ctx, func(s scanner) error {
			var r jobRow
			err := r.scan(s)
			found.Jobs = append(found.Jobs, r.Job)
			return err
		}, "SELECT "+t.columns()+" FROM jobs AS j WHERE "+here+` AND j.state = 'done' AND j.finished_at <= @now - ? AND NOT EXISTS (
			SELECT 1 FROM jobs AS d WHERE d.tenant_id = j.tenant_id AND d.recording_id = ? || j.recording_id) ORDER BY j.seq`,
			append(slices.Clone(args), q.Keep.Microseconds(), storeform.Unique(q.By, ""))...); err != nil {
			return err
		}
		var open, newest, young int64
		if err := t.row(ctx, "SELECT count(*) FROM jobs AS j WHERE "+here+` AND (j.state IN ('queued', 'running') OR j.state = 'done' AND j.finished_at > @now - ?)`,
			append(slices.Clone(args), q.Keep.Microseconds())...).Scan(&open); err != nil {
			return err
		}
		if err := t.row(ctx, `SELECT COALESCE((SELECT max(seq) FROM jobs), 0), (SELECT count(*) FROM (
			SELECT 1 FROM jobs WHERE seq > ? AND seq <= ? AND created_at > @now - ? LIMIT 1) AS young)`,
			q.After, found.Next, q.Keep.Microseconds()).Scan(&newest, &young); err != nil {
			return err
		}
		found.Open, found.End = open > 0, young > 0 || newest <= found.Next
		return nil
	})
	if err != nil {
		return ledger.LegsFound{}, err
	}
	return found, nil
}

// needKinds refuses what a schema before kindsSchema can't keep.
func needKinds(kind string) error {
	return callmodel.Errorf(callmodel.CodeUnavailable, "calldb: jobs of the kind %q need version %d of the schema: run \"switchtape migrate up\"", kind, kindsSchema)
}

// NamedBy implements lifecycle.Ledger.
func (d *DB) NamedBy(ctx context.Context, uris []string) (callmodel.JobID, error) {
	var by callmodel.JobID
	err := d.view(ctx, "look who needs legs", func(ctx context.Context, t *tx) error {
		by = ""
		for some := range slices.Chunk(uris, legsNamed) {
			var has strings.Builder
			args := make([]any, 0, padded(len(some)))
			for i := range padded(len(some)) {
				// As it is in the JSON of a spec, so that what has a quote is found, too.
				text, err := json.Marshal(some[min(i, len(some)-1)])
				if err != nil {
					return err
				}
				if i > 0 {
					has.WriteString(" OR ")
				}
				has.WriteString("@find(spec, ?) > 0")
				args = append(args, string(text))
			}
			var seq int64
			var nonce string
			err := t.row(ctx, t.undone()+" SELECT seq, nonce FROM undone WHERE "+has.String()+" ORDER BY seq LIMIT 1", args...).Scan(&seq, &nonce)
			if errors.Is(err, sql.ErrNoRows) {
				continue
			}
			by = storeform.JobID(seq, nonce)
			return err
		}
		return nil
	})
	return by, err
}

// undone is a table expression of the recordings that aren't done: each state has an index
// of its own, which is found only by itself, and by a statement without a limit.
func (t *tx) undone() string {
	var parts []string
	for _, state := range []ledger.State{ledger.Queued, ledger.Running, ledger.Quarantined} {
		parts = append(parts, "SELECT seq, nonce, spec FROM jobs WHERE state = '"+string(state)+"'"+t.sinceKinds(" AND kind = 'record'"))
	}
	return "WITH undone AS MATERIALIZED (" + strings.Join(parts, " UNION ALL ") + ")"
}

// legsNamed bounds the names that one statement of NamedBy looks for.
const legsNamed = 32
