package calldb

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/storage/calldb/internal/storeform"
)

// CreateCall implements callservice.CallStore. A call without CreatedAt gets the
// database's time.
func (d *DB) CreateCall(ctx context.Context, n calls.NewCall) (*calls.StoredResponse, error) {
	if err := storeform.CheckIDs(n.Call.TenantID, n.Call.ID); err != nil {
		return nil, err
	}
	if n.IdempotencyKey != "" {
		if err := storeform.CheckKey("idempotency_key", n.IdempotencyKey); err != nil {
			return nil, err
		}
	}
	if n.Response == nil {
		n.Response = []byte{}
	}
	stored, err := d.createTogether(ctx, &n)
	if stored || err != nil {
		return nil, err
	}
	var replay *calls.StoredResponse
	err = d.update(ctx, "store a call", func(ctx context.Context, t *tx) error {
		replay = nil
		n := n
		c := &n.Call
		if n.IdempotencyKey != "" {
			// Waits for another transaction with the same key to end.
			fresh, err := t.exec(ctx, `INSERT INTO idempotency_keys (tenant_id, idem_key, request_sha256, status, body, created_at)
				VALUES (?, ?, ?, ?, ?, @now) ON CONFLICT (tenant_id, idem_key) DO NOTHING`,
				string(c.TenantID), n.IdempotencyKey, storeform.Text(n.RequestSHA256, storeform.MaxKey), n.StatusCode, n.Response)
			if err != nil {
				return err
			}
			if fresh == 0 {
				replay, err = t.replay(ctx, c.TenantID, n.IdempotencyKey, n.RequestSHA256)
				return err
			}
		}
		if c.CreatedAt.IsZero() {
			var us int64
			if err := t.row(ctx, "SELECT @now").Scan(&us); err != nil {
				return err
			}
			c.CreatedAt, n.JSON = storeform.Time(us), nil
		}
		doc, err := newCallDoc(&n)
		if err != nil {
			return err
		}
		columns, values := "", ""
		if t.terms {
			columns, values = ", terms", ", 1"
		}
		stored, err := t.exec(ctx, `INSERT INTO calls (tenant_id, id, state, from_number, to_number, created_at, doc`+columns+`)
			VALUES (?, ?, ?, ?, ?, ?, ?`+values+`) ON CONFLICT (tenant_id, id) DO NOTHING`,
			string(c.TenantID), string(c.ID), string(c.State), number(c.From), number(c.To), storeform.Micros(c.CreatedAt), doc)
		if err != nil {
			return err
		}
		if stored == 0 {
			return callmodel.Errorf(callmodel.CodeConflict, "call %s exists already; give another id, or none", c.ID)
		}
		if err := t.putTerms(ctx, c); err != nil {
			return err
		}
		if err := t.audit(ctx, storeform.CreatedLine(c, n.Actor)); err != nil || !t.asked(c.TenantID, storeform.CreatedType(c)) {
			return err
		}
		e, err := storeform.CreatedEvent(c, []byte(doc))
		if err != nil {
			return err
		}
		return t.told(ctx, &e)
	})
	if err != nil {
		return nil, err
	}
	return replay, nil
}

// createTogether stores a call that is new together with those that come at the same time,
// where the database has that. It reports false of one that is for a transaction of its own.
func (d *DB) createTogether(ctx context.Context, n *calls.NewCall) (stored bool, err error) {
	if d.together == nil || n.Call.CreatedAt.IsZero() {
		return false, nil
	}
	const op = "store a call"
	err = d.bounded(ctx, op, func(ctx context.Context) error {
		if err := d.use(ctx); err != nil || d.schema.Load() < termsSchema {
			return err
		}
		d.lookAtListeners(ctx)
		var err error
		stored, err = d.together.do(ctx, n)
		return d.fail(op, err)
	})
	return stored, err
}

// number is a party's number as its column holds it.
func number(p calls.Party) string { return storeform.Text(p.Number, storeform.MaxKey) }

