// Package lane bounds how much is worked on at once, with a short wait for
// whoever comes when everything is taken.
package lane

import (
	"context"
	"time"

	"github.com/switchtape/switchtape/callmodel"
)

// Lane is a number of places. Make one with [New].
type Lane struct {
	places chan struct{}
	wait   time.Duration
}

// New makes a lane of so many places. wait is how long Enter waits for one.
func New(places int, wait time.Duration) *Lane {
	return &Lane{places: make(chan struct{}, places), wait: wait}
}

// Enter takes a place and returns what gives it back. The error is
// CodeOverloaded when none became free in time, or ctx ended first.
func (l *Lane) Enter(ctx context.Context) (leave func(), err error) {
	leave = func() { <-l.places }
	select {
	case l.places <- struct{}{}:
		return leave, nil
	default:
	}
	t := time.NewTimer(l.wait)
	defer t.Stop()
	select {
	case l.places <- struct{}{}:
		return leave, nil
	case <-ctx.Done():
		return nil, callmodel.Errorf(callmodel.CodeOverloaded, "the client gave up waiting: %w", context.Cause(ctx))
	case <-t.C:
		return nil, callmodel.Errorf(callmodel.CodeOverloaded, "%d requests are being served already; try again later", cap(l.places))
	}
}
