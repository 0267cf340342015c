package memdb

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/callmodel/retention"
	"github.com/switchtape/switchtape/storage/calldb/internal/storeform"
)

func (s *Store) erasure(t callmodel.TenantID, id callmodel.RecordingID, by callmodel.JobID) *retention.Erasure {
	for _, e := range s.erasures {
		if e.TenantID == t && e.RecordingID == id && e.ByJob == by {
			return e
		}
	}
	return nil
}

// Erasures implements recordinghttp.Keeper.
func (s *Store) Erasures(ctx context.Context, t callmodel.TenantID, id callmodel.RecordingID) (list []retention.Erasure, err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.erasures {
		if e.TenantID == t && e.RecordingID == id {
			list = append(list, copied(*e))
		}
	}
	return list, nil
}

// BeginErasure implements lifecycle.ErasureLedger.
func (s *Store) BeginErasure(ctx context.Context, b retention.Begin) (retention.Erasure, error) {
	if err := ctx.Err(); err != nil {
		return retention.Erasure{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	j := s.job(b.Erasure.JobID)
	if j == nil {
		return retention.Erasure{}, callmodel.ErrNotFound
	}
	if e := s.erasure(j.TenantID, callmodel.RecordingID(j.Key), b.Erasure.ByJob); e != nil {
		return copied(*e), nil
	}
	if err := storeform.CheckErasable(&j.Job, &b); err != nil {
		return retention.Erasure{}, err
	}
	if held := s.heldBy(retention.Recording{TenantID: j.TenantID, CallID: j.CallID, RecordingID: callmodel.RecordingID(j.Key)}); held != nil {
		return retention.Erasure{}, held
	}
	w, spec, err := storeform.BeginErasure(&j.Job, &b, s.clock())
	if err != nil {
		return retention.Erasure{}, err
	}
	var entry calls.Recording
	if err := json.Unmarshal(w.Recording, &entry); err != nil {
		return retention.Erasure{}, err
	}
	e := copied(w.Erasure)
	s.erasures = append(s.erasures, &e)
	j.State, j.Payload, j.Result, j.Published, j.erased = ledger.Done, spec, w.Result, false, !b.Keep()
	j.Attempts, j.LastError, j.Reason, j.Worker, j.LeaseUntil, j.Suspect, j.FinishedAt = 0, "", "", "", time.Time{}, false, w.FinishedAt
	for _, other := range s.jobs {
		if other.TenantID == j.TenantID && other.Kind != record.Kind && other.State == ledger.Done && slices.Contains(b.Derived, storeform.Unique(other.Kind, other.Key)) {
			other.Result = json.RawMessage(storeform.ErasedResult)
		}
	}
	of := callKey{j.TenantID, j.CallID}
	s.made[of] = append(slices.DeleteFunc(s.made[of], func(r calls.Recording) bool { return r.RecordingID == entry.RecordingID }), entry)
	s.line(w.Audit)
	return copied(e), nil
}

// EndErasure implements lifecycle.ErasureLedger.
func (s *Store) EndErasure(ctx context.Context, found retention.Erasure, worker string) (retention.Erasure, error) {
	if err := ctx.Err(); err != nil {
		return retention.Erasure{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.erasure(found.TenantID, found.RecordingID, found.ByJob)
	if e == nil {
		return retention.Erasure{}, callmodel.ErrNotFound
	}
	if e.State == retention.Done {
		return copied(*e), nil
	}
	w, err := storeform.EndErasure(e, &found, s.clock(), worker)
	if err != nil {
		return retention.Erasure{}, err
	}
	*e = copied(w.Erasure)
	if o := w.Event; !s.outKeys[o.Key] {
		s.outKeys[o.Key] = true
		o.ID = int64(len(s.outbox)) + 1
		s.outbox = append(s.outbox, *o)
	}
	s.line(w.Audit)
	return copied(*e), nil
}
