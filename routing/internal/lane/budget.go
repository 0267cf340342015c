package lane

import (
	"context"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/switchtape/switchtape/callmodel"
)

// Budget bounds work by the bytes that it is about: memory and time go with them.
// Make one with [NewBudget].
type Budget struct {
	most int64
	wait time.Duration
	free *semaphore.Weighted
}

// NewBudget makes a budget of so many bytes. wait is how long Enter waits for its
// share.
func NewBudget(most int64, wait time.Duration) *Budget {
	return &Budget{most: most, wait: wait, free: semaphore.NewWeighted(most)}
}

// Enter takes a share for work on so many bytes and returns what gives it back.
// What is larger than the budget has all of it, and so is worked on alone. The
// shares are given in the order in which they are asked for: much work isn't put
// off for ever by little. The error is CodeOverloaded when the share was not free in
// time, or ctx ended first.
func (b *Budget) Enter(ctx context.Context, bytes int64) (leave func(), err error) {
	n := min(max(bytes, 1), b.most)
	waiting, cancel := context.WithTimeout(ctx, b.wait)
	defer cancel()
	if err := b.free.Acquire(waiting, n); err != nil {
		if ctx.Err() != nil {
			return nil, callmodel.Errorf(callmodel.CodeOverloaded, "the client gave up waiting: %w", context.Cause(ctx))
		}
		return nil, callmodel.Errorf(callmodel.CodeOverloaded,
			"other rules are being worked on, of %d bytes together at most; try again later", b.most)
	}
	return func() { b.free.Release(n) }, nil
}
