package trunk

import (
	"sync/atomic"
	"time"

	"github.com/switchtape/switchtape/callmodel/calls"
)

const (
	tick      = 100 * time.Millisecond
	cpsTicks  = 11 // this tick and the ten before: any whole second is within them
	countBits = 24 // of a tick's word: MaxLimit fits
)

// limit counts the calls of a destination, or of a tenant, a trunk or a rule. Writers hold
// the lock of what it is of; readers don't.
type limit struct {
	concurrent, cps atomic.Int32 // what it takes; 0: any number, noPlace: none
	calls           atomic.Int64
	ticks           [cpsTicks]atomic.Uint64 // number of the tick, and calls begun in it
}

// full returns why there is no room for a call at now, "" if there is room. With 0
// for now, it ignores calls per second.
func (l *limit) full(now int64) calls.LeftReason {
	if most := l.concurrent.Load(); most == noPlace || most > 0 && l.calls.Load() >= int64(most) {
		return calls.LeftConcurrent
	}
	if most := l.cps.Load(); most == noPlace || most > 0 && now != 0 && l.begun(now) >= int64(most) {
		return calls.LeftCPS
	}
	return ""
}

// begun returns how many calls began in the last second.
func (l *limit) begun(now int64) int64 {
	current := uint64(now / int64(tick))
	n := int64(0)
	for i := range l.ticks {
		if word := l.ticks[i].Load(); word>>countBits+cpsTicks > current {
			n += int64(word & (1<<countBits - 1))
		}
	}
	return n
}

// add counts a call that begins.
func (l *limit) add(now int64) {
	l.calls.Add(1)
	current := uint64(now / int64(tick))
	t := &l.ticks[current%cpsTicks]
	word := t.Load()
	if word>>countBits != current {
		word = current << countBits
	}
	if word&(1<<countBits-1) < 1<<countBits-1 {
		t.Store(word + 1)
	}
}

// remove removes a call that was added at then, as if it had never begun.
func (l *limit) remove(then int64) {
	l.calls.Add(-1)
	current := uint64(then / int64(tick))
	t := &l.ticks[current%cpsTicks]
	if word := t.Load(); word>>countBits == current && word&(1<<countBits-1) > 0 {
		t.Store(word - 1)
	}
}
