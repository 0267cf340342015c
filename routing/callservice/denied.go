package callservice

import (
	"context"
	"strconv"
	"sync"
	"time"

	"github.com/switchtape/switchtape/callmodel"
)

// Of what one principal is denied, as many lines as maxDenials are kept in a
// denialPeriod. Those who ask for what isn't there over and over would fill the
// audit log otherwise.
const (
	maxDenials    = 30
	denialPeriod  = time.Minute
	maxPrincipals = 4096 // counted at a time
)

// AccessDenied leaves a line in the audit log of the principal's tenant: it asked
// for what it may not have. Of a principal that goes on asking the further lines
// of a minute are counted, and its next line says how many were "left_out". A
// line that can't be stored is logged.
func (s *Service) AccessDenied(ctx context.Context, p callmodel.Principal, what string) {
	leftOut, keep := s.denials.add(p.TenantID, p.Subject, s.opts.Now())
	if !keep {
		return
	}
	e := callmodel.AuditEvent{TenantID: p.TenantID, Actor: p.Subject, Action: callmodel.AuditAccessDenied, Subject: what}
	if leftOut > 0 {
		e.Detail = map[string]string{"left_out": strconv.Itoa(leftOut)}
	}
	if err := s.stores.Audit(ctx, e); err != nil {
		s.opts.Logger.ErrorContext(ctx, "an audit line could not be stored", "tenant", p.TenantID, "action", e.Action, "subject", what, "error", err)
	}
}

// denials counts what was denied lately, by principal.
type denials struct {
	mu sync.Mutex
	of map[denied]*denialCount
}

type denied struct {
	tenant  callmodel.TenantID
	subject string
}

type denialCount struct {
	since   time.Time
	lines   int
	leftOut int
}

// add counts a denial. keep says that it gets a line, and leftOut how many before
// it got none.
func (d *denials) add(t callmodel.TenantID, subject string, now time.Time) (leftOut int, keep bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.of == nil {
		d.of = map[denied]*denialCount{}
	}
	who := denied{t, subject}
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
