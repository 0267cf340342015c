package decider

import (
	"sync"
	"time"
)

// breaker keeps calls from waiting for a service that doesn't answer. After several
// failures in a row it opens for a while. Then it lets one request through, and
// closes or stays open for twice as long.
type breaker struct {
	failures       int
	first, longest time.Duration

	mu      sync.Mutex
	count   int
	openFor time.Duration // 0: closed
	until   time.Time
	trying  bool
}

// allow reports whether the service may be asked. If so, one of succeeded,
// failed and unknown must follow.
func (b *breaker) allow(now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.openFor == 0 {
		return true
	}
	if b.trying || now.Before(b.until) {
		return false
	}
	b.trying = true
	return true
}

func (b *breaker) succeeded() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.count, b.openFor, b.trying = 0, 0, false
}

func (b *breaker) failed(now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.count++
	if b.openFor > 0 && !b.trying || b.openFor == 0 && b.count < b.failures {
		return // a straggler of before it opened, or not enough
	}
	b.openFor = min(max(2*b.openFor, b.first), b.longest)
	b.until, b.trying, b.count = now.Add(b.openFor), false, 0
}

// unknown is for a request whose caller gave up before the service could answer.
func (b *breaker) unknown() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.trying = false
}

// open reports whether the breaker keeps the service from being asked.
func (b *breaker) open() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.openFor > 0
}
