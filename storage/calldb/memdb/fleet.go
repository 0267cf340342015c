package memdb

import (
	"cmp"
	"context"
	"slices"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/outbox"
	"github.com/switchtape/switchtape/storage/calldb/internal/storeform"
)

type presenceKey struct {
	role ledger.Role
	name string
}

// Present says that the process is there.
func (s *Store) Present(ctx context.Context, p ledger.Presence) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := storeform.CheckPresence(&p); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.clock()
	key := presenceKey{p.Role, p.Name}
	p.Since, p.Seen = now, now
	if before, ok := s.fleet[key]; ok {
		p.Since = before.Since
	}
	p.Queues, p.Kinds = slices.Clone(p.Queues), slices.Clone(p.Kinds)
	s.fleet[key] = p
	for k, other := range s.fleet {
		if other.Seen.Before(now.Add(-storeform.ForgetPresence)) {
			delete(s.fleet, k)
		}
	}
	return nil
}

// Gone strikes a process off that has ended.
func (s *Store) Gone(ctx context.Context, p ledger.Presence) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.fleet, presenceKey{p.Role, p.Name})
	return nil
}

// Fleet lists the processes that were seen within ledger.PresenceTTL.
func (s *Store) Fleet(ctx context.Context) ([]ledger.Presence, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.there(), nil
}

func (s *Store) there() []ledger.Presence {
	there := []ledger.Presence{}
	for _, p := range s.fleet {
		if p.Seen.After(s.clock().Add(-ledger.PresenceTTL)) {
			there = append(there, p)
		}
	}
	slices.SortFunc(there, func(a, b ledger.Presence) int {
		return cmp.Or(cmp.Compare(a.Role, b.Role), cmp.Compare(a.Name, b.Name))
	})
	return there
}

// Queues lists the queues that jobs wait or run in.
func (s *Store) Queues(ctx context.Context, f ledger.QueueFilter) ([]ledger.QueueState, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.clock()
	at, inUse := map[storeform.InUse]*ledger.QueueState{}, map[storeform.InUse]bool{}
	for _, j := range s.jobs {
		key := storeform.InUse{Kind: j.Kind, Queue: j.Queue}
		inUse[key] = inUse[key] || j.State == ledger.Running
		if j.State != ledger.Running && j.State != ledger.Queued || f.TenantID != "" && f.TenantID != j.TenantID {
			continue
		}
		q := at[key]
		if q == nil {
			q = &ledger.QueueState{Kind: j.Kind, Queue: j.Queue}
			at[key] = q
		}
		switch {
		case j.State == ledger.Running:
			q.Running++
		case j.RunAt.After(now):
			q.Queued++
		default:
			q.Queued, q.Due, q.Oldest = q.Queued+1, q.Due+1, max(q.Oldest, now.Sub(j.RunAt))
		}
	}
	queues := []ledger.QueueState{}
	for _, q := range at {
		queues = append(queues, *q)
	}
	queues = storeform.Serve(queues, inUse, s.there())
	return queues[:min(len(queues), storeform.QueuesLimit(f.Limit))], nil
}

// Move puts the jobs that wait, or are set aside, into the queue to, and returns
// which it has moved.
func (s *Store) Move(ctx context.Context, ids []callmodel.JobID, to, actor string) ([]callmodel.JobID, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := storeform.CheckQueue(to); err != nil {
		return nil, err
	}
	ids = slices.Clone(ids)
	slices.Sort(ids)
	s.mu.Lock()
	defer s.mu.Unlock()
	var jobs []*job
	for _, id := range slices.Compact(ids) {
		j := s.job(id)
		if j == nil {
			return nil, callmodel.Errorf(callmodel.CodeNotFound, "job %s: %w", id, callmodel.ErrNotFound)
		}
		jobs = append(jobs, j)
	}
	moved := []callmodel.JobID{}
	for _, j := range jobs {
		if storeform.Movable(&j.Job, to) {
			s.line(storeform.MovedLine(&j.Job, to, actor))
			j.Queue, moved = to, append(moved, j.ID)
		}
	}
	return moved, nil
}

// TellBucket writes an event of a bucket for each of its tenants that asks for it.
func (s *Store) TellBucket(ctx context.Context, b outbox.Bucket) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range b.Tenants {
		if callmodel.ValidID(string(t)) {
			s.tell(t, b.Type(), func() (callmodel.OutboxEvent, error) { return storeform.BucketEvent(&b, t) })
		}
	}
	return nil
}
