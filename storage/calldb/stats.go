package calldb

import (
	"context"
	"encoding/json"
	"maps"
	"time"

	"github.com/switchtape/switchtape/callmodel/ledger"
)

const (
	// totalsChunk is how many rows are counted at once.
	totalsChunk = 20_000
	// totalsSettled is the age from which no transaction is left that could put a row
	// before another one of that age: transactions are bounded by Options.Timeout.
	totalsSettled = 10 * time.Minute
	// totalsEvery is how often the totals are brought forward, by whichever process.
	totalsEvery = 30 * time.Second
)

// Stats counts the jobs, for metrics. OldestQueued counts from when a job
// could run, not from when it was made: it is how long work has waited.
//
// What waits, runs or is set aside is counted by its index. How many jobs there are
// besides is kept up to a row that lies some time back, and counted behind it.
func (d *DB) Stats(ctx context.Context) (ledger.Stats, error) {
	var q ledger.Stats
	for first := true; ; first = false {
		var behind, later bool
		err := d.view(ctx, "count jobs", func(ctx context.Context, t *tx) (err error) {
			if !t.fleet {
				q, err = t.countAll(ctx)
				return err
			}
			k, err := t.totals(ctx, "")
			if err != nil {
				return err
			}
			later = k.at < k.now-totalsEvery.Microseconds()
			if behind, err = t.farBehind(ctx, &k); err != nil || behind && first {
				return err
			}
			q, err = t.count(ctx, &k)
			return err
		})
		switch {
		case err != nil:
			return ledger.Stats{}, err
		case behind && first:
			// Too much to count behind the row: at first the totals are brought
			// forward. What was done of it stays done if the time is over.
			if err := d.bringTotals(ctx); ctx.Err() != nil {
				return ledger.Stats{}, d.fail("count jobs", err)
			}
			continue
		case later && !behind:
			_, _ = d.stepTotals(ctx) // the next one does what this one can't
		}
		return q, nil
	}
}

// countAll counts every row.
func (t *tx) countAll(ctx context.Context) (ledger.Stats, error) {
	var q ledger.Stats
	err := t.each(ctx, func(s scanner) error {
		var kind string
		var state ledger.State
		var n int64
		if err := s.Scan(&kind, &state, &n); err != nil {
			return err
		}
		q.Add(kind, state, n)
		return nil
	}, "SELECT "+t.kindColumn()+" AS job_kind, state, count(*) FROM jobs GROUP BY job_kind, state")
	if err != nil {
		return q, err
	}
	var waited int64
	err = t.row(ctx, "SELECT COALESCE(max(@now - run_at), 0) FROM jobs WHERE state = 'queued' AND run_at <= @now").Scan(&waited)
	q.OldestQueued = time.Duration(max(waited, 0)) * time.Microsecond
	return q, err
}

// count counts by the totals, whose rows only go with their part of them, and by the indexes, in
// one statement: what it sees is of one moment.
func (t *tx) count(ctx context.Context, k *totals) (ledger.Stats, error) {
	var q ledger.Stats
	all, known := maps.Clone(k.counts), map[string]int64{}
	err := t.each(ctx, func(s scanner) error {
		var kind, what string
		var n, first, now int64
		if err := s.Scan(&kind, &what, &n, &first, &now); err != nil {
			return err
		}
		switch what {
		case "behind":
			all[kind] += n
			return nil
		case string(ledger.Queued):
			if first <= now {
				q.OldestQueued = max(q.OldestQueued, time.Duration(now-first)*time.Microsecond)
			}
		}
		known[kind] += n
		q.Add(kind, ledger.State(what), n)
		return nil
	}, `SELECT kind, 'behind', count(*), 0, @now FROM jobs WHERE seq > ? GROUP BY kind
		UNION ALL SELECT kind, 'queued', count(*), min(run_at), @now FROM jobs WHERE state = 'queued' GROUP BY kind
		UNION ALL SELECT kind, 'running', count(*), 0, @now FROM jobs WHERE state = 'running' GROUP BY kind
		UNION ALL SELECT kind, 'quarantined', count(*), 0, @now FROM jobs WHERE state = 'quarantined' GROUP BY kind`, k.through)
	for kind, n := range all {
		if done := n - known[kind]; done > 0 {
			q.Add(kind, ledger.Done, done)
		}
	}
	return q, err
}

