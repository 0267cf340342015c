package callservice

import (
	"context"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
)

const (
	// reaper is the actor that ends calls which nobody ended, and its event's id.
	reaper = "reaper"
	// reapStep is how much of the time the calls of are looked through at once, so
	// that a look is short however many calls there are.
	reapStep = 10 * time.Minute
	// reapBack is how much before its start a process looks for calls that became
	// old while none was running.
	reapBack = 24 * time.Hour
	// maxReapSteps bounds the steps at a time.
	maxReapSteps = 8
)

// reap ends the calls that were made long ago and never ended: a telephone server
// that crashed tells nothing any more. Each call is looked at once, when it becomes
// that old; calls that go on being told of are ended too.
func (s *Service) reap(ctx context.Context) {
	if s.opts.ReapAfter < 0 {
		return
	}
	now := s.opts.Now()
	old := now.Add(-s.opts.ReapAfter)
	if s.reaped.IsZero() {
		s.reaped = old.Add(-reapBack)
	}
	for range maxReapSteps {
		until := s.reaped.Add(reapStep)
		if until.After(old) {
			return
		}
		for k := range s.rules.known.Range {
			t, ok := k.(callmodel.TenantID)
			if ok && !s.reapTenant(ctx, t, s.reaped, until) {
				return // and begin here the next time
			}
		}
		s.reaped = until
	}
}

// reapTenant ends a tenant's calls that were made between the two times. It
// returns false if it could not.
func (s *Service) reapTenant(ctx context.Context, t callmodel.TenantID, since, until time.Time) bool {
	for _, state := range []calls.State{calls.Routed, calls.Ringing, calls.Answered} {
		f := calls.Filter{State: state, Since: since, Until: until, Limit: 500}
		for {
			one, cancel := context.WithTimeout(ctx, storeWait)
			page, err := s.stores.Calls(one, t, f)
			cancel()
			if err != nil {
				s.opts.Logger.ErrorContext(ctx, "calls that never end can't be looked for", "tenant", t, "error", err)
				return false
			}
			for i := range page.Calls {
				if err := s.reapCall(ctx, &page.Calls[i]); storesAway(err) {
					return false
				}
			}
			if f.Before = page.Next; f.Before == "" {
				break
			}
		}
	}
	return true
}

func (s *Service) reapCall(ctx context.Context, c *calls.Call) error {
	ev := calls.Event{
		ID: reaper, Type: calls.EventEnded, At: s.opts.Now().UTC(), Heard: true, Host: c.Host,
		Cause: &calls.Cause{Text: "ended by the reaper: it was made " + s.opts.ReapAfter.String() + " ago and nobody ended it"},
	}
	one, cancel := context.WithTimeout(ctx, storeWait)
	defer cancel()
	call, err := s.stores.AppendEvent(one, c.TenantID, c.ID, ev, reaper, s.opts.DefaultOutputs)
	switch {
	case err == nil:
		s.opts.Logger.WarnContext(ctx, "a call was ended by the reaper", "tenant", c.TenantID, "call", c.ID, "state", c.State, "host", c.Host)
		s.moved(&call, &ev)
	case callmodel.CodeOf(err) != callmodel.CodeConflict: // it ended meanwhile
		s.opts.Logger.ErrorContext(ctx, "a call that never ends can't be ended", "tenant", c.TenantID, "call", c.ID, "error", err)
	}
	return err
}
