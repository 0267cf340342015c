package calldb

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/storage/calldb/internal/storeform"
)

// linkedAtOnce is how many rows are compared in one transaction, at most.
const linkedAtOnce = 500

// Linked implements reconcile.Ledger: jobs behind one, "" for the first, in the
// order in which they were enqueued, at most limit, with what is beside them.
func (d *DB) Linked(ctx context.Context, after callmodel.JobID, limit int) ([]ledger.Linked, error) {
	from, err := storeform.AfterJob(after)
	if err != nil {
		return nil, err
	}
	var page []ledger.Linked
	err = d.view(ctx, "compare jobs with what is beside them", func(ctx context.Context, t *tx) error {
		page, err = t.linked(ctx, "seq > ? ORDER BY seq LIMIT ?", from, min(max(limit, 1), linkedAtOnce))
		return err
	})
	return page, err
}

// LinkedJob implements reconcile.Ledger. CodeNotFound if there is no such job.
func (d *DB) LinkedJob(ctx context.Context, id callmodel.JobID) (l ledger.Linked, err error) {
	err = d.view(ctx, "compare a job with what is beside it", func(ctx context.Context, t *tx) error {
		seq, nonce, ok := storeform.ParseJobID(id)
		if !ok {
			return callmodel.ErrNotFound
		}
		list, err := t.linked(ctx, "seq = ? AND nonce = ?", seq, nonce)
		if err == nil && len(list) == 0 {
			err = callmodel.ErrNotFound
		}
		if err == nil {
			l = list[0]
		}
		return err
	})
	return l, err
}

// LinkedOf implements reconcile.Ledger: the job of the recording, and those of any kind that
// are about the call.
func (d *DB) LinkedOf(ctx context.Context, tenant callmodel.TenantID, call callmodel.CallID, id callmodel.RecordingID) ([]ledger.Linked, error) {
	var list []ledger.Linked
	err := d.view(ctx, "compare a recording with what is beside it", func(ctx context.Context, t *tx) error {
		own := storeform.Unique(record.Kind, string(id))
		one, err := t.linked(ctx, "tenant_id = ? AND recording_id = ?", string(tenant), own)
		if err != nil {
			return err
		}
		others, err := t.linked(ctx, "tenant_id = ? AND "+t.jobsCall("jobs")+" = ? AND recording_id <> ? LIMIT ?", string(tenant), string(call), own, linkedAtOnce)
		list = slices.Concat(one, others)
		return err
	})
	return list, err
}

// linked are the jobs for which the condition holds.
func (t *tx) linked(ctx context.Context, which string, args ...any) ([]ledger.Linked, error) {
	var rows []jobRow
	err := t.each(ctx, func(s scanner) error {
		var r jobRow
		if err := r.scan(s); err != nil {
			return err
		}
		rows = append(rows, r)
		return nil
	}, "SELECT "+t.columns()+" FROM jobs WHERE "+which, args...)
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	kept, err := t.outboxKept(ctx)
	if err != nil {
		return nil, err
	}
	return t.link(ctx, rows, kept)
}

// outboxKept is from when on the outbox has its events, in microseconds since 1970: 0 if
// it has them all, and -1 if it has none, of which can't be told that they were forgotten.
func (t *tx) outboxKept(ctx context.Context) (int64, error) {
	var id, at int64
	err := t.row(ctx, "SELECT id, at FROM outbox ORDER BY id LIMIT 1").Scan(&id, &at)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return -1, nil
	case err != nil:
		return 0, err
	case id == 1:
		return 0, nil
	}
	return at, nil
}

// link compares rows with what is beside them: with two statements for all of them, as each
// may be a way to a server far off.
func (t *tx) link(ctx context.Context, rows []jobRow, kept int64) ([]ledger.Linked, error) {
	list := make([]ledger.Linked, len(rows))
	var entries, events [][]any
	owners := make([]entryKey, len(rows))
	keys := make([]string, len(rows)) // of the event that there should be; "" for none
	for i := range rows {
		r, l := &rows[i], &list[i]
		l.Job = r.Job
		w, err := r.end(r.FinishedAt)
		if err != nil {
			l.Unreadable = err.Error()
			continue // it is told of this one, and the others are gone through
		}
		if l.Wanted = w.Recording; l.Wanted != nil {
			k := entryKey{string(r.TenantID), string(r.CallID), storeform.Unique(r.Kind, r.Key)}
			owners[i] = k
			entries = append(entries, []any{k.tenant, k.call, k.recording})
		}
		if at := storeform.Micros(r.FinishedAt); w.Event != nil && kept >= 0 && at != 0 && at >= kept {
			keys[i] = w.Event.Key
			events = append(events, []any{w.Event.Key})
		}
	}
	docs := map[entryKey]json.RawMessage{}
	err := t.among(ctx, entries, func(s scanner) error {
		var k entryKey
		var doc string
		err := s.Scan(&k.tenant, &k.call, &k.recording, &doc)
		docs[k] = storeform.JSON(doc)
		return err
	}, "WITH v (tenant_id, call_id, recording_id) AS (VALUES ", `) SELECT r.tenant_id, r.call_id, r.recording_id, r.doc
		FROM v JOIN call_recordings AS r ON r.tenant_id = v.tenant_id AND r.call_id = v.call_id AND r.recording_id = v.recording_id`)
	if err != nil {
		return nil, err
	}
	told := map[string]bool{}
	err = t.among(ctx, events, func(s scanner) error {
		var key string
		err := s.Scan(&key)
		told[key] = true
		return err
	}, "WITH v (event_key) AS (VALUES ", ") SELECT o.event_key FROM v JOIN outbox AS o ON o.event_key = v.event_key")
	for i := range list {
		if list[i].Wanted != nil {
			list[i].Entry = docs[owners[i]]
		}
		list[i].Untold = keys[i] != "" && !told[keys[i]]
	}
	return list, err
}

