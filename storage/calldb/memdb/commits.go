package memdb

import (
	"context"
	"slices"
	"time"

	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/storage/calldb/internal/storeform"
)

// Complete implements ledger.Queue.
func (s *Store) Complete(ctx context.Context, l ledger.Lease, res record.Result) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := storeform.CheckResult(&res); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if j := s.job(l.Job.ID); j != nil && j.State == ledger.Done && j.token == l.Token &&
		res.Status != record.StatusQuarantined {
		return nil
	}
	j, err := s.held(l)
	if err != nil {
		return err
	}
	if res.Status == record.StatusQuarantined {
		return s.setAside(j, j.Attempts, l.Worker, res)
	}
	if p := j.Published(); p != nil && len(res.Outputs) == 0 {
		res = *p
	}
	at := s.clock()
	if err := s.outcome(j, l.Worker, at, res, 0); err != nil {
		return err
	}
	kept := copied(res)
	j.State, j.Result, j.FinishedAt = ledger.Done, &kept, at
	j.Worker, j.LeaseUntil, j.LastError = "", time.Time{}, ""
	return nil
}

// Publish implements ledger.Queue.
func (s *Store) Publish(ctx context.Context, l ledger.Lease, res record.Result, again time.Duration) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := storeform.CheckPublished(&res); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.outKeys[storeform.PublishedKey(l.Job.ID, l.Token)] {
		return nil
	}
	j, err := s.held(l)
	if err != nil {
		return err
	}
	at := s.clock()
	if err := s.outcome(j, l.Worker, at, res, l.Token); err != nil {
		return err
	}
	kept := copied(res)
	j.State, j.Result, j.RunAt = ledger.Queued, &kept, at.Add(min(max(again, 0), storeform.MaxAgain))
	j.Worker, j.LeaseUntil, j.LastError = "", time.Time{}, ""
	return nil
}

// setAside quarantines a job. A published recording stays as it is.
func (s *Store) setAside(j *job, attempts int, actor string, res record.Result) error {
	if j.Published() != nil {
		s.line(storeform.QuarantinedLine(&j.Job, actor, res.Reason))
	} else {
		if err := s.outcome(j, actor, s.clock(), res, 0); err != nil {
			return err
		}
		j.Result = nil
		if len(res.Legs)+len(res.Outputs)+len(res.Defects) > 0 {
			kept := copied(res)
			j.Result = &kept
		}
	}
	j.State, j.Attempts, j.LastError = ledger.Quarantined, attempts, storeform.Text(res.Reason, storeform.MaxText)
	j.Worker, j.LeaseUntil = "", time.Time{}
	return nil
}

// outcome writes what the end of a job, or the publication under a token, leaves
// outside of the job's row.
func (s *Store) outcome(j *job, actor string, at time.Time, res record.Result, published int64) error {
	o, err := storeform.Finished{
		Job: j.ID, Tenant: j.Spec.TenantID, Call: j.Spec.CallID, ID: j.Spec.RecordingID,
		Retries: j.retries, Actor: actor, At: at, Result: res, Published: published,
	}.Outcome()
	if err != nil {
		return err
	}
	of := callKey{j.Spec.TenantID, j.Spec.CallID}
	s.made[of] = append(slices.DeleteFunc(s.made[of], func(r calls.Recording) bool {
		return r.RecordingID == j.Spec.RecordingID
	}), copied(o.Recording))
	if !s.outKeys[o.Event.Key] {
		s.outKeys[o.Event.Key] = true
		o.Event.ID = int64(len(s.outbox)) + 1
		s.outbox = append(s.outbox, o.Event)
	}
	s.line(o.Audit)
	return nil
}
