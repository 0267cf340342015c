package trunk

import (
	"cmp"
	"time"

	"github.com/switchtape/switchtape/routing"
)

// Options configure a Group. The zero value works.
type Options struct {
	// Share is how many processes decide, each of which enforces its part of the
	// limits, at least 1. 0 means 1.
	Share int
	// Now is the clock. Nil means time.Now.
	Now func() time.Time

	// Failures in a row take a destination down. 0 means 5; negative: none do.
	Failures int
	// Successes in a row of a probing destination bring it up. 0 means 2.
	Successes int
	// DownFor is how long a destination is down before it is first probed. The time
	// doubles with every failure, up to MaxDownFor. 0 means 5 s and 5 min.
	DownFor, MaxDownFor time.Duration
	// ProbeShare is how many of 1000 calls a probing destination takes.
	// 0 means 50.
	ProbeShare int

	// Window is how far back the quality looks. 0 means 15 min.
	Window time.Duration
	// MinSample is how many attempts the window must hold before a level is
	// changed. 0 means 50.
	MinSample int
	// Hold is the least time that a level stays. It doubles whenever the level turns
	// back, up to MaxHold. 0 means 1 min and 2 h.
	Hold, MaxHold time.Duration

	// SetupTTL is how long a call may be unanswered before its place is given
	// back, and CallTTL how long it may be answered. 0 means 5 min and 12 h.
	SetupTTL, CallTTL time.Duration

	// Prober asks destinations whether they work. Nil: only calls show it.
	Prober Prober
	// ProbeEvery is how often each is asked, and ProbeTimeout how long it may
	// take to answer. 0 means 30 s and 2 s.
	ProbeEvery, ProbeTimeout time.Duration

	// Changed is called when a destination's health or level changes, by the goroutine
	// that changes it. It must not wait. Nil means that nobody is told.
	Changed func(Change)
}

// Change is a change of a destination's health or level.
type Change struct {
	Destination string
	Health      routing.Health
	Level       int
	Why         string // "health" or "quality"
}

func (o Options) filled() Options {
	o.Share = max(o.Share, 1)
	if o.Now == nil {
		o.Now = time.Now //nolint:forbidigo // the default of an injected clock
	}
	o.Failures = cmp.Or(o.Failures, 5)
	o.Successes = cmp.Or(o.Successes, 2)
	o.DownFor = cmp.Or(o.DownFor, 5*time.Second)
	o.MaxDownFor = max(o.DownFor, cmp.Or(o.MaxDownFor, 5*time.Minute))
	o.ProbeShare = min(max(cmp.Or(o.ProbeShare, 50), 1), 1000)
	o.Window = max(cmp.Or(o.Window, 15*time.Minute), windowBuckets)
	o.MinSample = cmp.Or(o.MinSample, 50)
	o.Hold = cmp.Or(o.Hold, time.Minute)
	o.MaxHold = max(o.Hold, cmp.Or(o.MaxHold, 2*time.Hour))
	o.SetupTTL = cmp.Or(o.SetupTTL, 5*time.Minute)
	o.CallTTL = cmp.Or(o.CallTTL, 12*time.Hour)
	o.ProbeEvery = cmp.Or(o.ProbeEvery, 30*time.Second)
	o.ProbeTimeout = cmp.Or(o.ProbeTimeout, 2*time.Second)
	if o.Changed == nil {
		o.Changed = func(Change) {}
	}
	return o
}
