package decider

import (
	"container/list"
	"sync"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
)

// cacheKey is equal for calls that may share an answer.
type cacheKey struct {
	tenant callmodel.TenantID
	to     string
	params string // that stood behind the callee's number
	kind   calls.Type
	way    calls.Direction
	trunk  string // the one the call came in by
	from   string // the caller, or its class with class set
	class  bool
}

// cache keeps the last good answers. It drops the least recently used first.
type cache struct {
	size int
	ttl  time.Duration

	mu      sync.Mutex
	entries map[cacheKey]*list.Element
	recent  list.List // of *cached, the most recently used in front
}

type cached struct {
	key   cacheKey
	reply *reply
	at    time.Time
}

func newCache(size int, ttl time.Duration) *cache {
	return &cache{size: size, ttl: ttl, entries: map[cacheKey]*list.Element{}}
}

func (c *cache) put(k cacheKey, r *reply, now time.Time) {
	if c.size <= 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if e, ok := c.entries[k]; ok {
		e.Value = &cached{k, r, now}
		c.recent.MoveToFront(e)
		return
	}
	c.entries[k] = c.recent.PushFront(&cached{k, r, now})
	if c.recent.Len() > c.size {
		c.remove(c.recent.Back())
	}
}

func (c *cache) get(k cacheKey, now time.Time) *reply {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.entries[k]
	if !ok {
		return nil
	}
	v, ok := e.Value.(*cached)
	if !ok || now.Sub(v.at) > c.ttl {
		c.remove(e)
		return nil
	}
	c.recent.MoveToFront(e)
	return v.reply
}

func (c *cache) remove(e *list.Element) {
	if v, ok := c.recent.Remove(e).(*cached); ok {
		delete(c.entries, v.key)
	}
}

func (c *cache) len() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.recent.Len()
}
