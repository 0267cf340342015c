package outside

import (
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// Cache keeps the last good answers, each for a time. It drops the least recently used
// first. It may be used by any number of goroutines.
//
// It is over the simplest LRU: the expirable one starts a goroutine that never ends and has
// a clock of its own, and the locked one can't look at an answer and drop it in one step.
type Cache[K comparable, A any] struct {
	ttl time.Duration

	mu      sync.Mutex
	entries *simplelru.LRU[K, kept[A]] // nil: nothing is kept
}

type kept[A any] struct {
	answer A
	at     time.Time
}

// NewCache makes a cache of at most size answers, each good for ttl. A size of 0 or
// less keeps none.
func NewCache[K comparable, A any](size int, ttl time.Duration) *Cache[K, A] {
	c := &Cache[K, A]{ttl: ttl}
	if size > 0 {
		c.entries, _ = simplelru.NewLRU[K, kept[A]](size, nil) // fails for other sizes only
	}
	return c
}

// Put keeps the answer, as of now.
func (c *Cache[K, A]) Put(k K, answer A, now time.Time) {
	if c.entries == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.entries.Add(k, kept[A]{answer, now})
}

// Get returns the answer that is kept, and drops it if it is too old by now.
func (c *Cache[K, A]) Get(k K, now time.Time) (answer A, ok bool) {
	if c.entries == nil {
		return answer, false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.entries.Get(k)
	if !ok {
		return answer, false
	}
	if now.Sub(e.at) > c.ttl {
		c.entries.Remove(k)
		return answer, false
	}
	return e.answer, true
}

// Len returns how many answers are kept.
func (c *Cache[K, A]) Len() int {
	if c.entries == nil {
		return 0
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.entries.Len()
}
