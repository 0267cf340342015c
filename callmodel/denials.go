package callmodel

import (
	"strconv"
	"sync"
	"time"
)

// Of what one principal is denied, as many lines as maxDenials are kept in a
// denialPeriod. Those who ask for what isn't there over and over would fill the
// audit log otherwise.
const (
	maxDenials    = 30
	denialPeriod  = time.Minute
	maxPrincipals = 4096 // counted at a time
)

// Denials makes the audit lines of what principals were denied, some a minute for
// each. The zero value is ready; it may be used by any number of goroutines.
type Denials struct {
	mu sync.Mutex
	of map[deniedPrincipal]*denialCount
}

type deniedPrincipal struct {
	tenant  TenantID
	subject string
}

type denialCount struct {
	since   time.Time
	lines   int
	leftOut int
}

// Line is the audit line of a principal that asked for what it may not have. Of one
// that goes on asking 30 lines a minute are kept; the further ones are counted, and
// the next line's detail says how many were "left_out".
func (d *Denials) Line(p Principal, what string, now time.Time) (line AuditEvent, keep bool) {
	leftOut, keep := d.add(p.TenantID, p.Subject, now)
	if !keep {
		return AuditEvent{}, false
	}
	line = AuditEvent{TenantID: p.TenantID, Actor: p.Subject, Action: AuditAccessDenied, Subject: what}
	if leftOut > 0 {
		line.Detail = map[string]string{"left_out": strconv.Itoa(leftOut)}
	}
	return line, true
}

// add counts a denial. keep says that it gets a line, and leftOut how many before
// it got none.
func (d *Denials) add(t TenantID, subject string, now time.Time) (leftOut int, keep bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.of == nil {
		d.of = map[deniedPrincipal]*denialCount{}
	}
	who := deniedPrincipal{t, subject}
	c := d.of[who]
	if c == nil {
		if len(d.of) >= maxPrincipals {
			clear(d.of)
		}
		c = &denialCount{since: now}
		d.of[who] = c
	}
	if age := now.Sub(c.since); age >= denialPeriod || age < 0 {
		c.since, c.lines = now, 0
	}
	if c.lines >= maxDenials {
		c.leftOut++
		return 0, false
	}
	c.lines++
	leftOut, c.leftOut = c.leftOut, 0
	return leftOut, true
}
