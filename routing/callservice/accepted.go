package callservice

import (
	"context"
	"slices"
	"sync"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/routing/trunk"
)

// maxTries is how often an event is tried whose call the stores don't have: it may
// wait in another process. Each pause is twice the one before.
const maxTries = 8

// accepted is what was answered and is not stored yet: a call, or an event of one.
type accepted struct {
	key    trunk.Key
	actor  string
	create *calls.NewCall // nil for an event
	event  *calls.Event   // nil for a call

	// Of a call: the id that it gets if its own is another call's, and what writes
	// its answer anew then, nil if nothing does.
	alias  callmodel.CallID
	encode func(*calls.NewCall)
	given  bool // the answer is given, with the id that the call had then

	tried  chan struct{} // closed when storing it was tried once, or will not be soon; nil if nobody asks
	seq    uint64        // its number in the journal; 0 if it isn't there
	stored bool
}

// pending is all that waits for one call, in its order.
type pending struct {
	key  trunk.Key
	list []*accepted
	// call is the call as it will be once everything is stored. Nil if only the
	// stores know it.
	call *calls.Call
	seen []string // the ids of the events since the call was made
	// as is the id in the stores, once it is another than the key's.
	as callmodel.CallID
	// hidden: it got that id before its answer was given. Nobody knows it by the
	// key's, which is another call's.
	hidden  bool
	renamed *accepted          // the call that got another id: it stays in the journal while events follow it
	cancel  context.CancelFunc // ends the attempt that is made
	tries   int
	rests   int // looks of Run until it is tried again
}

// waiting is everything that was accepted and is not stored yet.
//
//	add ─▶ order ─▶ next ─▶ a worker ─▶ settle ─┬─▶ stored
//	         ▲                                  ├─▶ order: the stores are away
//	         └───────── wake, by Run ◀── resting: its own fault
type waiting struct {
	defaults []record.OutputSpec
	most     int // emergency calls in memory; half as many events, and other calls, so that they can't take the calls' room

	mu      sync.Mutex
	calls   map[trunk.Key]*pending
	keys    map[answeredKey]*accepted // of calls that are no emergencies
	order   storingOrder
	resting []*pending
	workers int
	quiet   []chan struct{} // closed when the last worker ends
	down    bool            // the stores were away at the last try: only Run tries again
	slow    bool            // an answer waited in vain: the next ones don't

	emergencies, others, events int // in memory
	refused                     int64
	spill                       spill
}

func newWaiting(o *Options) waiting {
	return waiting{
		defaults: o.DefaultOutputs, most: o.MaxUnstored, calls: map[trunk.Key]*pending{}, keys: map[answeredKey]*accepted{},
	}
}

// add queues what was accepted; false if there is no room for it, in memory or
// in the journal. seq is its number there.
func (w *waiting) add(a *accepted) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	full := a.create != nil && w.emergencies >= w.most || a.event != nil && w.events >= w.most/2
	// What follows something that waits in the journal alone must not overtake it.
	if full || w.spill.on && a.seq != 0 && w.calls[a.key] == nil {
		return w.spill.take(a)
	}
	w.put(a)
	return true
}

// put is called with mu held.
func (w *waiting) put(a *accepted) {
	p := w.calls[a.key]
	if p == nil {
		p = &pending{key: a.key, as: a.key.Call}
		w.calls[a.key] = p
		if a.create != nil {
			call := a.create.Call
			p.call = &call
		}
		w.order.push(p)
	}
	p.list = append(p.list, a)
	*w.count(a)++
	if n := a.create; n != nil {
		if p.call == nil { // its events came first
			call := n.Call
			p.call = &call
		}
		if n.IdempotencyKey != "" && !n.Call.Emergency {
			w.keys[answeredKey{n.Call.TenantID, n.IdempotencyKey}] = a
		}
	} else {
		if after, err := p.after(a.event, w.defaults); err == nil {
			p.call = after
		} // else the stores will refuse it too
		p.seen = append(p.seen, a.event.ID)
	}
	if w.down {
		a.wasTried()
	}
	w.spill.loaded(a.seq)
}

// count is how many of a's kind there are in memory.
func (w *waiting) count(a *accepted) *int {
	switch {
	case a.create == nil:
		return &w.events
	case a.create.Call.Emergency:
		return &w.emergencies
	default:
		return &w.others
	}
}

// wasTried tells who asks. It is called with the mutex of waiting held.
func (a *accepted) wasTried() {
	if a.tried != nil {
		close(a.tried)
		a.tried = nil
	}
}

// after is the call as the event will leave it; nil if only the stores know it.
func (p *pending) after(ev *calls.Event, defaults []record.OutputSpec) (*calls.Call, error) {
	if p.call == nil {
		return nil, nil //nolint:nilnil // it is said so above
	}
	call := *p.call
	if slices.Contains(p.seen, ev.ID) {
		return &call, nil
	}
	_, err := call.Apply(*ev, defaults)
	return &call, err
}

// foresee is the call as the event will leave it; nil if only the stores know it.
// told says that the event waits already, or was stored just now.
func (w *waiting) foresee(a *accepted) (call *calls.Call, told bool, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	p := w.calls[a.key]
	if p == nil {
		return nil, false, nil
	}
	call, err = p.after(a.event, w.defaults)
	return call, slices.Contains(p.seen, a.event.ID), err
}

// next is what a worker stores next, or nil: then the worker must end.
func (w *waiting) next() *pending {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.down || w.order.len() == 0 {
		if w.workers--; w.workers == 0 {
			for _, c := range w.quiet {
				close(c)
			}
			w.quiet = nil
		}
		return nil
	}
	return w.order.pop()
}

