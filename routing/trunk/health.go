package trunk

import (
	"sync/atomic"
	"time"

	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/routing"
)

// health is whether a destination works. Writers hold the destination's lock;
// readers don't.
type health struct {
	down  atomic.Bool
	until atomic.Int64 // when it is probed, Unix nanoseconds

	failures  int // in a row, while up
	successes int // while down or probing
	downFor   time.Duration
	upSince   int64
}

// state returns up or down, or probing after the time of being down.
func (h *health) state(now int64) routing.Health {
	switch {
	case !h.down.Load():
		return routing.Up
	case now < h.until.Load():
		return routing.Down
	default:
		return routing.Probing
	}
}

// worked records a sign that the destination works. It reports whether that brought
// the destination up.
func (h *health) worked(now int64, o *Options) bool {
	h.failures = 0
	if !h.down.Load() {
		return false
	}
	if h.successes++; h.successes < o.Successes {
		return false
	}
	h.down.Store(false)
	h.upSince = now
	return true
}

// failed records a network failure. It reports whether that took the destination
// down.
func (h *health) failed(now int64, o *Options) bool {
	switch h.state(now) {
	case routing.Down:
		return false // a call that was sent before, or for want of any other
	case routing.Probing:
	case routing.Up:
		if h.failures++; o.Failures < 0 || h.failures < o.Failures {
			return false
		}
		if now-h.upSince > int64(o.MaxDownFor) {
			h.downFor = 0 // it worked for long: this is another trouble
		}
	}
	h.downFor = min(max(2*h.downFor, o.DownFor), o.MaxDownFor)
	h.failures, h.successes = 0, 0
	h.until.Store(now + int64(h.downFor))
	h.down.Store(true)
	return true
}

// networkFailure reports whether the destination failed, and not the called party.
// Values: ITU-T Q.850 (2018) table 1; RFC 3261 section 21.
func networkFailure(c *calls.Cause) bool {
	if c.SIP != 0 {
		switch c.SIP {
		case 408, 500, 502, 503, 504:
			return true
		}
		return false
	}
	switch c.Q850 {
	case 2, 3, 6, 27, 34, 38, 41, 42, 44, 47, 58, 63, 101, 102, 111, 127:
		return true
	}
	return false
}
