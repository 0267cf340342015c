package calldb

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/callmodel/reports"
	"github.com/switchtape/switchtape/storage/calldb/internal/storeform"
)

// countAtOnce is how many calls, and how many recordings, are counted in one transaction.
const countAtOnce = 500

// CountReports counts calls that have come to their end, and recordings that have
// changed, for the reports: up to 500 of each, each once, whoever else does the same at
// the time; and it looks at up to 100 promises of which isn't known yet what becomes of them. It reports whether there may be more, as it does with an error about some
// whose documents can't be read: they are in no report.
func (d *DB) CountReports(ctx context.Context) (more bool, err error) {
	var unread []error
	err = d.update(ctx, "count for the reports", func(ctx context.Context, t *tx) error {
		more, unread = false, nil
		if !t.reports {
			return nil
		}
		ended, err := t.countCalls(ctx, &unread)
		if err != nil {
			return err
		}
		made, err := t.countRecordings(ctx, &unread)
		if err != nil {
			return err
		}
		looked, err := t.lookAtPromises(ctx, &unread)
		more = ended == countAtOnce || made == countAtOnce || looked == promisesAtOnce
		return err
	})
	return more, errors.Join(append(unread, err)...)
}

// countCalls counts calls, and returns how many.
func (t *tx) countCalls(ctx context.Context, unread *[]error) (int, error) {
	var lines []any
	err := t.each(ctx, func(s scanner) error {
		var seq int64
		err := s.Scan(&seq)
		lines = append(lines, seq)
		return err
	}, "SELECT seq FROM uncounted_calls ORDER BY seq LIMIT ? @skiplocked", countAtOnce)
	if err != nil || len(lines) == 0 {
		return 0, err
	}
	n := len(lines)
	for len(lines) < padded(n) {
		lines = append(lines, lines[n-1])
	}
	sums := map[reports.CallKey]*reports.Calls{}
	var due []calls.Call
	err = t.each(ctx, func(s scanner) error {
		var doc, id string
		if err := s.Scan(&id, &doc); err != nil {
			return err
		}
		var c calls.Call
		if err := json.Unmarshal([]byte(doc), &c); err != nil {
			*unread = append(*unread, fmt.Errorf("the document of call %s: %w", id, err))
			return nil
		}
		if _, is := reports.Promised(&c); is {
			due = append(due, c)
		}
		k, one := reports.OfCall(&c)
		if sums[k] == nil {
			sums[k] = &reports.Calls{}
		}
		sums[k].Add(&one)
		return nil
	}, endedCalls(n), lines...)
	if err != nil {
		return 0, err
	}
	for _, k := range inOrder(sums, compareCalls) {
		c := sums[k]
		if _, err := t.exec(ctx, `INSERT INTO call_hours AS h (tenant_id, hour, trunk, destination, direction, type, cause,
				calls, answered, abandoned, failed, rejected, rang, talk, post_dial) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
			ON CONFLICT (tenant_id, hour, trunk, destination, direction, type, cause) DO UPDATE SET
				calls = h.calls + excluded.calls, answered = h.answered + excluded.answered, abandoned = h.abandoned + excluded.abandoned,
				failed = h.failed + excluded.failed, rejected = h.rejected + excluded.rejected, rang = h.rang + excluded.rang,
				talk = h.talk + excluded.talk, post_dial = h.post_dial + excluded.post_dial`,
			string(k.TenantID), k.Hour, value(k.Trunk), value(k.Destination), value(k.Direction), value(k.Type), value(k.Cause),
			c.Calls, c.Answered, c.Abandoned, c.Failed, c.Rejected, c.Rang, c.Talk.Microseconds(), c.PostDial.Microseconds()); err != nil {
			return 0, err
		}
	}
	if err := t.promised(ctx, due); err != nil {
		return 0, err
	}
	_, err = t.exec(ctx, "DELETE FROM uncounted_calls WHERE seq IN ("+marks(n)+")", lines...)
	return n, err
}

// endedCalls is the query of n calls that wait to be counted. The ids are compared as
// those of calls are sorted, which is so by itself: else each query reads all calls.
func endedCalls(n int) string {
	return "SELECT c.id, c.doc FROM uncounted_calls AS u JOIN calls AS c ON c.tenant_id = u.tenant_id AND c.id = u.call_id WHERE u.seq IN (" + marks(n) + ")"
}

// value is a value as its column holds it.
func value(s string) string { return storeform.Text(s, reports.MaxValueLen) }

// counted is what a recording was counted as, as its row holds it.
type counted struct {
	Hour           int64
	Status, Reason string
	Micros, Bytes  int64
}

