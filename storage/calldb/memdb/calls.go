package memdb

import (
	"context"
	"slices"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/storage/calldb/internal/ledger"
)

// CreateCall implements callmodel.CallStore.
func (s *Store) CreateCall(ctx context.Context, n callmodel.NewCall) (*callmodel.StoredResponse, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := ledger.CheckIDs(n.Call.TenantID, n.Call.ID); err != nil {
		return nil, err
	}
	if n.IdempotencyKey != "" {
		if err := ledger.CheckKey("idempotency_key", n.IdempotencyKey); err != nil {
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
		s.keys[key] = answer{n.RequestSHA256, callmodel.StoredResponse{StatusCode: n.StatusCode, Body: slices.Clone(n.Response)}}
	}
	s.line(ledger.CreatedLine(&c.Call, n.Actor))
	return nil, nil //nolint:nilnil // the port says: nil unless it is a replay
}

// Replay implements callmodel.CallStore.
func (s *Store) Replay(ctx context.Context, t callmodel.TenantID, key, requestSHA256 string) (*callmodel.StoredResponse, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.replay(idemKey{t, key}, requestSHA256)
}

func (s *Store) replay(key idemKey, sha string) (*callmodel.StoredResponse, error) {
	a, ok := s.keys[key]
	switch {
	case !ok:
		return nil, nil //nolint:nilnil // the port says: nil if the key is new
	case a.sha != sha:
		return nil, callmodel.ErrIdempotencyMismatch
	}
	return &callmodel.StoredResponse{StatusCode: a.StatusCode, Body: slices.Clone(a.Body)}, nil
}

// AppendEvent implements callmodel.CallStore.
func (s *Store) AppendEvent(ctx context.Context, t callmodel.TenantID, id callmodel.CallID, ev callmodel.CallEvent,
	actor string, defaults []callmodel.OutputSpec,
) (callmodel.Call, error) {
	if err := ctx.Err(); err != nil {
		return callmodel.Call{}, err
	}
	if ledger.CheckIDs(t, id) != nil {
		return callmodel.Call{}, callmodel.ErrNotFound
	}
	if err := ev.Validate(); err != nil {
		return callmodel.Call{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.calls[callKey{t, id}]
	if c == nil {
		return callmodel.Call{}, callmodel.ErrNotFound
	}
	if slices.ContainsFunc(c.events, func(e callmodel.CallEvent) bool { return e.ID == ev.ID }) {
		return s.seen(c), nil
	}
	if ev.At.IsZero() {
		ev.At = s.clock()
	}
	moved := copied(c.Call)
	effects, err := moved.Apply(ev, defaults)
	if err != nil {
		return callmodel.Call{}, err
	}
	if effects.Recording != nil {
		if err := ledger.CheckJob(effects.Recording); err != nil {
			return callmodel.Call{}, err
		}
		s.enqueue(effects.Recording, actor)
	}
	c.Call = copied(moved)
	c.events = append(c.events, copied(ev))
	s.line(ledger.EventLine(&c.Call, &ev, actor))
	return s.seen(c), nil
}

// seen is the call as readers see it.
func (s *Store) seen(c *call) callmodel.Call {
	seen := c.Call
	seen.Recordings = s.made[callKey{c.TenantID, c.ID}]
	return copied(seen)
}

// Call implements callmodel.CallStore.
func (s *Store) Call(ctx context.Context, t callmodel.TenantID, id callmodel.CallID) (callmodel.Call, error) {
	if err := ctx.Err(); err != nil {
		return callmodel.Call{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.calls[callKey{t, id}]
	if c == nil {
		return callmodel.Call{}, callmodel.ErrNotFound
	}
	return s.seen(c), nil
}

// Calls implements callmodel.CallStore.
func (s *Store) Calls(ctx context.Context, t callmodel.TenantID, f callmodel.CallFilter) (callmodel.CallPage, error) {
	if err := ctx.Err(); err != nil {
		return callmodel.CallPage{}, err
	}
	var before *ledger.Cursor
	if f.Before != "" {
		c, err := ledger.ParseCursor(f.Before)
		if err != nil {
			return callmodel.CallPage{}, err
		}
		before = &c
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []*call
	for key, c := range s.calls {
		if key.tenant != t || f.State != "" && c.State != f.State ||
			f.Number != "" && c.From.Number != f.Number && c.To.Number != f.Number || before != nil && !c.behind(*before) {
			continue
		}
		all = append(all, c)
	}
	slices.SortFunc(all, newestFirst)
	page := callmodel.CallPage{Calls: []callmodel.Call{}}
	limit := ledger.CallsLimit(f.Limit)
	for i, c := range all {
		if i == limit {
			last := all[i-1]
			page.Next = ledger.Cursor{Micros: ledger.Micros(last.CreatedAt), ID: last.ID}.String()
			break
		}
		page.Calls = append(page.Calls, s.seen(c))
	}
	return page, nil
}

func (c *call) behind(at ledger.Cursor) bool {
	us := ledger.Micros(c.CreatedAt)
	return us < at.Micros || us == at.Micros && c.ID < at.ID
}

// CallEvents implements callmodel.CallStore.
func (s *Store) CallEvents(ctx context.Context, t callmodel.TenantID, id callmodel.CallID) ([]callmodel.CallEvent, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.calls[callKey{t, id}]
	if c == nil {
		return nil, callmodel.ErrNotFound
	}
	events := make([]callmodel.CallEvent, 0, len(c.events))
	for _, ev := range c.events {
		events = append(events, copied(ev))
	}
	return events, nil
}
