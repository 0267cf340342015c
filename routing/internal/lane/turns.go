package lane

import (
	"cmp"
	"slices"
	"time"

	"github.com/switchtape/switchtape/callmodel"
)

// share is what a tenant has of a Fair.
type share struct {
	tenant callmodel.TenantID
	held   int       // places
	queue  []*waiter // the most urgent first, and of equals the one who came first
	served uint64    // when it last took or gave back a place, or came
}

// waiter is a request that waits for a place.
type waiter struct {
	of      *share
	urgency int
	told    chan struct{} // closed when place or err is set
	place   Place
	err     error
}

// shareOf is the tenant's share.
func (f *Fair) shareOf(t callmodel.TenantID) *share {
	if s := f.tenants[t]; s != nil {
		return s
	}
	var s *share
	if n := len(f.idle); n > 0 {
		s, f.idle = f.idle[n-1], f.idle[:n-1]
	} else {
		s = &share{}
	}
	s.tenant = t
	f.serve(s)
	f.tenants[t] = s
	return s
}

// serve puts the tenant behind all others with as many places.
func (f *Fair) serve(s *share) {
	f.turns++
	s.served = f.turns
}

// forget keeps nothing of a tenant that neither holds a place nor waits.
func (f *Fair) forget(s *share) {
	if s.held == 0 && len(s.queue) == 0 && f.tenants[s.tenant] == s {
		delete(f.tenants, s.tenant)
		f.idle = append(f.idle, s)
	}
}

// join queues a request. Where there is no room it takes that of the last one of the
// same tenant, if that is less urgent, or of the tenant with the longest queue, if that
// stays no shorter than its own. full is the refusal if it doesn't get any.
func (f *Fair) join(s *share, urgency int) (w *waiter, full error) {
	switch {
	case len(s.queue) >= f.opts.QueueOfTenant:
		if !f.displace(s, urgency) {
			return nil, f.refuse(s, ReasonTenantFull)
		}
	case f.queued >= f.opts.Queue:
		longest := slices.MaxFunc(f.waiting, func(a, b *share) int { return len(a.queue) - len(b.queue) })
		if len(longest.queue) > len(s.queue)+1 {
			f.push(longest)
		} else if !f.displace(s, urgency) {
			return nil, f.refuse(s, ReasonFull)
		}
	}
	if len(s.queue) == 0 {
		f.waiting = append(f.waiting, s)
	}
	w = &waiter{of: s, urgency: urgency, told: make(chan struct{})}
	at, _ := slices.BinarySearchFunc(s.queue, urgency, func(have *waiter, urgency int) int {
		if have.urgency >= urgency { // and so after its equals
			return -1
		}
		return 1
	})
	s.queue = slices.Insert(s.queue, at, w)
	f.queued++
	return w, nil
}

// displace refuses the tenant's last one, if that is less urgent.
func (f *Fair) displace(s *share, urgency int) bool {
	if n := len(s.queue); n == 0 || s.queue[n-1].urgency >= urgency {
		return false
	}
	f.push(s)
	return true
}

// push refuses the tenant's last one.
func (f *Fair) push(s *share) {
	last := s.queue[len(s.queue)-1]
	f.remove(last)
	last.err = f.refuse(s, ReasonDisplaced)
	close(last.told)
}

// remove takes one out of the queue.
func (f *Fair) remove(w *waiter) {
	s := w.of
	at := slices.Index(s.queue, w)
	s.queue = slices.Delete(s.queue, at, at+1)
	f.queued--
	if len(s.queue) == 0 {
		f.waiting = slices.DeleteFunc(f.waiting, func(have *share) bool { return have == s })
	}
}

// next takes the one out of the queues whose turn it is.
func (f *Fair) next() *waiter {
	s := slices.MinFunc(f.waiting, func(a, b *share) int {
		if a.held != b.held {
			return a.held - b.held
		}
		return cmp.Compare(a.served, b.served)
	})
	w := s.queue[0]
	f.remove(w)
	return w
}

// refuse counts a refusal and says when to try again: when those of the tenant that
// wait will have had their turns.
func (f *Fair) refuse(s *share, why Reason) error {
	f.refused[why]++
	turn := f.held * time.Duration(max(len(f.waiting), 1)) / time.Duration(max(f.limit.Limit(), 1))
	after := min(max(turn*time.Duration(len(s.queue)+1), time.Second), time.Minute)
	var err error
	switch why {
	case ReasonTooLong:
		err = callmodel.Errorf(callmodel.CodeOverloaded, "%d requests are being served already, and none ended within %v; try again later",
			f.limit.Inflight(), f.opts.Wait)
	default:
		err = callmodel.Errorf(callmodel.CodeOverloaded, "%d requests are being served already, and %d wait, %d of them the tenant's; try again later",
			f.limit.Inflight(), f.queued, len(s.queue))
	}
	return callmodel.RetryAfter(err, after)
}
