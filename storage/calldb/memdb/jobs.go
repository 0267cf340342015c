package memdb

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/storage/calldb/internal/ledger"
)

// Enqueue implements callmodel.JobQueue.
func (s *Store) Enqueue(ctx context.Context, r callmodel.JobRequest) (callmodel.JobID, bool, error) {
	if err := ctx.Err(); err != nil {
		return "", false, err
	}
	if err := ledger.CheckJob(&r); err != nil {
		return "", false, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	id, created := s.enqueue(&r, ledger.System)
	return id, created, nil
}

func (s *Store) enqueue(r *callmodel.JobRequest, actor string) (callmodel.JobID, bool) {
	key := recKey{r.Spec.TenantID, r.Spec.RecordingID}
	if j := s.byRec[key]; j != nil {
		return j.ID, false
	}
	s.seq++
	now := s.clock()
	j := &job{Job: callmodel.Job{
		ID: ledger.JobID(s.seq, ledger.Nonce()), Queue: r.Queue, Priority: r.Priority, State: callmodel.JobQueued,
		Spec: copied(r.Spec), CreatedAt: now, RunAt: now,
	}}
	s.jobs, s.byRec[key] = append(s.jobs, j), j
	s.line(ledger.EnqueuedLine(j.ID, r, actor))
	return j.ID, true
}

// Claim implements callmodel.JobQueue.
func (s *Store) Claim(ctx context.Context, r callmodel.ClaimRequest) ([]callmodel.Lease, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := ledger.CheckClaim(&r); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.clock()
	if err := s.sweep(now); err != nil {
		return nil, err
	}
	var due []*job
	for _, j := range s.jobs {
		if j.State == callmodel.JobQueued && !j.RunAt.After(now) && (len(r.Queues) == 0 || slices.Contains(r.Queues, j.Queue)) {
			due = append(due, j)
		}
	}
	slices.SortStableFunc(due, func(a, b *job) int { return cmp.Compare(b.Priority, a.Priority) })
	leases := []callmodel.Lease{}
	for _, j := range due[:min(r.Limit, len(due))] {
		j.State, j.Worker, j.LeaseUntil = callmodel.JobRunning, r.Worker, now.Add(r.TTL)
		j.token++
		leases = append(leases, callmodel.Lease{Job: copied(j.Job), Token: j.token, Worker: r.Worker, TTL: r.TTL})
	}
	return leases, nil
}

// sweep puts the jobs whose lease has ended back, or aside.
func (s *Store) sweep(now time.Time) error {
	for _, j := range s.jobs {
		if j.State != callmodel.JobRunning || j.LeaseUntil.After(now) {
			continue
		}
		cause := ledger.LeaseExpired(j.Worker, j.Attempts+1)
		if j.Attempts+1 >= callmodel.MaxJobAttempts {
			if err := s.setAside(j, j.Attempts+1, ledger.System, ledger.Quarantine(cause)); err != nil {
				return err
			}
			continue
		}
		s.putBack(j, j.Attempts+1, cause, 0)
	}
	return nil
}

func (s *Store) putBack(j *job, attempts int, cause string, wait time.Duration) {
	j.State, j.Attempts, j.LastError = callmodel.JobQueued, attempts, ledger.Text(cause, ledger.MaxText)
	j.Worker, j.LeaseUntil, j.RunAt = "", time.Time{}, s.clock().Add(max(wait, 0))
}

// held is the job of a lease that is still the newest.
func (s *Store) held(l callmodel.Lease) (*job, error) {
	j := s.job(l.Job.ID)
	if j == nil || j.State != callmodel.JobRunning || j.token != l.Token {
		return nil, callmodel.ErrLeaseLost
	}
	return j, nil
}

func (s *Store) job(id callmodel.JobID) *job {
	seq, _, ok := ledger.ParseJobID(id)
	if !ok || seq > int64(len(s.jobs)) || s.jobs[seq-1].ID != id {
		return nil
	}
	return s.jobs[seq-1]
}

// Extend implements callmodel.JobQueue.
func (s *Store) Extend(ctx context.Context, l callmodel.Lease, ttl time.Duration) (callmodel.Lease, error) {
	if err := ctx.Err(); err != nil {
		return callmodel.Lease{}, err
	}
	if ttl <= 0 {
		ttl = callmodel.DefaultLeaseTTL
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	j, err := s.held(l)
	if err != nil {
		return callmodel.Lease{}, err
	}
	j.LeaseUntil = s.clock().Add(ttl)
	l.TTL, l.Job.LeaseUntil = ttl, j.LeaseUntil
	return l, nil
}

// Fail implements callmodel.JobQueue.
func (s *Store) Fail(ctx context.Context, l callmodel.Lease, f callmodel.Failure) error {
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
	if f.Quarantine || attempts >= callmodel.MaxJobAttempts && !f.Uncounted {
		return s.setAside(j, attempts, l.Worker, ledger.Quarantine(f.Cause))
	}
	s.putBack(j, attempts, f.Cause, f.RetryIn)
	return nil
}

// Release implements callmodel.JobQueue.
func (s *Store) Release(ctx context.Context, l callmodel.Lease) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	j, err := s.held(l)
	if err != nil {
		return err
	}
	s.putBack(j, j.Attempts, j.LastError, 0)
	return nil
}

// Job implements callmodel.JobQueue.
func (s *Store) Job(ctx context.Context, id callmodel.JobID) (callmodel.Job, error) {
	if err := ctx.Err(); err != nil {
		return callmodel.Job{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	j := s.job(id)
	if j == nil {
		return callmodel.Job{}, callmodel.ErrNotFound
	}
	return copied(j.Job), nil
}

// Jobs implements callmodel.JobQueue.
func (s *Store) Jobs(ctx context.Context, f callmodel.JobFilter) ([]callmodel.Job, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	after, err := ledger.AfterJob(f.After)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	jobs := []callmodel.Job{}
	for _, j := range s.jobs[min(after, int64(len(s.jobs))):] {
		if len(jobs) == ledger.JobsLimit(f.Limit) {
			break
		}
		if (f.State == "" || j.State == f.State) && (f.Queue == "" || j.Queue == f.Queue) &&
			(f.TenantID == "" || j.Spec.TenantID == f.TenantID) {
			jobs = append(jobs, copied(j.Job))
		}
	}
	return jobs, nil
}

// Retry implements callmodel.JobQueue.
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
	state, err := j.State.Next(id, callmodel.JobRetried)
	if err != nil {
		return err
	}
	if j.Published() == nil {
		j.Result = nil
	}
	j.State, j.Attempts, j.RunAt = state, 0, s.clock()
	j.retries++
	s.line(ledger.RetriedLine(j.Spec.TenantID, id, actor))
	return nil
}

// Quarantine implements callmodel.JobQueue.
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
	if _, err := j.State.Next(id, callmodel.JobQuarantine); err != nil {
		return err
	}
	return s.setAside(j, j.Attempts, actor, ledger.Quarantine(reason))
}

// Stats implements callmodel.JobQueue.
func (s *Store) Stats(ctx context.Context) (callmodel.QueueStats, error) {
	var q callmodel.QueueStats
	if err := ctx.Err(); err != nil {
		return q, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.clock()
	for _, j := range s.jobs {
		switch j.State {
		case callmodel.JobQueued:
			q.Queued++
			q.OldestQueued = max(q.OldestQueued, now.Sub(j.RunAt))
		case callmodel.JobRunning:
			q.Running++
		case callmodel.JobDone:
			q.Done++
		case callmodel.JobQuarantined:
			q.Quarantined++
		}
	}
	return q, nil
}
