// Package plays tells which requests for something are of one look at it, so that the audit
// log has one line of it: players and downloads ask for a file in ranges.
package plays

import (
	"sync"
	"time"

	"github.com/switchtape/switchtape/callmodel"
)

const (
	// Gap is how long after a request for something the next one of the same principal is of
	// the same look.
	Gap     = 10 * time.Minute
	maxSeen = 4096 // remembered
)

// Play is somebody who looks at something.
type Play struct {
	Tenant       callmodel.TenantID
	Subject, Key string // who, and the object
}

// Plays remembers them. The zero value is ready, and may be used by any number of
// goroutines.
type Plays struct {
	mu   sync.Mutex
	seen map[Play]time.Time // when it was asked for last
}

// GoesOn reports whether the look goes on.
func (p *Plays) GoesOn(of Play, now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	at, ok := p.seen[of]
	if ok = ok && now.Sub(at) < Gap; ok {
		p.seen[of] = now
	}
	return ok
}

// Began notes that the audit log has it.
func (p *Plays) Began(of Play, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.seen == nil {
		p.seen = map[Play]time.Time{}
	}
	if len(p.seen) >= maxSeen {
		for other, at := range p.seen {
			if now.Sub(at) >= Gap {
				delete(p.seen, other)
			}
		}
		if len(p.seen) >= maxSeen {
			clear(p.seen) // those that go on have another line
		}
	}
	p.seen[of] = now
}