// entryKey is that of a recording's entry on its call.
type entryKey struct{ tenant, call, recording string }

// among runs a query over the list of values that goes between its halves, if there are any.
// Lists are made longer with their last line to one of a few lengths, so that there are few
// statements: a line that is there twice must not matter.
func (t *tx) among(ctx context.Context, values [][]any, scan func(scanner) error, before, behind string) error {
	if len(values) == 0 {
		return nil
	}
	length := 1
	for length < len(values) {
		length *= 8
	}
	line := "(" + strings.Repeat("?, ", len(values[0])-1) + "?)"
	args := make([]any, 0, length*len(values[0]))
	for i := range length {
		args = append(args, values[min(i, len(values)-1)]...)
	}
	return t.each(ctx, scan, before+strings.Repeat(line+", ", length-1)+line+behind, args...)
}

// end is what the end of a recording's job has left beside its row; nothing of one of
// another kind, or that isn't at its end, or of which an earlier result stays in use. at is when it was.
func (r *jobRow) end(at time.Time) (storeform.Written, error) {
	if r.Kind != record.Kind || r.State != ledger.Done && r.State != ledger.Quarantined || r.Published {
		return storeform.Written{}, nil
	}
	o := record.SetAside(r.LastError)
	result, err := record.ResultOf(&r.Job)
	switch {
	case err != nil:
		return storeform.Written{}, err
	case result != nil:
		if o, err = record.Outcome(*result); err != nil {
			return storeform.Written{}, fmt.Errorf("the result of job %s: %w", r.ID, err)
		}
	case r.State == ledger.Done:
		return storeform.Written{}, fmt.Errorf("job %s is done and has no result", r.ID)
	}
	return r.effects(&o, storeform.System, at, 0)
}

// Relink implements reconcile.Ledger: it leaves on the call, and in the outbox, what the
// end of the recording job should have left there, where it isn't. It reports whether
// there was something to do.
func (d *DB) Relink(ctx context.Context, id callmodel.JobID, actor string) (done bool, err error) {
	err = d.update(ctx, "link a recording again", func(ctx context.Context, t *tx) error {
		done = false
		r, err := t.job(ctx, id, true)
		if err != nil {
			return err
		}
		kept, err := t.outboxKept(ctx)
		if err != nil {
			return err
		}
		list, err := t.link(ctx, []jobRow{r}, kept)
		if err != nil {
			return err
		}
		l := &list[0]
		if l.Unreadable != "" {
			return callmodel.Errorf(callmodel.CodeConflict, "job %s can't be linked: %s", id, l.Unreadable)
		}
		same, err := sameURLs(l.Wanted, l.Entry)
		if err != nil || same && !l.Untold {
			return err
		}
		at := r.FinishedAt
		if at.IsZero() { // of one that was set aside it isn't kept
			at = storeform.Time(r.now)
		}
		w, err := r.end(at)
		if err != nil {
			return err
		}
		if !same {
			if err := t.putRecording(ctx, &r, at, w.Recording); err != nil {
				return err
			}
		}
		if !l.Untold {
			w.Event = nil
		}
		w.Audit = callmodel.AuditEvent{
			TenantID: r.TenantID, Actor: actor, Action: callmodel.AuditJobRelinked, Subject: string(r.ID),
			Detail: map[string]string{"call_id": string(r.CallID), "recording_id": r.Key},
		}
		done = true
		return t.lines(ctx, &w)
	})
	return done, err
}