// totals is the row of the table job_totals.
type totals struct {
	through, againThrough int64
	counts, again         map[string]int64
	at, now               int64
}

func (t *tx) totals(ctx context.Context, lock string) (totals, error) {
	var k totals
	var counts, again string
	err := t.row(ctx, "SELECT through, counts, again_through, again_counts, at, @now FROM job_totals WHERE id = 1"+lock).
		Scan(&k.through, &counts, &k.againThrough, &again, &k.at, &k.now)
	if err != nil {
		return k, err
	}
	if k.counts, err = parseCounts(counts); err == nil {
		k.again, err = parseCounts(again)
	}
	if err != nil { // somebody has damaged them: counted anew
		k.through, k.counts, k.againThrough, k.again = 0, map[string]int64{}, 0, map[string]int64{}
	}
	return k, nil
}

func parseCounts(text string) (map[string]int64, error) {
	counts := map[string]int64{}
	err := json.Unmarshal([]byte(text), &counts)
	return counts, err
}

// farBehind reports whether there are many rows behind the totals by which they can
// be brought forward: the last row of the next pieces is settled, so all before it are.
func (t *tx) farBehind(ctx context.Context, k *totals) (bool, error) {
	var made int64
	err := t.row(ctx, `SELECT COALESCE((SELECT created_at FROM jobs WHERE seq > ? ORDER BY seq LIMIT 1 OFFSET ?), @now)`,
		k.through, 2*totalsChunk).Scan(&made)
	return made < k.now-totalsSettled.Microseconds(), err
}

// bringTotals brings the totals forward as far as they can be.
func (d *DB) bringTotals(ctx context.Context) error {
	for {
		more, err := d.stepTotals(ctx)
		if err != nil || !more {
			return err
		}
	}
}

// stepTotals counts the next rows that are settled, and goes on with the second
// count. It reports whether there may be more to count.
func (d *DB) stepTotals(ctx context.Context) (more bool, err error) {
	err = d.update(ctx, "keep the count of the jobs", func(ctx context.Context, t *tx) error {
		k, err := t.totals(ctx, " @forupdate")
		if err != nil {
			return err
		}
		next, err := t.countPiece(ctx, k.through, 1<<62)
		if err != nil {
			return err
		}
		if more = next.rows > 0 && next.newest < k.now-totalsSettled.Microseconds(); more {
			next.addTo(k.counts)
			k.through = next.last
		}
		piece, err := t.countPiece(ctx, k.againThrough, k.through)
		if err != nil {
			return err
		}
		if piece.addTo(k.again); piece.rows < totalsChunk { // it has come to the end
			k.counts, k.again, k.againThrough = k.again, map[string]int64{}, 0
		} else {
			k.againThrough = piece.last
		}
		return t.putTotals(ctx, &k)
	})
	return more, err
}

// putTotals keeps the totals, whose row is locked.
func (t *tx) putTotals(ctx context.Context, k *totals) error {
	counts, err := json.Marshal(k.counts)
	if err != nil {
		return err
	}
	again, err := json.Marshal(k.again)
	if err != nil {
		return err
	}
	_, err = t.exec(ctx, "UPDATE job_totals SET through = ?, counts = ?, again_through = ?, again_counts = ?, at = @now WHERE id = 1",
		k.through, string(counts), k.againThrough, string(again))
	return err
}

// piece is what was counted of some rows.
type piece struct {
	counts             map[string]int64
	rows, last, newest int64 // last: the greatest seq; newest: when the last made of them was
}

func (p *piece) addTo(counts map[string]int64) {
	for kind, n := range p.counts {
		counts[kind] += n
	}
}

// countPiece counts the next rows behind after, up to the row through.
func (t *tx) countPiece(ctx context.Context, after, through int64) (piece, error) {
	p := piece{counts: map[string]int64{}}
	err := t.each(ctx, func(s scanner) error {
		var kind string
		var n, last, newest int64
		if err := s.Scan(&kind, &n, &last, &newest); err != nil {
			return err
		}
		p.counts[kind], p.rows = n, p.rows+n
		p.last, p.newest = max(p.last, last), max(p.newest, newest)
		return nil
	}, `SELECT kind, count(*), max(seq), max(created_at) FROM (
			SELECT kind, seq, created_at FROM jobs WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT ?) AS piece GROUP BY kind`,
		after, through, totalsChunk)
	return p, err
}
