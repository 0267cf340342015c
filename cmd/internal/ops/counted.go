package ops

import (
	"context"
	"sync"
	"time"
)

// counted is what is counted in the database for a scrape. It is counted at each, unless
// that took so long the last time that the database would be at it for more than a
// twentieth of the time: then it is some seconds old.
type counted[T any] struct {
	count func(context.Context) (T, error)
	now   func() time.Time

	mu   sync.Mutex
	last T
	err  error
	at   time.Time // when last was asked for; zero if it never was
	took time.Duration
}

// countShare is how much of the time counting may take: one part of so many.
const countShare = 20

// countTimeout bounds one count: a scraper waits ten seconds as a rule.
const countTimeout = 5 * time.Second

// get counts, or says what it was a little while ago, and how old that is. An error isn't
// asked for again at once either.
func (c *counted[T]) get() (T, time.Duration, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	old := c.now().Sub(c.at)
	if c.at.IsZero() || old >= countShare*c.took {
		ctx, cancel := context.WithTimeout(context.Background(), countTimeout)
		defer cancel()
		c.at = c.now()
		c.last, c.err = c.count(ctx)
		old = c.now().Sub(c.at)
		c.took = old
	}
	return c.last, old, c.err
}