// countRecordings counts recordings, and returns how many. One that was counted as
// something else is taken away there.
func (t *tx) countRecordings(ctx context.Context, unread *[]error) (int, error) {
	type place struct{ tenant, call, recording string }
	var places []place
	var now []string
	sums := map[reports.RecordingKey]*reports.Recordings{}
	add := func(tenant string, c *counted, n int64) {
		k := reports.RecordingKey{TenantID: callmodel.TenantID(tenant), Hour: c.Hour, Status: c.Status, Reason: c.Reason}
		if sums[k] == nil {
			sums[k] = &reports.Recordings{}
		}
		sums[k].Add(&reports.Recordings{Recordings: 1, Duration: time.Duration(c.Micros) * time.Microsecond, Bytes: c.Bytes}, n)
	}
	err := t.each(ctx, func(s scanner) error {
		var p place
		var doc, was string
		if err := s.Scan(&p.tenant, &p.call, &p.recording, &doc, &was); err != nil {
			return err
		}
		var before counted
		if was != "" && json.Unmarshal([]byte(was), &before) == nil {
			add(p.tenant, &before, -1)
		}
		var r record.CallEntry
		as := ""
		if err := json.Unmarshal([]byte(doc), &r); err != nil {
			*unread = append(*unread, fmt.Errorf("recording %s of call %s: %w", p.recording, p.call, err))
		} else {
			k, one := reports.OfRecording(callmodel.TenantID(p.tenant), &r)
			c := counted{Hour: k.Hour, Status: value(k.Status), Reason: value(k.Reason), Micros: one.Duration.Microseconds(), Bytes: one.Bytes}
			add(p.tenant, &c, 1)
			text, err := json.Marshal(c)
			if err != nil {
				return err
			}
			as = string(text)
		}
		places, now = append(places, p), append(now, as)
		return nil
	}, "SELECT tenant_id, call_id, recording_id, doc, counted FROM call_recordings WHERE uncounted = 1 ORDER BY tenant_id, call_id, recording_id LIMIT ? @skiplocked", countAtOnce)
	if err != nil {
		return 0, err
	}
	for i, p := range places {
		if _, err := t.exec(ctx, "UPDATE call_recordings SET counted = ?, uncounted = 0 WHERE tenant_id = ? AND call_id = ? AND recording_id = ?",
			now[i], p.tenant, p.call, p.recording); err != nil {
			return 0, err
		}
	}
	for _, k := range inOrder(sums, compareRecordings) {
		r := sums[k]
		if _, err := t.exec(ctx, `INSERT INTO recording_hours AS h (tenant_id, hour, status, reason, recordings, duration, bytes) VALUES (?, ?, ?, ?, ?, ?, ?)
			ON CONFLICT (tenant_id, hour, status, reason) DO UPDATE SET
				recordings = h.recordings + excluded.recordings, duration = h.duration + excluded.duration, bytes = h.bytes + excluded.bytes`,
			string(k.TenantID), k.Hour, k.Status, k.Reason, r.Recordings, r.Duration.Microseconds(), r.Bytes); err != nil {
			return 0, err
		}
	}
	return len(places), nil
}

// inOrder is the keys in an order that is the same for everybody, so that two who count
// don't wait for each other in a circle.
func inOrder[K comparable, V any](sums map[K]V, compare func(a, b K) int) []K {
	keys := make([]K, 0, len(sums))
	for k := range sums {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, compare)
	return keys
}

func compareCalls(a, b reports.CallKey) int {
	return cmp.Or(cmp.Compare(a.TenantID, b.TenantID), cmp.Compare(a.Hour, b.Hour), cmp.Compare(a.Trunk, b.Trunk),
		cmp.Compare(a.Destination, b.Destination), cmp.Compare(a.Direction, b.Direction), cmp.Compare(a.Type, b.Type), cmp.Compare(a.Cause, b.Cause))
}

func compareRecordings(a, b reports.RecordingKey) int {
	return cmp.Or(cmp.Compare(a.TenantID, b.TenantID), cmp.Compare(a.Hour, b.Hour), cmp.Compare(a.Status, b.Status), cmp.Compare(a.Reason, b.Reason))
}

// ReportCalls implements reporthttp.Store.
func (d *DB) ReportCalls(ctx context.Context, q *reports.Query) (reports.Report[reports.Calls], error) {
	sums := []string{"calls", "answered", "abandoned", "failed", "rejected", "rang", "talk", "post_dial"}
	return report(ctx, d, q, reports.CallDimensions(), "call_hours", sums, "SELECT 1 FROM uncounted_calls", func(c *reports.Calls) ([]any, func()) {
		var talk, postDial int64
		return []any{&c.Calls, &c.Answered, &c.Abandoned, &c.Failed, &c.Rejected, &c.Rang, &talk, &postDial}, func() {
			c.Talk, c.PostDial = time.Duration(talk)*time.Microsecond, time.Duration(postDial)*time.Microsecond
		}
	})
}

