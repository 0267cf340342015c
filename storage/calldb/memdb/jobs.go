package memdb

import (
	"bytes"
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/retention"
	"github.com/switchtape/switchtape/storage/calldb/internal/storeform"
)

// Enqueue implements recordinghttp.Ledger.
func (s *Store) Enqueue(ctx context.Context, r ledger.Request) (callmodel.JobID, bool, error) {
	if err := ctx.Err(); err != nil {
		return "", false, err
	}
	if err := storeform.CheckJob(&r); err != nil {
		return "", false, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	id, created := s.enqueue(&r, cmp.Or(r.Actor, storeform.System), false)
	return id, created, nil
}

// Adopt is calldb.DB's: Enqueue and Complete at once.
func (s *Store) Adopt(ctx context.Context, r ledger.Request, o ledger.Outcome) (callmodel.JobID, bool, error) {
	if err := ctx.Err(); err != nil {
		return "", false, err
	}
	if err := storeform.CheckAdopted(&o); err != nil {
		return "", false, err
	}
	if err := storeform.CheckJob(&r); err != nil {
		return "", false, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	actor := cmp.Or(r.Actor, storeform.System)
	id, created := s.enqueue(&r, actor, false)
	if !created {
		return id, false, nil
	}
	j, at := s.job(id), s.clock()
	if err := s.effects(j, actor, at, &o, 0); err != nil {
		return "", false, err
	}
	j.State, j.Result, j.FinishedAt = ledger.Done, bytes.Clone(o.Result), at
	return id, true, nil
}

func (s *Store) enqueue(r *ledger.Request, actor string, emergency bool) (callmodel.JobID, bool) {
	key := jobKey{r.TenantID, storeform.Unique(r.Kind, r.Key)}
	if j := s.byKey[key]; j != nil {
		return j.ID, false
	}
	s.seq++
	now := s.clock()
	j := &job{Job: ledger.Job{
		ID: storeform.JobID(s.seq, storeform.Nonce()), Kind: r.Kind, TenantID: r.TenantID, CallID: r.CallID, Key: r.Key,
		Queue: r.Queue, Priority: r.Priority, State: ledger.Queued, Payload: bytes.Clone(r.Payload), CreatedAt: now, RunAt: now,
		Emergency: emergency,
	}}
	until, days := storeform.Retains(r.Kind, r.Payload)
	if j.retainUntil = until; days > 0 {
		j.retainUntil = now.Add(time.Duration(days) * retention.Day)
	}
	s.jobs, s.byKey[key] = append(s.jobs, j), j
	s.line(storeform.EnqueuedLine(j.ID, r, actor))
	return j.ID, true
}

// enqueueOwn enqueues the job that records a call itself, under another key if its
// own is taken.
func (s *Store) enqueueOwn(r *ledger.Request, actor string, emergency bool) error {
	for try := 0; ; try++ {
		own, err := storeform.OwnRecording(r, try)
		if err != nil {
			return err
		}
		if err := storeform.CheckJob(own); err != nil {
			return err
		}
		id, created := s.enqueue(own, actor, emergency)
		if created {
			return nil
		}
		if have := s.job(id); storeform.SameRecording(&have.Job, own) {
			have.Emergency = have.Emergency || emergency
			return nil
		}
	}
}

// Claim implements worker.Ledger.
func (s *Store) Claim(ctx context.Context, r ledger.Claim) ([]ledger.Lease, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := storeform.CheckClaim(&r); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.clock()
	if !r.LeaveExpired {
		if err := s.sweep(now); err != nil {
			return nil, err
		}
	}
	var due, suspects []*job
	for _, j := range s.jobs {
		switch {
		case j.State != ledger.Queued || j.RunAt.After(now) || len(r.Queues) > 0 && !slices.Contains(r.Queues, j.Queue) ||
			len(r.Kinds) > 0 && !slices.Contains(r.Kinds, j.Kind):
		case j.Suspect:
			suspects = append(suspects, j)
		default:
			due = append(due, j)
		}
	}
	if len(suspects) > 0 && !r.NoSuspects {
		j := slices.MinFunc(suspects, func(a, b *job) int { return cmp.Or(cmp.Compare(a.Attempts, b.Attempts), a.RunAt.Compare(b.RunAt)) })
		l := s.lease(j, &r, now)
		if l.Alone = r.InFlight == 0; l.Alone {
			j.alone = j.token
		}
		return []ledger.Lease{l}, nil
	}
	leases := []ledger.Lease{}
	for _, j := range s.inTurn(due, r.Limit, now) {
		leases = append(leases, s.lease(j, &r, now))
	}
	slices.SortFunc(leases, storeform.Urgent)
	return leases, nil
}

func (s *Store) lease(j *job, r *ledger.Claim, now time.Time) ledger.Lease {
	j.State, j.Worker, j.LeaseUntil = ledger.Running, r.Worker, now.Add(r.TTL)
	j.token++
	return ledger.Lease{Job: copied(j.Job), Token: j.token, Worker: r.Worker, TTL: r.TTL}
}

// sweep puts the jobs whose lease has ended back, or aside.
func (s *Store) sweep(now time.Time) error {
	for _, j := range s.jobs {
		if j.State != ledger.Running || j.LeaseUntil.After(now) {
			continue
		}
		if !j.Suspect || j.alone != j.token { // what ran beside it may be the cause
			s.putBack(j, j.Attempts, ledger.Failure{Cause: storeform.Suspected(j.Worker)}, true)
			continue
		}
		cause := storeform.LeaseExpired(j.Worker, j.Attempts+1)
		if j.Attempts+1 >= ledger.MaxAttempts {
			if err := s.setAside(j, j.Attempts+1, storeform.System, storeform.SetAside(j.Kind, cause), ledger.Crashed); err != nil {
				return err
			}
			continue
		}
		s.putBack(j, j.Attempts+1, ledger.Failure{Cause: cause}, true)
	}
	return nil
}

func (s *Store) putBack(j *job, attempts int, f ledger.Failure, suspected bool) {
	j.Suspect = suspected
	j.State, j.Attempts, j.LastError = ledger.Queued, attempts, storeform.Text(f.Cause, storeform.MaxText)
	j.Reason = ledger.Reason(storeform.Reason(f.Reason))
	j.Worker, j.LeaseUntil, j.RunAt = "", time.Time{}, s.clock().Add(max(f.RetryIn, 0))
}

// held is the job of a lease that is still the newest.
func (s *Store) held(l ledger.Lease) (*job, error) {
	j := s.job(l.Job.ID)
	if j == nil || j.State != ledger.Running || j.token != l.Token {
		return nil, callmodel.ErrLeaseLost
	}
	return j, nil
}

func (s *Store) job(id callmodel.JobID) *job {
	seq, _, ok := storeform.ParseJobID(id)
	if !ok || seq > int64(len(s.jobs)) || s.jobs[seq-1].ID != id {
		return nil
	}
	return s.jobs[seq-1]
}

// Extend implements worker.Ledger.
func (s *Store) Extend(ctx context.Context, l ledger.Lease, ttl time.Duration) (ledger.Lease, error) {
	if err := ctx.Err(); err != nil {
		return ledger.Lease{}, err
	}
	if ttl <= 0 {
		ttl = ledger.DefaultLeaseTTL
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	j, err := s.held(l)
	if err != nil {
		return ledger.Lease{}, err
	}
	j.LeaseUntil = s.clock().Add(ttl)
	if l.Alone {
		j.alone = j.token
	}
	l.TTL, l.Job.LeaseUntil = ttl, j.LeaseUntil
	return l, nil
}

// Fail implements worker.Ledger.
func (s *Store) Fail(ctx context.Context, l ledger.Lease, f ledger.Failure) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	j, err := s.held(l)
	if err != nil {
		return err
	}
	attempts := j.Attempts
	if !f.Uncounted {
		attempts++
	}
	if f.Quarantine || attempts >= ledger.MaxAttempts && !f.Uncounted {
		return s.setAside(j, attempts, l.Worker, storeform.SetAside(j.Kind, f.Cause), f.Reason)
	}
	s.putBack(j, attempts, f, false)
	return nil
}

// Release implements worker.Ledger.
func (s *Store) Release(ctx context.Context, l ledger.Lease) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	j, err := s.held(l)
	if err != nil {
		return err
	}
	s.putBack(j, j.Attempts, ledger.Failure{Cause: j.LastError, Reason: j.Reason}, j.Suspect)
	return nil
}

// Job implements recordinghttp.Ledger.
func (s *Store) Job(ctx context.Context, id callmodel.JobID) (ledger.Job, error) {
	if err := ctx.Err(); err != nil {
		return ledger.Job{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	j := s.job(id)
	if j == nil {
		return ledger.Job{}, callmodel.ErrNotFound
	}
	return copied(j.Job), nil
}

// Jobs implements recordinghttp.Ledger.
func (s *Store) Jobs(ctx context.Context, f ledger.Filter) ([]ledger.Job, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	after, err := storeform.AfterJob(f.After)
	if err != nil {
		return nil, err
	}
	if err := storeform.CheckFilter(&f); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	jobs := []ledger.Job{}
	for _, j := range s.jobs[min(after, int64(len(s.jobs))):] {
		if len(jobs) == storeform.JobsLimit(f.Limit) {
			break
		}
		if (f.State == "" || j.State == f.State) && (f.Queue == "" || j.Queue == f.Queue) &&
			(f.CallID == "" || j.CallID == f.CallID) && (!f.NoCall || s.calls[callKey{j.TenantID, j.CallID}] == nil) &&
			(f.TenantID == "" || j.TenantID == f.TenantID) && (f.Kind == "" || j.Kind == f.Kind) &&
			(f.Since.IsZero() || !j.CreatedAt.Before(f.Since)) && (f.Until.IsZero() || j.CreatedAt.Before(f.Until)) && storeform.Matches(&f, &j.Job) {
			jobs = append(jobs, copied(j.Job))
		}
	}
	return jobs, nil
}

// Retry implements recordinghttp.Ledger.
func (s *Store) Retry(ctx context.Context, id callmodel.JobID, actor string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	j := s.job(id)
	if j == nil {
		return callmodel.ErrNotFound
	}
	state, published, err := storeform.Retry(&j.Job)
	if err != nil {
		return err
	}
	s.line(storeform.RetriedLine(&j.Job, actor))
	if j.Published = published; !published {
		j.Result = nil
	}
	j.State, j.Attempts, j.RunAt, j.FinishedAt, j.Suspect, j.Retriable = state, 0, s.clock(), time.Time{}, false, false
	j.retries++
	return nil
}

// Quarantine implements recordinghttp.Ledger.
func (s *Store) Quarantine(ctx context.Context, id callmodel.JobID, actor, reason string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	j := s.job(id)
	if j == nil {
		return callmodel.ErrNotFound
	}
	if _, err := j.State.Next(id, ledger.Quarantine); err != nil {
		return err
	}
	return s.setAside(j, j.Attempts, actor, storeform.SetAside(j.Kind, reason), "")
}

// Stats counts the jobs.
func (s *Store) Stats(ctx context.Context) (ledger.Stats, error) {
	var q ledger.Stats
	if err := ctx.Err(); err != nil {
		return q, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.clock()
	for _, j := range s.jobs {
		q.Add(j.Kind, j.State, 1)
		if j.State == ledger.Queued {
			q.OldestQueued = max(q.OldestQueued, now.Sub(j.RunAt))
		}
	}
	return q, nil
}
