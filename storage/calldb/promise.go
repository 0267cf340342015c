package calldb

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/callmodel/reports"
	"github.com/switchtape/switchtape/storage/calldb/internal/storeform"
)

const (
	// promisesAtOnce is how many promises are looked at in one transaction.
	promisesAtOnce = 100
	// lookFirst and lookLast bound the pauses between two looks at a promise, which are a
	// share of its age: what waits for long costs little.
	lookFirst = 2 * time.Second
	lookLast  = 5 * time.Minute
	lookShare = 8
)

// promiseColumns are those of promise_hours that reports.Promise.Counters counts.
func promiseColumns() []string {
	list := []string{"waiting", "explained", "unexplained", "recorded", "absent", "quarantined"}
	for i := range reports.PromiseBounds() {
		list = append(list, fmt.Sprintf("by_%d", i))
	}
	return append(list, "whole", "missing_legs", "silence", "gaps", "drift", "short", "faults")
}

// promiseSums are changes to promise_hours.
type promiseSums map[reports.PromiseKey]*reports.Promise

func (p promiseSums) add(k reports.PromiseKey, one *reports.Promise, n int64) {
	if p[k] == nil {
		p[k] = &reports.Promise{}
	}
	p[k].Add(one, n)
}

// promised notes the promises of calls that have ended.
func (t *tx) promised(ctx context.Context, due []calls.Call) error {
	if !t.promise {
		return nil
	}
	sums := promiseSums{}
	for i := range due {
		c := &due[i]
		k, _ := reports.Promised(c)
		n, err := t.exec(ctx, `INSERT INTO promises (tenant_id, call_id, hour, server, ended_at, state, reason, look_at) VALUES (?, ?, ?, ?, ?, 'waiting', '', @now)
			ON CONFLICT (tenant_id, call_id) DO NOTHING`, string(c.TenantID), string(c.ID), k.Hour, value(k.Server), storeform.Micros(c.EndedAt))
		if err != nil {
			return err
		}
		if n > 0 {
			k.Server = value(k.Server)
			sums.add(k, &reports.Promise{Waiting: 1}, 1)
		}
	}
	return t.putPromises(ctx, sums)
}

// openPromise is a row of the table promises.
type openPromise struct {
	key        reports.PromiseKey
	call       callmodel.CallID
	ended, url int64
	state      string
	now        int64
}

// as is what the promise is counted as.
func (o *openPromise) as() *reports.Promise {
	switch o.state {
	case "waiting":
		return &reports.Promise{Waiting: 1}
	case "explained":
		return &reports.Promise{Explained: 1}
	}
	return &reports.Promise{Unexplained: 1}
}

// lookAtPromises looks what has become of promises whose time has come. It returns how many.
func (t *tx) lookAtPromises(ctx context.Context, unread *[]error) (int, error) {
	if !t.promise {
		return 0, nil
	}
	var open []openPromise
	err := t.each(ctx, func(s scanner) error {
		var o openPromise
		err := s.Scan(&o.key.TenantID, &o.call, &o.key.Hour, &o.key.Server, &o.ended, &o.state, &o.key.Reason, &o.url, &o.now)
		open = append(open, o)
		return err
	}, "SELECT tenant_id, call_id, hour, server, ended_at, state, reason, url_at, @now FROM promises WHERE look_at <= @now ORDER BY look_at LIMIT ? @skiplocked", promisesAtOnce)
	if err != nil {
		return 0, err
	}
	sums, defects := promiseSums{}, defectSums{}
	for i := range open {
		if err := t.lookAtPromise(ctx, &open[i], sums, defects, unread); err != nil {
			return 0, err
		}
	}
	if err := t.putPromises(ctx, sums); err != nil {
		return 0, err
	}
	return len(open), t.putDefects(ctx, defects)
}

func (t *tx) lookAtPromise(ctx context.Context, o *openPromise, sums promiseSums, defects defectSums, unread *[]error) error {
	jobs, err := t.promiseJobs(ctx, o)
	if err != nil {
		return err
	}
	made, err := t.promiseMade(ctx, o, unread)
	if err != nil {
		return err
	}
	ago, after := time.Duration(max(o.now-o.ended, 0))*time.Microsecond, -time.Microsecond
	if o.url != 0 {
		after = time.Duration(max(o.url-o.ended, 0)) * time.Microsecond
	}
	s := reports.PromiseOf(ago, after, jobs, made)
	to := o.key
	to.Version, to.Reason = value(s.Version), value(s.Reason)
	sums.add(o.key, o.as(), -1)
	sums.add(to, &s.Sums, 1)
	if s.Settled {
		defects.add(&o.key, &s)
		_, err = t.exec(ctx, "DELETE FROM promises WHERE tenant_id = ? AND call_id = ?", string(o.key.TenantID), string(o.call))
		return err
	}
	state := "unexplained"
	switch {
	case s.Sums.Waiting > 0:
		state = "waiting"
	case s.Sums.Explained > 0:
		state = "explained"
	}
	wait := min(max(ago/lookShare, lookFirst), lookLast)
	_, err = t.exec(ctx, "UPDATE promises SET state = ?, reason = ?, url_at = ?, look_at = @now + ? WHERE tenant_id = ? AND call_id = ?",
		state, to.Reason, o.url, wait.Microseconds(), string(o.key.TenantID), string(o.call))
	return err
}

