package auth

import (
	"context"
	"sync"
	"time"
)

// shared is a look at something far away that all who need one share, so that however
// many need it, it is made one at a time, with a gap between two.
type shared struct {
	look    func(ctx context.Context)
	every   time.Duration // between looks that nobody needs
	gap     time.Duration // between two looks at least
	timeout time.Duration // for which somebody waits for one

	kick    chan struct{}
	mu      sync.Mutex
	waiting chan struct{} // closed after the next look; nil if nobody waits
}

func newShared(every, gap, timeout time.Duration, look func(context.Context)) *shared {
	return &shared{look: look, every: every, gap: gap, timeout: timeout, kick: make(chan struct{}, 1)}
}

// run looks until ctx ends.
func (s *shared) run(ctx context.Context) {
	every := time.NewTicker(s.every)
	defer every.Stop()
	for {
		s.mu.Lock()
		waiting := s.waiting
		s.waiting = nil
		s.mu.Unlock()
		s.look(ctx)
		if waiting != nil {
			close(waiting)
		}
		// Whoever comes now waits for the next look, which is not at once.
		select {
		case <-ctx.Done():
			return
		case <-time.After(s.gap):
		}
		select {
		case <-ctx.Done():
			return
		case <-every.C:
		case <-s.kick:
		}
	}
}

// next waits for a look that begins after now; false if there is none in time.
func (s *shared) next(ctx context.Context) bool {
	s.mu.Lock()
	if s.waiting == nil {
		s.waiting = make(chan struct{})
	}
	looked := s.waiting
	s.mu.Unlock()
	select {
	case s.kick <- struct{}{}:
	default:
	}
	timeout := time.NewTimer(s.timeout)
	defer timeout.Stop()
	select {
	case <-looked:
		return true
	case <-ctx.Done():
	case <-timeout.C:
	}
	return false
}
