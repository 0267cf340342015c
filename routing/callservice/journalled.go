package callservice

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/routing/callservice/journal"
	"github.com/switchtape/switchtape/routing/trunk"
)

// Journal keeps what was answered where the death of the process doesn't take it.
// *journal.Journal is one.
type Journal interface {
	// Append keeps an entry. When it returns without an error, the entry survives
	// the death of the process.
	Append(body []byte) (seq uint64, err error)
	// Done says that the entry needs no keeping any more.
	Done(seq uint64)
	// Pending is what was appended and is not done, in its order: at most limit
	// entries with a number greater than after. What can be read is returned with
	// the error too.
	Pending(after uint64, limit int) ([]journal.Entry, error)
	// Run brings entries to the disk until ctx ends, and then once more.
	Run(ctx context.Context) error
}

// journalWait is how long an answer waits for the journal: a disk that hangs
// must not hold up an emergency call. Only the calls that meet the first hanging
// write wait for so long, and no others until it is over; and a machine that is
// busy for a while must not pass for one whose disk hangs.
const journalWait = time.Second

var (
	errNoJournal    = errors.New("there is no journal")
	errJournalHangs = errors.New("the journal's disk hangs")
)

// writing is the state of the journal's disk.
type writing struct {
	hanging atomic.Int32 // appends that were given up waiting for
	failed  atomic.Int64
	failing atomic.Bool // since the last log line about it
}

// keptEntry is an accepted in the journal.
type keptEntry struct {
	Actor string     `json:"actor"`
	Call  *keptCall  `json:"call,omitempty"`
	Event *keptEvent `json:"event,omitempty"`
}

type keptCall struct {
	Call          calls.Call       `json:"call"`
	Alias         callmodel.CallID `json:"alias"`
	Key           string           `json:"key,omitempty"`
	RequestSHA256 string           `json:"request_sha256,omitempty"`
	Status        int              `json:"status,omitempty"`
	Response      []byte           `json:"response,omitempty"`
}

type keptEvent struct {
	Tenant callmodel.TenantID `json:"tenant_id"`
	Call   callmodel.CallID   `json:"call_id"`
	Event  calls.Event        `json:"event"`
	Heard  bool               `json:"heard,omitempty"` // the event's
}

func (a *accepted) marshal() ([]byte, error) {
	e := keptEntry{Actor: a.actor}
	if n := a.create; n != nil {
		e.Call = &keptCall{n.Call, a.alias, n.IdempotencyKey, n.RequestSHA256, n.StatusCode, n.Response}
	} else {
		e.Event = &keptEvent{a.key.Tenant, a.key.Call, *a.event, a.event.Heard}
	}
	return json.Marshal(e)
}

// unmarshalAccepted reads an entry of the journal.
func unmarshalAccepted(e journal.Entry) (*accepted, error) {
	var k keptEntry
	if err := json.Unmarshal(e.Body, &k); err != nil {
		return nil, err
	}
	a := &accepted{actor: k.Actor, seq: e.Seq, given: true}
	switch {
	case k.Call != nil:
		n := calls.NewCall{
			Call: k.Call.Call, Actor: k.Actor, IdempotencyKey: k.Call.Key, RequestSHA256: k.Call.RequestSHA256,
			StatusCode: k.Call.Status, Response: k.Call.Response,
		}
		a.create, a.alias, a.key = &n, k.Call.Alias, trunk.Key{Tenant: n.Call.TenantID, Call: n.Call.ID}
	case k.Event != nil:
		k.Event.Event.Heard = k.Event.Heard
		a.event, a.key = &k.Event.Event, trunk.Key{Tenant: k.Event.Tenant, Call: k.Event.Call}
	default:
		return nil, errors.New("it is neither a call nor an event")
	}
	return a, nil
}

// writeDown puts a in the journal, within the wait for a disk that hangs. An
// error is counted, and logged when it is the first in a row.
func (s *Service) writeDown(ctx context.Context, a *accepted) error {
	if s.opts.Journal == nil {
		return errNoJournal
	}
	err := s.appendInTime(a)
	if err == nil {
		if s.writing.failing.CompareAndSwap(true, false) {
			s.opts.Logger.InfoContext(ctx, "the journal can be written again")
		}
		return nil
	}
	s.writing.failed.Add(1)
	if s.writing.failing.CompareAndSwap(false, true) {
		s.opts.Logger.ErrorContext(ctx, "the journal can't be written; emergency calls that the stores don't take at once are in memory alone", "error", err)
	}
	return err
}