// promiseJobs are the jobs that record the promise's call.
func (t *tx) promiseJobs(ctx context.Context, o *openPromise) (jobs []reports.PromiseJob, err error) {
	err = t.each(ctx, func(s scanner) error {
		var j reports.PromiseJob
		var until int64
		if err := s.Scan(&j.State, &j.Reason, &until); err != nil {
			return err
		}
		j.Leased = j.State == "running" && until > o.now
		jobs = append(jobs, j)
		return nil
	}, "SELECT state, reason, lease_until FROM jobs WHERE tenant_id = ? AND call_id = ? AND kind = 'record'", string(o.key.TenantID), string(o.call))
	return jobs, err
}

// promiseMade are the recordings of the promise's call. When its first one was there is
// noted.
func (t *tx) promiseMade(ctx context.Context, o *openPromise, unread *[]error) (made []record.CallEntry, err error) {
	err = t.each(ctx, func(s scanner) error {
		var id, doc string
		var finished int64
		if err := s.Scan(&id, &doc, &finished); err != nil {
			return err
		}
		if strings.Contains(id, "/") { // of a job of another kind
			return nil
		}
		var e record.CallEntry
		if err := json.Unmarshal([]byte(doc), &e); err != nil {
			*unread = append(*unread, fmt.Errorf("recording %s of call %s: %w", id, o.call, err))
			return nil
		}
		if e.URL != "" && (o.url == 0 || finished < o.url) {
			o.url = finished
		}
		made = append(made, e)
		return nil
	}, "SELECT recording_id, doc, finished_at FROM call_recordings WHERE tenant_id = ? AND call_id = ?", string(o.key.TenantID), string(o.call))
	return made, err
}

// putPromises adds the changes to promise_hours.
func (t *tx) putPromises(ctx context.Context, sums promiseSums) error {
	columns := append(promiseColumns(), "after_us")
	set := make([]string, len(columns))
	for i, c := range columns {
		set[i] = c + " = h." + c + " + excluded." + c
	}
	stmt := "INSERT INTO promise_hours AS h (tenant_id, hour, server, version, reason, " + strings.Join(columns, ", ") + ") VALUES (?, ?, ?, ?, ?" +
		strings.Repeat(", ?", len(columns)) + ") ON CONFLICT (tenant_id, hour, server, version, reason) DO UPDATE SET " + strings.Join(set, ", ")
	for _, k := range inOrder(sums, comparePromises) {
		one := sums[k]
		if *one == (reports.Promise{}) { // as it was
			continue
		}
		args := []any{string(k.TenantID), k.Hour, k.Server, k.Version, k.Reason}
		for _, n := range one.Counters() {
			args = append(args, *n)
		}
		if _, err := t.exec(ctx, stmt, append(args, one.After.Microseconds())...); err != nil {
			return err
		}
	}
	return nil
}

func comparePromises(a, b reports.PromiseKey) int {
	return cmp.Or(cmp.Compare(a.TenantID, b.TenantID), cmp.Compare(a.Hour, b.Hour), cmp.Compare(a.Server, b.Server),
		cmp.Compare(a.Version, b.Version), cmp.Compare(a.Reason, b.Reason))
}

// ReportPromise implements reporthttp.Store.
func (d *DB) ReportPromise(ctx context.Context, q *reports.Query) (reports.Report[reports.Promise], error) {
	columns := promiseColumns()
	sums := append([]string{"waiting + explained + unexplained + recorded + absent + quarantined", "after_us"}, columns...)
	if err := d.needsPromise(ctx); err != nil {
		return reports.Report[reports.Promise]{}, err
	}
	return report(ctx, d, q, reports.PromiseDimensions(), "promise_hours", sums, "SELECT 1 FROM uncounted_calls", func(p *reports.Promise) ([]any, func()) {
		var after int64
		into := []any{&p.Calls, &after}
		for _, n := range p.Counters() {
			into = append(into, n)
		}
		return into, func() { p.After = time.Duration(after) * time.Microsecond }
	})
}

// needsPromise refuses a schema without promises.
func (d *DB) needsPromise(ctx context.Context) error {
	return d.view(ctx, "report", func(_ context.Context, t *tx) error {
		if !t.promise {
			return callmodel.Errorf(callmodel.CodeUnavailable, "calldb: reports on the promise need the schema's version %d: run \"switchtape migrate up\"", promiseSchema)
		}
		return nil
	})
}

// UnexplainedMost is up to where unexplained calls are counted.
const UnexplainedMost = 10_000

// Unexplained is how many calls are unexplained now, of all tenants, up to UnexplainedMost:
// they are neither recorded, nor waited for within their time, nor is it named why.
func (d *DB) Unexplained(ctx context.Context) (n int64, err error) {
	err = d.view(ctx, "count unexplained calls", func(ctx context.Context, t *tx) error {
		if !t.promise {
			return nil
		}
		return t.row(ctx, "SELECT count(*) FROM (SELECT 1 FROM promises WHERE state = 'unexplained' LIMIT ?) AS open", UnexplainedMost).Scan(&n)
	})
	return n, err
}
