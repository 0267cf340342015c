// Package memdb keeps calls, jobs, rule sets, audit and outbox in memory. It
// behaves like the databases, down to the transactions, but for one thing: it
// forgets everything when the process ends. It is for tests and trials, and it
// is the shortest reading of what the ports mean.
package memdb

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/callmodel/keys"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/retention"
	"github.com/switchtape/switchtape/callmodel/rulesets"
	"github.com/switchtape/switchtape/callmodel/webhooks"
	"github.com/switchtape/switchtape/storage/calldb/internal/storeform"
)

// Store implements every store of Switchtape. It is safe for concurrent use.
type Store struct {
	now func() time.Time

	mu      sync.Mutex
	seq     int64
	jobs    []*job // by seq, from 1
	byKey   map[jobKey]*job
	calls   map[callKey]*call
	made    map[callKey][]calls.Recording // by finish; the call itself may come later
	answers map[idemKey]answer
	rules   []rulesets.Version
	active  map[callmodel.TenantID]*versions
	audit   []callmodel.AuditEvent
	outbox  []callmodel.OutboxEvent
	outKeys map[string]bool
	fleet   map[presenceKey]ledger.Presence
	turns   storeform.Turns
	users   directory

	apiKeys    []*keys.Stored
	keyChanges int64
	intake     intake
	hooks      hooks
	holds      []*retention.Hold // by id
	erasures   []*retention.Erasure
	shares     []*share // in the order of their ids
}

type (
	jobKey struct {
		tenant callmodel.TenantID
		unique string
	}
	callKey struct {
		tenant callmodel.TenantID
		id     callmodel.CallID
	}
	idemKey struct {
		tenant callmodel.TenantID
		key    string
	}
	answer struct {
		sha string
		calls.StoredResponse
	}
	job struct {
		ledger.Job

		token, retries int64
		retainUntil    time.Time // zero: by its users, its tenant or the service
		erased         bool
		alone          int64 // the token of the lease under which it runs alone
	}
	call struct {
		calls.Call

		events []calls.Event
	}
)

// New makes an empty store. now is its clock, which tests may move; nil means
// the machine's.
func New(now func() time.Time) *Store {
	if now == nil {
		now = time.Now //nolint:forbidigo // this store is the database, and its clock is the machine's
	}
	return &Store{
		now: now, byKey: map[jobKey]*job{}, calls: map[callKey]*call{}, made: map[callKey][]calls.Recording{}, answers: map[idemKey]answer{},
		active: map[callmodel.TenantID]*versions{}, outKeys: map[string]bool{},
		fleet: map[presenceKey]ledger.Presence{}, users: newDirectory(), intake: newIntake(), hooks: newHooks(),
	}
}

// clock is the time, as fine as the databases keep it.
func (s *Store) clock() time.Time { return s.now().UTC().Truncate(time.Microsecond) }

// copied is v as a database would give it back: nothing shared with the caller.
func copied[T any](v T) T {
	var c T
	b, err := json.Marshal(v)
	if err == nil {
		err = json.Unmarshal(b, &c)
	}
	if err != nil { // the types of callmodel always survive
		return v
	}
	return c
}

// line adds e to the audit log.
func (s *Store) line(e callmodel.AuditEvent) {
	e.ID, e.At = int64(len(s.audit))+1, s.clock()
	e.TenantID = callmodel.TenantID(storeform.Text(string(e.TenantID), storeform.MaxKey))
	e.Actor, e.Action = storeform.Text(e.Actor, storeform.MaxText), storeform.Text(e.Action, storeform.MaxText)
	e.Subject = storeform.Text(e.Subject, storeform.MaxText)
	s.audit = append(s.audit, copied(e))
	if kind := storeform.LineType(e.Action); kind != "" {
		s.tell(e.TenantID, kind, func() (callmodel.OutboxEvent, error) { return storeform.LineEvent(&e, e.At) })
	}
}

// tell adds an event to the outbox, where a webhook asks for it.
func (s *Store) tell(t callmodel.TenantID, kind string, event func() (callmodel.OutboxEvent, error)) {
	asked := slices.ContainsFunc(s.hooks.endpoints, func(w *webhooks.Stored) bool {
		return w.TenantID == t && w.State == webhooks.Enabled && w.Wants(kind)
	})
	if !asked {
		return
	}
	e, err := event()
	if err != nil { // the types of callmodel are always encoded
		return
	}
	e.ID, e.At = int64(len(s.outbox))+1, s.clock()
	s.outbox = append(s.outbox, e)
}

// Audit implements callservice.AuditLog.
func (s *Store) Audit(ctx context.Context, e callmodel.AuditEvent) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.line(e)
	return nil
}

// AuditEvents implements callservice.AuditLog.
func (s *Store) AuditEvents(ctx context.Context, t callmodel.TenantID, after int64, limit int) ([]callmodel.AuditEvent, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	events := []callmodel.AuditEvent{}
	for _, e := range s.audit {
		if e.TenantID == t && e.ID > after && len(events) < storeform.LinesLimit(limit) {
			events = append(events, copied(e))
		}
	}
	return events, nil
}

// AuditAbout implements callservice.AuditLog.
func (s *Store) AuditAbout(ctx context.Context, t callmodel.TenantID, subjects []string, after int64, limit int) ([]callmodel.AuditEvent, error) {
	if err := errors.Join(ctx.Err(), storeform.CheckSubjects(subjects)); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	routine, events := storeform.Routine(), []callmodel.AuditEvent{}
	for _, e := range s.audit {
		if e.TenantID == t && e.ID > after && slices.ContainsFunc(subjects, func(s string) bool { return storeform.Subject(s) == storeform.Subject(e.Subject) }) && !slices.Contains(routine, e.Action) && len(events) < storeform.LinesLimit(limit) {
			events = append(events, copied(e))
		}
	}
	return events, nil
}

// OutboxEvents implements storetest.OutboxEvents.
func (s *Store) OutboxEvents(ctx context.Context, after int64, limit int) ([]callmodel.OutboxEvent, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	events := []callmodel.OutboxEvent{}
	for _, e := range s.outbox {
		if e.ID > after && len(events) < storeform.LinesLimit(limit) {
			events = append(events, copied(e))
		}
	}
	return events, nil
}

// newestFirst is the order of the lists of calls.
func newestFirst(a, b *call) int {
	return cmp.Or(b.CreatedAt.Truncate(time.Microsecond).Compare(a.CreatedAt.Truncate(time.Microsecond)), cmp.Compare(b.ID, a.ID))
}