func (s *Service) appendInTime(a *accepted) error {
	if s.writing.hanging.Load() > 0 {
		return errJournalHangs
	}
	body, err := a.marshal()
	if err != nil {
		return err
	}
	type result struct {
		seq uint64
		err error
	}
	done, gaveUp := make(chan result), make(chan struct{})
	go func() {
		seq, err := s.opts.Journal.Append(body)
		select {
		case done <- result{seq, err}:
		case <-gaveUp:
			s.writing.hanging.Add(-1)
			if err == nil && s.later.journalled(a, seq) {
				s.opts.Journal.Done(seq)
			}
		}
	}()
	wait := time.NewTimer(journalWait)
	defer wait.Stop()
	select {
	case r := <-done:
		a.seq = r.seq
		return r.err
	case <-wait.C:
		s.writing.hanging.Add(1)
		close(gaveUp)
		return errJournalHangs
	}
}

// crossOff tells the journal that an entry is done; 0 is none.
func (s *Service) crossOff(seq uint64) {
	if seq != 0 {
		s.opts.Journal.Done(seq)
	}
}

// spill is what waits in the journal alone, for want of room in memory.
type spill struct {
	on                          bool
	after                       uint64              // everything there has a greater number
	count                       int                 // grows with everything that goes there
	inMemory                    map[uint64]struct{} // numbers of what doesn't
	emergencies, others, events int
}

// countOf is how many of a's kind wait in the journal alone.
func (p *spill) countOf(a *accepted) *int {
	switch {
	case a.create == nil:
		return &p.events
	case a.create.Call.Emergency:
		return &p.emergencies
	default:
		return &p.others
	}
}

// take notes that a waits in the journal; false if it isn't there.
func (p *spill) take(a *accepted) bool {
	if a.seq == 0 {
		return false
	}
	if !p.on || a.seq <= p.after {
		p.after = a.seq - 1
	}
	p.on = true
	p.count++
	*p.countOf(a)++
	return true
}

func (p *spill) loaded(seq uint64) {
	if p.inMemory == nil {
		p.inMemory = map[uint64]struct{}{}
	}
	if seq != 0 {
		p.inMemory[seq] = struct{}{}
	}
}

func (p *spill) forget(seq uint64) { delete(p.inMemory, seq) }

// spillPage is how many entries are read from the journal at a time, at most.
const spillPage = 4096

// refill takes what waits in the journal alone into memory, as far as there is
// room. The error names what can't be read.
func (s *Service) refill() error {
	if s.opts.Journal == nil {
		return nil
	}
	var errs error
	for {
		w := &s.later
		w.mu.Lock()
		on, after, count := w.spill.on, w.spill.after, w.spill.count
		page := max(min(spillPage, w.most/4), 1)
		room := w.emergencies+page <= w.most && w.events+page <= w.most/2 && w.others+page <= w.most/2
		w.mu.Unlock()
		if !on || !room {
			return errs
		}
		list, err := s.opts.Journal.Pending(after, page)
		errs = errors.Join(errs, err)
		read := make([]*accepted, 0, len(list))
		for _, e := range list {
			a, err := unmarshalAccepted(e)
			if err != nil {
				errs = errors.Join(errs, fmt.Errorf("entry %d of the journal: %w", e.Seq, err))
				continue
			}
			s.answered.keep(a)
			read = append(read, a)
		}
		w.mu.Lock()
		for _, a := range read {
			if _, have := w.spill.inMemory[a.seq]; !have {
				w.spill.back(a)
				w.put(a)
			}
		}
		if n := len(list); n > 0 && w.spill.count == count {
			w.spill.after = list[n-1].Seq
		}
		if len(list) < page && w.spill.count == count {
			w.spill.on, w.spill.emergencies, w.spill.others, w.spill.events = false, 0, 0, 0
		}
		w.mu.Unlock()
		if len(list) == 0 {
			return errs
		}
	}
}

// back counts what is in memory again.
func (p *spill) back(a *accepted) {
	n := p.countOf(a)
	*n = max(*n-1, 0)
}

// LoadJournal takes up what an earlier process answered and didn't store; Run
// stores it. It is called before the service is used, or when a journal that could
// not be opened then is. The error names what can't be read: that stays in the
// journal.
func (s *Service) LoadJournal(ctx context.Context) error {
	s.later.mu.Lock()
	s.later.spill.on, s.later.spill.after = s.opts.Journal != nil, 0
	s.later.mu.Unlock()
	err := s.refill()
	if n := s.Backlog(); n.EmergencyCalls+n.Calls+n.Events > 0 {
		s.opts.Logger.WarnContext(ctx, "the journal holds what was answered and not stored; it is stored now",
			"emergency_calls", n.EmergencyCalls, "calls", n.Calls, "events", n.Events)
	}
	return err
}
