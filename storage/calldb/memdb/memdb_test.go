package memdb_test

import (
	"sync"
	"testing"
	"time"

	"github.com/switchtape/switchtape/storage/calldb/memdb"
	"github.com/switchtape/switchtape/storage/storetest"
)

// clock is a clock that tests move.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

func TestStores(t *testing.T) {
	t.Parallel()
	t.Run("moved clock", func(t *testing.T) {
		t.Parallel()
		storetest.All(t, func(*testing.T) storetest.Env {
			c := &clock{at: time.Date(2026, 1, 2, 3, 4, 5, 678901234, time.UTC)}
			e := storetest.Of(memdb.New(c.now))
			e.Advance = c.advance
			return e
		})
	})
	t.Run("machine's clock", func(t *testing.T) {
		t.Parallel()
		storetest.All(t, func(*testing.T) storetest.Env { return storetest.Of(memdb.New(nil)) })
	})
}