// sameURLs reports whether the entry that there is of a recording names what the one that
// is wanted does.
func sameURLs(wanted, entry json.RawMessage) (bool, error) {
	if wanted == nil {
		return true, nil
	}
	if entry == nil {
		return false, nil
	}
	var w, e record.CallEntry
	if err := json.Unmarshal(wanted, &w); err != nil {
		return false, err
	}
	if json.Unmarshal(entry, &e) != nil {
		return false, nil //nolint:nilerr // one that can't be read is another
	}
	return w.SameObjects(&e), nil
}

// unrecordedAtOnce is how many calls are looked at in one transaction.
const unrecordedAtOnce = 1000

// Unrecorded implements reconcile.Ledger.
func (d *DB) Unrecorded(ctx context.Context, after ledger.CallPlace) (page ledger.UnrecordedPage, err error) {
	err = d.view(ctx, "look for calls without a recording", func(ctx context.Context, t *tx) error {
		page = ledger.UnrecordedPage{Last: after}
		err := t.each(ctx, func(s scanner) error {
			var at ledger.CallPlace
			var doc string
			if err := s.Scan(&at.TenantID, &at.CallID, &doc); err != nil {
				return err
			}
			page.Looked++
			page.Last = at
			if doc == "" {
				return nil
			}
			var c calls.Call
			if err := json.Unmarshal([]byte(doc), &c); err != nil {
				page.Calls = append(page.Calls, ledger.UnrecordedCall{CallPlace: at, Unreadable: err.Error()})
			} else if due(&c) {
				page.Calls = append(page.Calls, ledger.UnrecordedCall{CallPlace: at})
			}
			return nil
		}, `SELECT c.tenant_id, c.id, CASE WHEN c.state = 'ended'
			AND (SELECT count(*) FROM call_recordings AS r WHERE r.tenant_id = c.tenant_id AND r.call_id = c.id) = 0
			AND (SELECT count(*) FROM jobs AS j WHERE j.tenant_id = c.tenant_id AND `+t.jobsCall("j")+` = c.id`+t.sinceKinds(" AND j.kind = 'record'")+`) = 0
			THEN c.doc ELSE '' END
			FROM calls AS c WHERE (c.tenant_id, c.id) > (?, ?) ORDER BY c.tenant_id, c.id LIMIT ?`,
			string(after.TenantID), string(after.CallID), unrecordedAtOnce)
		page.More = page.Looked == unrecordedAtOnce
		return err
	})
	return page, err
}

// due reports whether a recording is due of a call: it was to be recorded, was answered,
// and has ended.
func due(c *calls.Call) bool {
	return c.State == calls.Ended && !c.AnsweredAt.IsZero() && c.Recording != nil && c.Recording.Enabled
}

// Rerecord implements reconcile.Ledger: it enqueues the job that the call's end should have
// enqueued, from the event of the end, which is kept. It reports false if the call has a
// job or a recording by now.
func (d *DB) Rerecord(ctx context.Context, tenant callmodel.TenantID, id callmodel.CallID, actor string, defaults []record.OutputSpec) (done bool, err error) {
	err = d.update(ctx, "record a call again", func(ctx context.Context, t *tx) error {
		done = false
		c, _, err := t.call(ctx, tenant, id, true)
		if err != nil || len(c.Recordings) > 0 || !due(&c) {
			return err
		}
		var jobs int64
		if err := t.row(ctx, "SELECT count(*) FROM jobs WHERE tenant_id = ? AND "+t.jobsCall("jobs")+" = ?"+t.sinceKinds(" AND kind = 'record'"),
			string(tenant), string(id)).Scan(&jobs); err != nil || jobs > 0 {
			return err
		}
		end, err := t.endOf(ctx, &c)
		if err != nil {
			return err
		}
		before := c
		before.State, before.EndedAt = calls.Answered, before.AnsweredAt
		end.Heard = true // it may have been: that isn't kept, and matters for one of no length alone
		fx, err := before.Apply(end, defaults)
		if err != nil || fx.Recording == nil {
			return err
		}
		done = true
		return t.enqueueOwn(ctx, fx.Recording, actor, c.Emergency)
	})
	return done, err
}

// endOf is the event that ended the call.
func (t *tx) endOf(ctx context.Context, c *calls.Call) (end calls.Event, err error) {
	found := false
	err = t.each(ctx, func(s scanner) error {
		var doc string
		if err := s.Scan(&doc); err != nil {
			return err
		}
		var ev calls.Event
		if err := json.Unmarshal([]byte(doc), &ev); err != nil {
			return fmt.Errorf("an event of call %s: %w", c.ID, err)
		}
		if ev.Type == calls.EventEnded {
			end, found = ev, true
		}
		return nil
	}, "SELECT doc FROM call_events WHERE tenant_id = ? AND call_id = ? ORDER BY seq", string(c.TenantID), string(c.ID))
	if err == nil && !found {
		err = callmodel.Errorf(callmodel.CodeConflict, "call %s has ended, and the event of its end is not there: its legs are not known", c.ID)
	}
	return end, err
}
