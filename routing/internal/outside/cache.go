package outside

import (
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
)

// Cache keeps the last good answers, each for a time. It drops the least recently used
// first. It may be used by any number of goroutines.
//
// It is the plain LRU: the expirable one starts a goroutine that never ends, and has
// its own clock.
type Cache[K comparable, A any] struct {
	entries *lru.Cache[K, kept[A]] // nil: nothing is kept
	ttl     time.Duration
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
		c.entries, _ = lru.New[K, kept[A]](size) // fails for other sizes only
	}
	return c
}

// Put keeps the answer, as of now.
func (c *Cache[K, A]) Put(k K, answer A, now time.Time) {
	if c.entries != nil {
		c.entries.Add(k, kept[A]{answer, now})
	}
}

// Get returns the answer that is kept, unless it is too old by now.
func (c *Cache[K, A]) Get(k K, now time.Time) (answer A, ok bool) {
	if c.entries == nil {
		return answer, false
	}
	e, ok := c.entries.Get(k)
	if !ok {
		return answer, false
	}
	if now.Sub(e.at) > c.ttl {
		// Another may have been put meanwhile: then that one is lost, and comes again.
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
	return c.entries.Len()
}