// callDoc is the call as its row holds it: the recordings have a table of
// their own, so that a worker that finishes one needs no lock on the call.
func callDoc(c calls.Call) (string, error) {
	c.Recordings = nil
	b, err := json.Marshal(c)
	return string(b), err
}

// newCallDoc is callDoc of a new call, which has no recordings yet.
func newCallDoc(n *calls.NewCall) (string, error) {
	if n.JSON != nil {
		return string(n.JSON), nil
	}
	return callDoc(n.Call)
}

// Replay implements callservice.CallStore.
func (d *DB) Replay(ctx context.Context, tenant callmodel.TenantID, key, requestSHA256 string) (*calls.StoredResponse, error) {
	if storeform.CheckKey("idempotency_key", key) != nil || !callmodel.ValidID(string(tenant)) {
		return nil, nil //nolint:nilnil,nilerr // the port says: nil if the key is new, as one that can't be must be
	}
	var replay *calls.StoredResponse
	err := d.view(ctx, "look up an idempotency key", func(ctx context.Context, t *tx) (err error) {
		replay, err = t.replay(ctx, tenant, key, requestSHA256)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return replay, nil
}

func (t *tx) replay(ctx context.Context, tenant callmodel.TenantID, key, sha string) (*calls.StoredResponse, error) {
	var r calls.StoredResponse
	var stored string
	err := t.row(ctx, "SELECT request_sha256, status, body FROM idempotency_keys WHERE tenant_id = ? AND idem_key = ?",
		string(tenant), key).Scan(&stored, &r.StatusCode, &r.Body)
	if err != nil {
		return nil, err
	}
	if stored != storeform.Text(sha, storeform.MaxKey) {
		return nil, callmodel.ErrIdempotencyMismatch
	}
	return &r, nil
}

// AppendEvent implements callservice.CallStore. An event without a time gets the
// database's.
func (d *DB) AppendEvent(ctx context.Context, tenant callmodel.TenantID, id callmodel.CallID, ev calls.Event,
	actor string, defaults []record.OutputSpec,
) (calls.Call, error) {
	if storeform.CheckIDs(tenant, id) != nil {
		return calls.Call{}, callmodel.ErrNotFound
	}
	if err := ev.Validate(); err != nil {
		return calls.Call{}, err
	}
	var c calls.Call
	err := d.update(ctx, "store an event", func(ctx context.Context, t *tx) error {
		var err error
		var now int64
		ev := ev
		if c, now, err = t.call(ctx, tenant, id, true); err != nil {
			return err
		}
		var seen int64
		if err := t.row(ctx, "SELECT count(*) FROM call_events WHERE tenant_id = ? AND call_id = ? AND event_id = ?",
			string(tenant), string(id), ev.ID).Scan(&seen); err != nil || seen > 0 {
			return err
		}
		if ev.At.IsZero() {
			ev.At = storeform.Time(now)
		}
		ev = c.Timed(ev)
		effects, err := c.Apply(ev, defaults)
		if err != nil {
			return err
		}
		if err := t.moved(ctx, &c, &ev, effects, actor); err != nil || effects.Recording == nil {
			return err
		}
		return t.pending(ctx, &c)
	})
	if err != nil {
		return calls.Call{}, err
	}
	return c, nil
}

// moved stores a moved call, what moved it and what follows from that.
func (t *tx) moved(ctx context.Context, c *calls.Call, ev *calls.Event, effects calls.Effects, actor string) error {
	doc, err := callDoc(*c)
	if err != nil {
		return err
	}
	evDoc, err := json.Marshal(ev)
	if err != nil {
		return err
	}
	var seq int64
	if err := t.row(ctx, "UPDATE calls SET state = ?, doc = ?, events = events + 1 WHERE tenant_id = ? AND id = ? RETURNING events",
		string(c.State), doc, string(c.TenantID), string(c.ID)).Scan(&seq); err != nil {
		return err
	}
	if _, err := t.exec(ctx, "INSERT INTO call_events (tenant_id, call_id, event_id, seq, doc) VALUES (?, ?, ?, ?, ?)",
		string(c.TenantID), string(c.ID), ev.ID, seq, string(evDoc)); err != nil {
		return err
	}
	if effects.Recording != nil {
		if err := t.enqueueOwn(ctx, effects.Recording, actor, c.Emergency); err != nil {
			return err
		}
	}
	jobs, err := storeform.EventJobs(c, ev, actor)
	if err != nil {
		return err
	}
	for i := range jobs {
		if _, _, err := t.enqueue(ctx, &jobs[i], jobs[i].Actor, false); err != nil {
			return err
		}
	}
	if err := t.audit(ctx, storeform.EventLine(c, ev, actor)); err != nil || !t.asked(c.TenantID, storeform.MovedType(ev)) {
		return err
	}
	e, err := storeform.MovedEvent(c, ev, []byte(doc))
	if err != nil {
		return err
	}
	return t.told(ctx, &e)
}

// Call implements callservice.CallStore.
func (d *DB) Call(ctx context.Context, tenant callmodel.TenantID, id callmodel.CallID) (calls.Call, error) {
	if storeform.CheckIDs(tenant, id) != nil {
		return calls.Call{}, callmodel.ErrNotFound
	}
	var c calls.Call
	err := d.view(ctx, "read a call", func(ctx context.Context, t *tx) (err error) {
		c, _, err = t.call(ctx, tenant, id, false)
		return err
	})
	if err != nil {
		return calls.Call{}, err
	}
	return c, nil
}

// call reads a call with its recordings, locked if it is to be changed, and
// the database's clock.
func (t *tx) call(ctx context.Context, tenant callmodel.TenantID, id callmodel.CallID, lock bool) (calls.Call, int64, error) {
	query := "SELECT doc, @now FROM calls WHERE tenant_id = ? AND id = ?"
	if lock {
		query += " @forupdate"
	}
	var doc string
	var now int64
	err := t.row(ctx, query, string(tenant), string(id)).Scan(&doc, &now)
	if errors.Is(err, sql.ErrNoRows) {
		return calls.Call{}, 0, callmodel.ErrNotFound
	}
	if err != nil {
		return calls.Call{}, 0, err
	}
	callList := make([]calls.Call, 1)
	if err := json.Unmarshal([]byte(doc), &callList[0]); err != nil {
		return calls.Call{}, 0, fmt.Errorf("the document of call %s: %w", id, err)
	}
	err = t.recordings(ctx, tenant, callList)
	return callList[0], now, err
}

// recordings fills in the recordings of a tenant's calls: those that are finished,
// and behind them those that are pending.
func (t *tx) recordings(ctx context.Context, tenant callmodel.TenantID, callList []calls.Call) error {
	if len(callList) == 0 {
		return nil
	}
	ids := make([]callmodel.CallID, len(callList))
	at := make(map[callmodel.CallID]*calls.Call, len(callList))
	for i := range callList {
		ids[i], at[callList[i].ID] = callList[i].ID, &callList[i]
	}
	return t.each(ctx, func(s scanner) error {
		var id callmodel.CallID
		var recording callmodel.RecordingID
		var doc, nonce string
		var seq, finished int64
		if err := s.Scan(&id, &recording, &doc, &seq, &nonce, &finished); err != nil {
			return err
		}
		if doc == "" {
			at[id].AddPending(calls.Recording{RecordingID: recording, JobID: storeform.JobID(seq, nonce)})
			return nil
		}
		var r calls.Recording
		if err := json.Unmarshal([]byte(doc), &r); err != nil {
			return fmt.Errorf("a recording of call %s: %w", id, err)
		}
		at[id].AddRecording(r)
		return nil
	}, "SELECT call_id, recording_id, doc, 0 AS seq, '' AS nonce, finished_at FROM call_recordings WHERE tenant_id = ? AND call_id IN ("+marks(len(ids))+`)
		UNION ALL SELECT call_id, recording_id, '', seq, nonce, `+atLast+` FROM jobs
		WHERE tenant_id = ? AND `+t.jobsCall("jobs")+" IN ("+marks(len(ids))+") AND "+t.makes("jobs")+`
		ORDER BY finished_at, seq, recording_id`,
		slices.Concat([]any{string(tenant)}, pad(ids), []any{string(tenant)}, pad(ids))...)
}

// pending adds the recordings that are pending to a call that has those that are finished.
func (t *tx) pending(ctx context.Context, c *calls.Call) error {
	return t.each(ctx, func(s scanner) error {
		var recording callmodel.RecordingID
		var seq int64
		var nonce string
		if err := s.Scan(&recording, &seq, &nonce); err != nil {
			return err
		}
		c.AddPending(calls.Recording{RecordingID: recording, JobID: storeform.JobID(seq, nonce)})
		return nil
	}, "SELECT recording_id, seq, nonce FROM jobs WHERE tenant_id = ? AND "+t.jobsCall("jobs")+" = ? AND "+t.makes("jobs")+" ORDER BY seq",
		string(c.TenantID), string(c.ID))
}

// atLast is later than any time.
const atLast = "9223372036854775807"

// jobsCall is the column of the jobs of table that finds those of a call by an index,
// behind what else has to hold.
func (t *tx) jobsCall(table string) string {
	if t.terms {
		return table + ".call_id"
	}
	return table + ".call_id = " + table + ".recording_id AND " + table + ".recording_id"
}

// makes is the condition that a job of table makes a recording, or is going to.
func (t *tx) makes(table string) string {
	return table + ".state IN ('queued', 'running')" + t.sinceKinds(" AND "+table+".kind = 'record'")
}

// putRecording stores what the call record knows of a recording, in place of
// what it knew before.
func (t *tx) putRecording(ctx context.Context, r *jobRow, at time.Time, doc json.RawMessage) error {
	if doc == nil {
		return nil
	}
	_, err := t.exec(ctx, `INSERT INTO call_recordings (tenant_id, call_id, recording_id, finished_at, doc) VALUES (?, ?, ?, ?, ?)
		ON CONFLICT (tenant_id, call_id, recording_id) DO UPDATE SET finished_at = excluded.finished_at, doc = excluded.doc`,
		string(r.TenantID), string(r.CallID), storeform.Unique(r.Kind, r.Key), storeform.Micros(at), string(doc))
	return err
}

// CallEvents implements callservice.CallStore.
func (d *DB) CallEvents(ctx context.Context, tenant callmodel.TenantID, id callmodel.CallID) ([]calls.Event, error) {
	if storeform.CheckIDs(tenant, id) != nil {
		return nil, callmodel.ErrNotFound
	}
	var events []calls.Event
	err := d.view(ctx, "list a call's events", func(ctx context.Context, t *tx) error {
		events = []calls.Event{}
		var one int64
		err := t.row(ctx, "SELECT 1 FROM calls WHERE tenant_id = ? AND id = ?", string(tenant), string(id)).Scan(&one)
		if errors.Is(err, sql.ErrNoRows) {
			return callmodel.ErrNotFound
		}
		if err != nil {
			return err
		}
		return t.each(ctx, func(s scanner) error {
			var doc string
			if err := s.Scan(&doc); err != nil {
				return err
			}
			var ev calls.Event
			if err := json.Unmarshal([]byte(doc), &ev); err != nil {
				return fmt.Errorf("an event of call %s: %w", id, err)
			}
			events = append(events, ev)
			return nil
		}, "SELECT doc FROM call_events WHERE tenant_id = ? AND call_id = ? ORDER BY seq", string(tenant), string(id))
	})
	if err != nil {
		return nil, err
	}
	return events, nil
}
