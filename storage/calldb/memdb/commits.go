package memdb

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/storage/calldb/internal/storeform"
)

// Complete implements worker.Ledger.
func (s *Store) Complete(ctx context.Context, l ledger.Lease, o ledger.Outcome) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := storeform.CheckOutcome(&o); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if j := s.job(l.Job.ID); j != nil && j.State == ledger.Done && j.token == l.Token && !o.Quarantine {
		return nil
	}
	j, err := s.held(l)
	if err != nil {
		return err
	}
	if o.Quarantine {
		return s.setAside(j, j.Attempts, l.Worker, o, "")
	}
	if j.Published && o.Empty {
		if o, err = storeform.Published(&j.Job); err != nil {
			return err
		}
	}
	at := s.clock()
	if err := s.effects(j, l.Worker, at, &o, 0); err != nil {
		return err
	}
	j.State, j.Result, j.FinishedAt, j.Published = ledger.Done, bytes.Clone(o.Result), at, false
	j.Retriable = o.Retriable && j.Kind != record.Kind
	j.Worker, j.LeaseUntil, j.LastError, j.Reason, j.Suspect = "", time.Time{}, "", "", false
	return nil
}

// Publish implements worker.Ledger.
func (s *Store) Publish(ctx context.Context, l ledger.Lease, o ledger.Outcome, again time.Duration) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := storeform.CheckPublished(&o); err != nil {
		return err
	}
	key, err := storeform.PublishedKey(&o, l.Job.ID, l.Token)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.outKeys[key] {
		return nil
	}
	j, err := s.held(l)
	if err != nil {
		return err
	}
	at := s.clock()
	if err := s.effects(j, l.Worker, at, &o, l.Token); err != nil {
		return err
	}
	j.State, j.Result, j.RunAt, j.Published = ledger.Queued, bytes.Clone(o.Result), at.Add(min(max(again, 0), storeform.MaxAgain)), true
	j.Worker, j.LeaseUntil, j.LastError, j.Reason, j.Suspect = "", time.Time{}, "", "", false
	return nil
}

// setAside quarantines a job. What was published stays as it is.
func (s *Store) setAside(j *job, attempts int, actor string, o ledger.Outcome, why ledger.Reason) error {
	if j.Published {
		s.line(storeform.QuarantinedLine(&j.Job, actor, o.Reason))
	} else {
		if err := s.effects(j, actor, s.clock(), &o, 0); err != nil {
			return err
		}
		j.Result = bytes.Clone(o.Result)
	}
	j.State, j.Attempts, j.LastError = ledger.Quarantined, attempts, storeform.Text(o.Reason, storeform.MaxText)
	j.Worker, j.LeaseUntil, j.Reason, j.Suspect = "", time.Time{}, ledger.Reason(storeform.Reason(why)), false
	return nil
}

// effects writes what the end of a job, or the publication under a token, leaves
// outside of the job's row.
func (s *Store) effects(j *job, actor string, at time.Time, o *ledger.Outcome, token int64) error {
	w, err := storeform.Effects(o, j.Kind, ledger.Commit{
		JobID: j.ID, TenantID: j.TenantID, CallID: j.CallID, Key: j.Key, Retries: j.retries, At: at, Token: token,
	}, actor)
	if err != nil {
		return err
	}
	if w.Recording != nil {
		var entry calls.Recording
		if err := json.Unmarshal(w.Recording, &entry); err != nil {
			return err
		}
		of := callKey{j.TenantID, j.CallID}
		s.made[of] = append(slices.DeleteFunc(s.made[of], func(r calls.Recording) bool {
			return r.RecordingID == entry.RecordingID
		}), entry)
	}
	if e := w.Event; e != nil && !s.outKeys[e.Key] {
		s.outKeys[e.Key] = true
		e.ID = int64(len(s.outbox)) + 1
		s.outbox = append(s.outbox, *e)
	}
	s.line(w.Audit)
	return nil
}