// ReportRecordings implements reporthttp.Store.
func (d *DB) ReportRecordings(ctx context.Context, q *reports.Query) (reports.Report[reports.Recordings], error) {
	of := func(status record.Status) string {
		return "CASE WHEN status = '" + string(status) + "' THEN recordings ELSE 0 END"
	}
	sums := []string{
		"recordings", "duration", "bytes", of(record.StatusCompleted), of(record.StatusCompletedDegraded),
		of(record.StatusAbsent), of(record.StatusQuarantined),
	}
	return report(ctx, d, q, reports.RecordingDimensions(), "recording_hours", sums, "SELECT 1 FROM call_recordings WHERE uncounted = 1",
		func(r *reports.Recordings) ([]any, func()) {
			var duration int64
			return []any{&r.Recordings, &duration, &r.Bytes, &r.Completed, &r.Degraded, &r.Absent, &r.Quarantined}, func() {
				r.Duration = time.Duration(duration) * time.Microsecond
			}
		})
}

// report sums the rows of a table of hours. into gives where to put the sums, and what
// to do when they are there.
func report[S any](ctx context.Context, d *DB, q *reports.Query, dimensions []reports.Dimension, table string, sums []string, waiting string,
	into func(s *S) ([]any, func()),
) (reports.Report[S], error) {
	if err := q.Validate(dimensions); err != nil {
		return reports.Report[S]{}, err
	}
	var r reports.Report[S]
	err := d.list(ctx, "report", func(ctx context.Context, t *tx) error {
		r = reports.Report[S]{Rows: []reports.Row[S]{}}
		if !t.reports {
			return callmodel.Errorf(callmodel.CodeUnavailable, "calldb: reports need the schema's version %d: run \"switchtape migrate up\"", reportsSchema)
		}
		query, args := hoursQuery(q, dimensions, table, sums)
		err := t.each(ctx, func(s scanner) error {
			var row reports.Row[S]
			to, done := into(&row.Sums)
			values := make([]any, 0, len(q.By)+len(to))
			hours, texts := make([]int64, len(q.By)), make([]string, len(q.By))
			for i, by := range q.By {
				if by == reports.Hour || by == reports.Day {
					values = append(values, &hours[i])
				} else {
					values = append(values, &texts[i])
				}
			}
			if err := s.Scan(append(values, to...)...); err != nil {
				return err
			}
			done()
			for i, by := range q.By {
				if by == reports.Hour {
					texts[i] = reports.At(by, hours[i])
				}
				if by == reports.Day {
					texts[i] = reports.At(by, hours[i]*24)
				}
			}
			row.Of = texts
			r.Rows = append(r.Rows, row)
			return nil
		}, query, args...)
		if err != nil {
			return err
		}
		if len(r.Rows) > reports.MaxRows {
			return callmodel.FieldErrors{{Path: "by", Message: fmt.Sprintf("makes more than %d rows; give fewer dimensions or less time", reports.MaxRows)}}
		}
		return t.row(ctx, "SELECT count(*) FROM ("+waiting+" LIMIT ?) AS waiting", reports.MaxWaiting).Scan(&r.Waiting)
	})
	if err != nil {
		if faults, ok := errors.AsType[callmodel.FieldErrors](err); ok {
			err = faults
		}
		return reports.Report[S]{}, err
	}
	return r, nil
}

// hoursQuery is the statement of report. Names of columns are those of dimensions, which
// the query was held against.
func hoursQuery(q *reports.Query, dimensions []reports.Dimension, table string, sums []string) (string, []any) {
	from, to := q.Hours()
	where, args := "hour >= ? AND hour < ?", []any{from, to}
	if q.TenantID != "" {
		where, args = "tenant_id = ? AND "+where, append([]any{storeform.Text(string(q.TenantID), storeform.MaxKey)}, args...)
	}
	for _, by := range dimensions {
		if v, ok := q.Where[by]; ok {
			where, args = where+" AND "+string(by)+" = ?", append(args, value(v))
		}
	}
	columns := make([]string, 0, len(q.By))
	for _, by := range q.By {
		switch by {
		case reports.Tenant:
			columns = append(columns, "tenant_id")
		case reports.Day:
			columns = append(columns, "hour / 24")
		default:
			columns = append(columns, string(by))
		}
	}
	all := strings.Join(columns, ", ")
	for _, sum := range sums {
		columns = append(columns, "CAST(sum("+sum+") AS BIGINT)")
	}
	query := "SELECT " + strings.Join(columns, ", ") + " FROM " + table + " WHERE " + where
	some := " HAVING sum(" + sums[0] + ") > 0" // what was taken away leaves nothing
	if all == "" {
		return query + some, args
	}
	return query + " GROUP BY " + all + some + " ORDER BY " + all + " LIMIT ?", append(args, reports.MaxRows+1)
}
