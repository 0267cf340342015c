package memdb

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/storage/calldb/internal/storeform"
)

// CreateCall implements callservice.CallStore.
func (s *Store) CreateCall(ctx context.Context, n calls.NewCall) (*calls.StoredResponse, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := storeform.CheckIDs(n.Call.TenantID, n.Call.ID); err != nil {
		return nil, err
	}
	if n.IdempotencyKey != "" {
		if err := storeform.CheckKey("idempotency_key", n.IdempotencyKey); err != nil {
			return nil, err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	key := idemKey{n.Call.TenantID, n.IdempotencyKey}
	if n.IdempotencyKey != "" {
		if r, err := s.replay(key, n.RequestSHA256); r != nil || err != nil {
			return r, err
		}
	}
	at := callKey{n.Call.TenantID, n.Call.ID}
	if s.calls[at] != nil {
		return nil, callmodel.Errorf(callmodel.CodeConflict, "call %s exists already; give another id, or none", n.Call.ID)
	}
	c := &call{Call: copied(n.Call)}
	c.Recordings = nil
	if c.CreatedAt.IsZero() {
		c.CreatedAt = s.clock()
	}
	s.calls[at] = c
	if n.IdempotencyKey != "" {
		s.answers[key] = answer{n.RequestSHA256, calls.StoredResponse{StatusCode: n.StatusCode, Body: slices.Clone(n.Response)}}
	}
	s.line(storeform.CreatedLine(&c.Call, n.Actor))
	s.tell(c.TenantID, storeform.CreatedType(&c.Call), func() (callmodel.OutboxEvent, error) {
		doc, err := json.Marshal(c.Call)
		if err != nil {
			return callmodel.OutboxEvent{}, err
		}
		return storeform.CreatedEvent(&c.Call, doc)
	})
	return nil, nil //nolint:nilnil // the port says: nil unless it is a replay
}

// Replay implements callservice.CallStore.
func (s *Store) Replay(ctx context.Context, t callmodel.TenantID, key, requestSHA256 string) (*calls.StoredResponse, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.replay(idemKey{t, key}, requestSHA256)
}

func (s *Store) replay(key idemKey, sha string) (*calls.StoredResponse, error) {
	a, ok := s.answers[key]
	switch {
	case !ok:
		return nil, nil //nolint:nilnil // the port says: nil if the key is new
	case a.sha != sha:
		return nil, callmodel.ErrIdempotencyMismatch
	}
	return &calls.StoredResponse{StatusCode: a.StatusCode, Body: slices.Clone(a.Body)}, nil
}

// AppendEvent implements callservice.CallStore.
func (s *Store) AppendEvent(ctx context.Context, t callmodel.TenantID, id callmodel.CallID, ev calls.Event,
	actor string, defaults []record.OutputSpec,
) (calls.Call, error) {
	if err := ctx.Err(); err != nil {
		return calls.Call{}, err
	}
	if storeform.CheckIDs(t, id) != nil {
		return calls.Call{}, callmodel.ErrNotFound
	}
	if err := ev.Validate(); err != nil {
		return calls.Call{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.calls[callKey{t, id}]
	if c == nil {
		return calls.Call{}, callmodel.ErrNotFound
	}
	if slices.ContainsFunc(c.events, func(e calls.Event) bool { return e.ID == ev.ID }) {
		return s.seen(c), nil
	}
	if ev.At.IsZero() {
		ev.At = s.clock()
	}
	moved := copied(c.Call)
	ev = moved.Timed(ev)
	effects, err := moved.Apply(ev, defaults)
	if err != nil {
		return calls.Call{}, err
	}
	jobs, err := storeform.EventJobs(&moved, &ev, actor)
	if err != nil {
		return calls.Call{}, err
	}
	if effects.Recording != nil {
		if err := s.enqueueOwn(effects.Recording, actor, moved.Emergency); err != nil {
			return calls.Call{}, err
		}
	}
	for i := range jobs {
		s.enqueue(&jobs[i], jobs[i].Actor, false)
	}
	c.Call = copied(moved)
	c.events = append(c.events, copied(ev))
	s.line(storeform.EventLine(&c.Call, &ev, actor))
	s.tell(t, storeform.MovedType(&ev), func() (callmodel.OutboxEvent, error) {
		doc, err := json.Marshal(c.Call)
		if err != nil {
			return callmodel.OutboxEvent{}, err
		}
		return storeform.MovedEvent(&c.Call, &ev, doc)
	})
	return s.seen(c), nil
}

// seen is the call as readers see it.
func (s *Store) seen(c *call) calls.Call {
	seen := c.Call
	for _, r := range s.made[callKey{c.TenantID, c.ID}] {
		seen.AddRecording(r)
	}
	for _, j := range s.jobs {
		if j.TenantID == c.TenantID && j.CallID == c.ID && j.Kind == record.Kind && (j.State == ledger.Queued || j.State == ledger.Running) {
			seen.AddPending(calls.Recording{RecordingID: callmodel.RecordingID(j.Key), JobID: j.ID})
		}
	}
	return copied(seen)
}

// Call implements callservice.CallStore.
func (s *Store) Call(ctx context.Context, t callmodel.TenantID, id callmodel.CallID) (calls.Call, error) {
	if err := ctx.Err(); err != nil {
		return calls.Call{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.calls[callKey{t, id}]
	if c == nil {
		return calls.Call{}, callmodel.ErrNotFound
	}
	return s.seen(c), nil
}

// Calls implements callservice.CallStore.
func (s *Store) Calls(ctx context.Context, t callmodel.TenantID, f calls.Filter) (calls.Page, error) {
	if err := ctx.Err(); err != nil {
		return calls.Page{}, err
	}
	var before *storeform.Cursor
	if f.Before != "" {
		c, err := storeform.ParseCursor(f.Before)
		if err != nil {
			return calls.Page{}, err
		}
		before = &c
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	key, keyed := s.answers[idemKey{t, f.IdempotencyKey}], f.IdempotencyKey != ""
	own := storeform.CallOfAnswer(key.Body)
	known := f
	known.Recording = "" // the jobs are looked through for those calls alone that match else
	var all []*call
	for at, c := range s.calls {
		if at.tenant != t || keyed && at.id != own || before != nil && !c.behind(*before) || !c.within(f.Since, f.Until) || !known.Matches(&c.Call) {
			continue
		}
		all = append(all, c)
	}
	slices.SortFunc(all, newestFirst)
	page := calls.Page{Calls: []calls.Call{}}
	limit := storeform.CallsLimit(f.Limit)
	for _, c := range all {
		seen := s.seen(c)
		if !f.Matches(&seen) {
			continue
		}
		if len(page.Calls) == limit {
			last := page.Calls[limit-1]
			page.Next = storeform.Cursor{Micros: storeform.Micros(last.CreatedAt), ID: last.ID}.String()
			break
		}
		page.Calls = append(page.Calls, seen)
	}
	return page, nil
}

// within reports whether the call was made at since or later and before until, as
// far as these are set.
func (c *call) within(since, until time.Time) bool {
	us := storeform.Micros(c.CreatedAt)
	return (since.IsZero() || us >= storeform.Micros(since)) && (until.IsZero() || us < storeform.Micros(until))
}

func (c *call) behind(at storeform.Cursor) bool {
	us := storeform.Micros(c.CreatedAt)
	return us < at.Micros || us == at.Micros && c.ID < at.ID
}

// CallEvents implements callservice.CallStore.
func (s *Store) CallEvents(ctx context.Context, t callmodel.TenantID, id callmodel.CallID) ([]calls.Event, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.calls[callKey{t, id}]
	if c == nil {
		return nil, callmodel.ErrNotFound
	}
	events := make([]calls.Event, 0, len(c.events))
	for _, ev := range c.events {
		events = append(events, copied(ev))
	}
	return events, nil
}
