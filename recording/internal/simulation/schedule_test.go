package simulation

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"strings"
	"sync"
	"testing/synctest"
	"time"
)

// call is a process's call of a port, which waits for its turn.
type call struct {
	port

	who   *process
	id    string // the same in every run of a seed: who calls what for the how-manieth time
	turn  chan fault
	ready time.Time // it has no turn before
	fault fault
	begun bool // it was admitted
}

// port is what is called.
type port struct {
	op    string // "claim", "complete", …
	about string // the job, the object or the leg that it is about
	token int64  // of the lease that it is made with; 0 for none
	place string // that is called: database, bucket, legs or broker; "" for none
	// when says whether the call can be answered; nil for always.
	when func() bool
	// wrong is the error of a call that fails.
	wrong func(id string) error
}

// fault is what happens to a call.
type fault string

const (
	noFault     fault = ""
	failBefore  fault = "fails, without effect"
	failAfter   fault = "fails, with effect"
	hangBefore  fault = "is never answered, without effect"
	hangAfter   fault = "is never answered, with effect"
	late        fault = "fails, with effect long after"
	slow        fault = "is slow"
	killBefore  fault = "is killed before"
	killAfter   fault = "is killed after"
	stall       fault = "is stopped for a while"
	drain       fault = "is told to end"
	outage      fault = "is away"
	clockJump   fault = "jumps"
	retryByHand fault = "is retried by hand"
)

// faults and how often they are among a hundred.
var faults = []struct {
	fault fault
	share uint64
}{
	{failBefore, 21}, {failAfter, 19}, {slow, 11}, {hangBefore, 6}, {hangAfter, 6}, {late, 10}, {killBefore, 8}, {killAfter, 8}, {stall, 8}, {drain, 3},
}

// always is an error that is the same for every call.
func always(err error) func(string) error { return func(string) error { return err } }

var errKilled = errors.New("the process is dead")

// world is one run of a seed: processes, what they talk to, and the order in which their
// calls are answered. One goroutine at a time does anything: after each answer the
// scheduler waits until all goroutines wait again.
type world struct {
	cfg     config
	began   time.Time
	calmAt  time.Time // no faults from then on
	clock   *laneClock
	arrived chan struct{}

	mu      sync.Mutex
	waiting []*call

	closing bool
	made    map[string]int  // how often a call of a name was made
	hit     []string        // the faults that happened, by the calls' ids
	hits    map[string]bool // the same
	agenda  []event
	current *call // whose turn it was last
	steps   int
	idle    int
	wrong   *violation

	tracing sync.Mutex
	trace   []string

	processes sync.WaitGroup
	*state
}

// event is something that happens at a time, whoever is called.
type event struct {
	at   time.Time
	name string
	do   func()
}

// draw is a number that depends on the seed and the names alone.
func (w *world) draw(names ...string) uint64 {
	h := fnv.New64a()
	for i := range 8 {
		_, _ = h.Write([]byte{byte(w.cfg.seed >> (8 * i))})
	}
	for _, n := range names {
		_, _ = h.Write([]byte(n))
		_, _ = h.Write([]byte{0})
	}
	x := h.Sum64() // mixed once more, as FNV's upper bits hardly know of the last bytes
	x ^= x >> 33
	x *= 0xff51afd7ed558ccd
	x ^= x >> 33
	x *= 0xc4ceb9fe1a85ec53
	return x ^ x>>33
}

// between is a duration between the two.
func (w *world) between(least, most time.Duration, names ...string) time.Duration {
	return least + time.Duration(w.draw(names...)%uint64(most-least+1))
}

// permits reports whether the fault of that name may happen: while a failure is shrunk,
// only some may.
func (w *world) permits(name string) bool {
	if !time.Now().Before(w.calmAt) {
		return false
	}
	return w.cfg.only == nil || w.cfg.only[name]
}

// note notes that a fault has happened.
func (w *world) note(name string, f fault) {
	if w.hits[name] {
		return
	}
	w.hits[name] = true
	w.hit = append(w.hit, name)
	w.tell("    ! %s %s", name, f)
}

func (w *world) tell(format string, args ...any) {
	if w.cfg.trace {
		w.tracing.Lock()
		defer w.tracing.Unlock()
		w.trace = append(w.trace, fmt.Sprintf("%12s  ", time.Since(w.began).Round(time.Millisecond))+fmt.Sprintf(format, args...))
	}
}