// hire reports whether one more worker is to be started, and counts it.
func (w *waiting) hire() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.down || w.order.len() == 0 || w.workers >= maxStoring {
		return false
	}
	w.workers++
	return true
}

// ended is closed when no worker is left.
func (w *waiting) ended() <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	c := make(chan struct{})
	if w.workers == 0 {
		close(c)
	} else {
		w.quiet = append(w.quiet, c)
	}
	return c
}

// begin notes how to end the attempt that is made for the call.
func (w *waiting) begin(p *pending, cancel context.CancelFunc) {
	w.mu.Lock()
	defer w.mu.Unlock()
	p.cancel = cancel
}

// interrupt ends the attempts that are made.
func (w *waiting) interrupt() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, p := range w.calls {
		if p.cancel != nil {
			p.cancel()
		}
	}
}

// wake has everything tried again, or what has rested long enough.
func (w *waiting) wake(everything bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.down = false
	w.resting = slices.DeleteFunc(w.resting, func(p *pending) bool {
		p.rests--
		if p.rests > 0 && !everything {
			return false
		}
		w.order.push(p)
		return true
	})
}

// head is the oldest of what waits for the call; nil if nothing does any more,
// and then the call is forgotten. done are numbers in the journal.
func (w *waiting) head(p *pending) (a *accepted, as callmodel.CallID, done uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(p.list) > 0 {
		return p.list[0], p.as, 0
	}
	delete(w.calls, p.key)
	if p.renamed != nil {
		done = p.renamed.seq
	}
	return nil, "", done
}

// fate is what becomes of something that was tried.
type fate int

const (
	fateStored  fate = iota
	fateAway         // the stores can't be reached: everything waits
	fateRefused      // it can never be stored
	fateRest         // it is tried again later; others are not held up
)

// settle takes note of a try. It returns false when the worker must turn to
// another call, and the number in the journal of what is done.
func (w *waiting) settle(p *pending, a *accepted, f fate) (more bool, done uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	a.wasTried()
	switch f {
	case fateAway:
		w.order.pushFirst(p)
		if !w.down {
			w.down = true
			for _, p := range slices.Concat(w.order.emergencies, w.order.others) { // nobody waits for what isn't tried
				for _, a := range p.list {
					a.wasTried()
				}
			}
		}
		return false, 0
	case fateRest:
		p.tries = min(p.tries+1, maxTries)
		p.rests = 1 << (p.tries - 1)
		w.resting = append(w.resting, p)
		return false, 0
	case fateRefused:
		w.refused++
	case fateStored:
		w.slow = false
	}
	p.tries = 0
	p.list = p.list[1:]
	a.stored = true
	w.spill.forget(a.seq)
	*w.count(a)--
	if a.create == nil {
		return true, a.seq
	}
	if k := (answeredKey{a.key.Tenant, a.create.IdempotencyKey}); w.keys[k] == a {
		delete(w.keys, k)
	}
	if p.as != p.key.Call {
		p.renamed = a
		return true, 0
	}
	return true, a.seq
}

// rename gives the call another id, in its answer too if that isn't given yet.
func (w *waiting) rename(p *pending, a *accepted) {
	w.mu.Lock()
	defer w.mu.Unlock()
	p.as, p.hidden = a.alias, !a.given
	n := *a.create
	n.Call.ID = a.alias
	if a.encode != nil {
		a.encode(&n)
	}
	a.create = &n
	if p.call != nil {
		p.call.ID = a.alias
	}
}

// created is the call as it will be stored, as far as is known now.
func (w *waiting) created(a *accepted) calls.NewCall {
	w.mu.Lock()
	defer w.mu.Unlock()
	a.encode, a.given = nil, true // it can't be another any more
	return *a.create
}

// journalled notes the number in the journal of what was given up waiting for. It
// returns true if that is stored already.
func (w *waiting) journalled(a *accepted, seq uint64) (stored bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	a.seq = seq
	return a.stored
}

// has reports whether something waits for the call.
func (w *waiting) has(k trunk.Key) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	p := w.calls[k]
	return p != nil && !p.hidden
}

// call is the call as it will be once everything is stored, if that is known.
func (w *waiting) call(k trunk.Key) (c calls.Call, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	p := w.calls[k]
	if p == nil || p.call == nil || p.hidden {
		return c, false
	}
	return *p.call, true
}

// spilling reports whether something waits in the journal alone.
func (w *waiting) spilling() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.spill.on
}

// away reports whether the stores were, when they were last tried.
func (w *waiting) away() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.down
}

// ailing reports whether an answer would wait in vain for the stores.
func (w *waiting) ailing() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.down || w.slow
}

// tooSlow notes that an answer waited in vain, until something is stored again.
func (w *waiting) tooSlow() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.slow = true
}

// Backlog is what was answered and is not stored yet.
type Backlog struct {
	EmergencyCalls int
	// Calls are those that are no emergencies: see Options.CallsFromMemory.
	Calls  int
	Events int
	// Refused is how many events were accepted and could never be stored: their
	// call doesn't exist, or can't make that move. Each is logged.
	Refused int64
	// JournalFailures is how often the journal could not be written: what was
	// answered then is in memory alone.
	JournalFailures int64
}

// Backlog counts what was answered and is not stored yet.
func (s *Service) Backlog() Backlog {
	s.later.mu.Lock()
	defer s.later.mu.Unlock()
	return Backlog{
		EmergencyCalls: s.later.emergencies + s.later.spill.emergencies, Calls: s.later.others + s.later.spill.others,
		Events:  s.later.events + s.later.spill.events,
		Refused: s.later.refused, JournalFailures: s.writing.failed.Load(),
	}
}

// Unstored is how many emergency calls were answered and are not stored yet.
func (s *Service) Unstored() int { return s.Backlog().EmergencyCalls }
