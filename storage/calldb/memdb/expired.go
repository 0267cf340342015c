package memdb

import (
	"context"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/callmodel/retention"
	"github.com/switchtape/switchtape/callmodel/users"
	"github.com/switchtape/switchtape/storage/calldb/internal/storeform"
)

// Expired implements lifecycle.ExpiryLedger.
func (s *Store) Expired(ctx context.Context, q retention.Due) (retention.DuePage, error) {
	if err := ctx.Err(); err != nil {
		return retention.DuePage{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	page := retention.DuePage{End: true}
	now := s.clock()
	for _, j := range s.jobs {
		if j.Kind != record.Kind || j.erased {
			continue
		}
		e := retention.Expired{
			Recording: retention.Recording{TenantID: j.TenantID, CallID: j.CallID, RecordingID: callmodel.RecordingID(j.Key)},
			JobID:     j.ID, Queue: j.Queue, Until: j.retainUntil, By: "recording",
		}
		switch {
		case e.Until.Equal(storeform.NotKept):
			e.By = retention.ByConsent
		case q.DeniedOnly:
			continue
		}
		if e.Until.IsZero() {
			rule := s.rule(j, q.Service)
			if rule.Keep == 0 {
				continue
			}
			e.Until, e.By = j.CreatedAt.Add(rule.Keep), rule.By
		}
		if !e.Until.After(now) {
			page.Expired = append(page.Expired, e)
		}
	}
	return page, nil
}

// rule is that of a recording that doesn't say itself how long it is kept.
func (s *Store) rule(j *job, service time.Duration) retention.Rule {
	byUser := map[string]int{}
	if c := s.calls[callKey{j.TenantID, j.CallID}]; c != nil {
		for _, id := range storeform.Users(&c.Call) {
			byUser[string(id)] = s.userRetention(j.TenantID, id)
		}
	}
	return retention.RuleOf(byUser, s.tenantRetention(j.TenantID), service)
}

func (s *Store) userRetention(t callmodel.TenantID, id users.ID) int {
	e := s.users.entries[entryKey{storeform.KindUser, t, id}]
	if e == nil {
		return 0
	}
	u, err := e.User()
	if err != nil { // it is gone
		return 0
	}
	return u.Preferences.RetentionDays
}

func (s *Store) tenantRetention(t callmodel.TenantID) int {
	e := s.users.entries[entryKey{storeform.KindTenant, t, ""}]
	if e == nil {
		return 0
	}
	of, err := e.TenantDocument()
	if err != nil { // as above
		return 0
	}
	return of.Defaults.RetentionDays
}