// fail ends the run.
func (w *world) fail(rule, format string, args ...any) {
	if w.wrong == nil {
		w.wrong = &violation{rule: rule, says: fmt.Sprintf(format, args...)}
		w.tell("*** %s: %s", rule, w.wrong.says)
	}
}

// violation is a rule that was broken.
type violation struct{ rule, says string }

func (v *violation) Error() string { return v.rule + ": " + v.says }

// at puts an event on the agenda.
func (w *world) at(at time.Time, name string, do func()) {
	w.mu.Lock()
	w.plan(event{at, name, do})
	w.mu.Unlock()
	w.wake()
}

// wake has the scheduler look what there is to do.
func (w *world) wake() {
	select {
	case w.arrived <- struct{}{}:
	default:
	}
}

// due takes the next event off the agenda, if its time has come.
func (w *world) due() (e event, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.agenda) == 0 || time.Now().Before(w.agenda[0].at) {
		return event{}, false
	}
	e, w.agenda = w.agenda[0], w.agenda[1:]
	return e, true
}

// planned is how many events there are to come.
func (w *world) planned() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.agenda)
}

// plan is at, with the lock held.
func (w *world) plan(e event) {
	w.agenda = append(w.agenda, e)
	slices.SortStableFunc(w.agenda, func(a, b event) int { return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.name, b.name)) })
}

// ask makes a call of a port: it waits for its turn, and meets its fate. do has the
// effect.
func (p *process) ask(ctx context.Context, to port, do func(ctx context.Context) error) error {
	w := p.world
	c := &call{port: to, who: p, turn: make(chan fault, 1)}
	w.mu.Lock()
	if p.isDead() {
		w.mu.Unlock()
		return errKilled
	}
	if err := ctx.Err(); err != nil {
		w.mu.Unlock()
		return err
	}
	w.waiting = append(w.waiting, c)
	w.mu.Unlock()
	w.wake()
	var f fault
	select {
	case f = <-c.turn:
	case <-ctx.Done():
		w.withdraw(c)
		return context.Cause(ctx)
	case <-p.died:
		w.withdraw(c)
		return errKilled
	}
	switch f {
	case failBefore:
		return to.wrong(c.id)
	case failAfter:
		_ = do(ctx)
		return to.wrong(c.id)
	case late:
		w.at(time.Now().Add(w.between(5*time.Second, 3*time.Minute, "how late", c.id)), c.id+" has its effect", func() {
			w.current = c
			_ = do(context.Background())
		})
		return to.wrong(c.id)
	case hangBefore:
		return p.hang(ctx)
	case hangAfter:
		_ = do(ctx)
		return p.hang(ctx)
	case killBefore:
		p.die()
		return errKilled
	case killAfter:
		_ = do(ctx)
		p.die()
		return errKilled
	case noFault, slow, stall, drain, outage, clockJump, retryByHand:
	}
	return do(ctx)
}

// hang waits for an answer that never comes.
func (p *process) hang(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-p.died:
		return errKilled
	}
}

func (w *world) withdraw(c *call) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.waiting = slices.DeleteFunc(w.waiting, func(other *call) bool { return other == c })
}

// run lets the processes' calls have their turns until all is settled, a rule is broken,
// or there were enough of them.
func (w *world) run() {
	for {
		synctest.Wait()
		w.check()
		if w.wrong != nil || !time.Now().Before(w.calmAt) && w.planned() == 0 && w.settled() {
			return
		}
		if w.steps > w.cfg.mostSteps {
			w.fail("everything settles", "after %d steps, %v after the last fault, there is still: %s", w.steps, time.Since(w.calmAt).Round(time.Second), strings.Join(w.unsettled(20), ", "))
			return
		}
		if time.Since(w.calmAt) > patience {
			w.fail("everything settles", "%v after the last fault there is still: %s", patience, strings.Join(w.unsettled(20), ", "))
			return
		}
		if e, ok := w.due(); ok {
			w.current = nil
			w.tell("%s", e.name)
			e.do()
			continue
		}
		c, wait := w.next()
		if c == nil {
			w.rest(wait)
			continue
		}
		w.current = c
		w.steps++
		w.tell("%s", c.id)
		c.turn <- c.fault
	}
}

