package outside

import (
	"math"
	"sync"
	"time"

	"github.com/failsafe-go/failsafe-go/circuitbreaker"
)

// MaxBreakerFailures bounds how many failures in a row a breaker counts.
const MaxBreakerFailures = 1 << 16

// doublings is how often the time that a breaker is open is doubled: up to 32 times.
const doublings = 5

// breaker keeps calls from waiting for a service that doesn't answer. After several
// failures in a row it opens for a while. Then it lets one request through, and
// closes or stays open for twice as long.
//
// The states and the counting are circuitbreaker's. Its delay is not used: it runs by
// the wall clock, which can't be replaced, and is the same at each opening unless an
// executor asks for it. So the delay is endless there, and the breaker is half-opened
// here, by the injected clock.
type breaker struct {
	first, longest time.Duration

	mu      sync.Mutex
	states  circuitbreaker.CircuitBreaker[any]
	openFor time.Duration // the latest time that it was open for; 0 since it closed
	until   time.Time
}

func newBreaker(failures int, first time.Duration) *breaker {
	return &breaker{
		first: first, longest: first << doublings,
		states: circuitbreaker.NewBuilder[any]().
			WithFailureThreshold(uint(min(max(failures, 1), MaxBreakerFailures))).
			WithSuccessThreshold(1). // and one request in the half-open state
			WithDelay(math.MaxInt64).
			Build(),
	}
}

// allow reports whether the service may be asked. If so, one of succeeded,
// failed and unknown must follow.
func (b *breaker) allow(now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.states.IsOpen() && !now.Before(b.until) {
		b.states.HalfOpen()
	}
	return b.states.TryAcquirePermit()
}

// succeeded closes the breaker, also for a request that was sent before it opened: the
// service answers again.
func (b *breaker) succeeded() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.states.RecordSuccess()
	b.states.Close()
	b.openFor = 0
}

// failed opens the breaker if it was the last of enough failures, or the one request
// of the half-open state. A straggler of before it opened changes nothing.
func (b *breaker) failed(now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.states.IsOpen() {
		return
	}
	if b.states.RecordFailure(); b.states.IsOpen() {
		b.openFor = min(max(2*b.openFor, b.first), b.longest)
		b.until = now.Add(b.openFor)
	}
}

// unknown is for a request whose caller gave up before the service could answer. It
// counts neither way. In the half-open state the next caller takes its place:
// circuitbreaker takes a permit back only with a result, so the breaker is opened
// again, and its time is over already.
func (b *breaker) unknown() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.states.IsHalfOpen() {
		b.states.Open()
	}
}

// open reports whether the breaker keeps the service from being asked.
func (b *breaker) open() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return !b.states.IsClosed()
}
