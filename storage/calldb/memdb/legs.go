package memdb

import (
	"context"
	"slices"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/storage/calldb/internal/storeform"
)

// LegsDue implements lifecycle.Ledger.
func (s *Store) LegsDue(ctx context.Context, q ledger.LegsDue) (ledger.LegsFound, error) {
	if err := ctx.Err(); err != nil {
		return ledger.LegsFound{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	found := ledger.LegsFound{Next: int64(len(s.jobs)), End: true}
	until := s.clock().Add(-q.Keep)
	for _, j := range s.jobs[min(q.After, int64(len(s.jobs))):] {
		switch {
		case j.Kind != record.Kind || len(q.Queues) > 0 && !slices.Contains(q.Queues, j.Queue) || j.State == ledger.Quarantined:
		case j.State != ledger.Done || j.FinishedAt.After(until):
			found.Open = true
		case s.byKey[jobKey{j.TenantID, storeform.Unique(q.By, j.Key)}] == nil:
			found.Jobs = append(found.Jobs, copied(j.Job))
		}
	}
	return found, nil
}

// NamedBy implements lifecycle.Ledger.
func (s *Store) NamedBy(ctx context.Context, uris []string) (callmodel.JobID, error) {
	if err := ctx.Err(); err != nil {
		return "", err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, j := range s.jobs {
		spec, err := record.SpecOf(&j.Job)
		if err != nil || j.State == ledger.Done {
			continue
		}
		for i := range spec.Legs {
			for k := range spec.Legs[i].Segments {
				if slices.Contains(uris, spec.Legs[i].Segments[k].URI) {
					return j.ID, nil
				}
			}
		}
	}
	return "", nil
}

// Now is the store's clock.
func (s *Store) Now(ctx context.Context) (t time.Time, err error) { return s.clock(), ctx.Err() }