// rest lets time pass.
func (w *world) rest(wait time.Duration) {
	w.mu.Lock()
	if len(w.agenda) > 0 {
		wait = min(wait, time.Until(w.agenda[0].at))
	}
	w.mu.Unlock()
	t := time.NewTimer(max(wait, time.Microsecond))
	defer t.Stop()
	select {
	case <-w.arrived:
	case <-t.C:
	}
}

// next is the call whose turn it is, which is taken off the waiting ones, or how long there
// is none.
func (w *world) next() (*call, time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var fresh []*call
	for _, c := range w.waiting {
		if !c.begun {
			fresh = append(fresh, c)
		}
	}
	slices.SortStableFunc(fresh, func(a, b *call) int {
		return cmp.Or(cmp.Compare(a.who.name, b.who.name), cmp.Compare(a.who.life, b.who.life), cmp.Compare(a.op, b.op), cmp.Compare(a.about, b.about))
	})
	for _, c := range fresh {
		w.admit(c)
	}
	now, wait := time.Now(), time.Minute
	var first *call
	var rank uint64
	for _, c := range w.waiting {
		ready := c.ready
		if c.who.stopped.After(ready) {
			ready = c.who.stopped
		}
		if ready.After(now) {
			wait = min(wait, ready.Sub(now))
			continue
		}
		if c.when != nil && !c.when() {
			continue
		}
		if r := w.draw("rank", c.id); first == nil || r < rank {
			first, rank = c, r
		}
	}
	if first != nil {
		w.waiting = slices.DeleteFunc(w.waiting, func(other *call) bool { return other == first })
	}
	return first, wait
}

// admit says when a call that has come in has its turn, and what happens to it.
func (w *world) admit(c *call) {
	name := c.who.String() + " " + c.op
	if c.about != "" {
		name += " " + c.about
	}
	w.made[name]++
	c.id, c.begun = fmt.Sprintf("%s #%d", name, w.made[name]), true
	now := time.Now()
	c.ready = now.Add(w.between(50*time.Microsecond, 5*time.Millisecond, "latency", c.id))
	if w.draw("fault", c.id)%10_000 < w.rate(c) && w.permits(c.id) {
		c.fault = pickFault(w.draw("which fault", c.id) % 100)
	}
	if killed := c.fault == killBefore || c.fault == killAfter; !killed && w.isAway(c.place, now) {
		c.fault = failBefore
		return
	}
	if c.fault == noFault {
		return
	}
	if c.fault == late && !changesSomething[c.op] {
		c.fault = failBefore
	}
	w.note(c.id, c.fault)
	switch c.fault {
	case slow:
		c.ready = now.Add(w.between(time.Second, 50*time.Second, "how slow", c.id))
	case stall:
		c.who.stopped = now.Add(w.between(20*time.Second, 5*time.Minute, "for how long", c.id))
	case drain: // not here: what it wakes must not run beside the scheduler
		w.plan(event{now, c.who.String() + " is told to end", c.who.end})
	default:
	}
}

// pickFault is one of the faults, by a number below 100.
func pickFault(pick uint64) fault {
	for _, f := range faults {
		if pick < f.share {
			return f.fault
		}
		pick -= f.share
	}
	return noFault
}

// isAway reports whether the place answers nobody now.
func (w *world) isAway(place string, now time.Time) bool {
	for _, o := range w.outages {
		if o.place == place && !now.Before(o.from) && now.Before(o.to) && w.permits(o.name) {
			w.note(o.name, outage)
			return true
		}
	}
	return false
}

// changesSomething are the calls that are worth having an effect late: as of a request that
// was on its way for longer than its sender has waited.
var changesSomething = map[string]bool{
	"claim": true, "extend": true, "complete": true, "publish": true, "fail": true, "release": true, "enqueue": true, "retry": true, "quarantine": true,
	"keep letter": true, "ack": true, "nack": true, "begin upload of": true, "put part of": true, "take back upload of": true, "complete upload of": true,
	"remove leg": true, "advance in the outbox": true, "send": true,
}

// rate is how many calls of ten thousand meet a fault.
func (w *world) rate(c *call) uint64 {
	if strings.HasPrefix(c.op, "claim") || c.op == "receive" {
		return w.cfg.faults / 2 // there are many of them, and they say little
	}
	return w.cfg.faults
}
