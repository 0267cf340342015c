package callservice

import (
	"context"
	"sync"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
)

// CreateEmergencyOnce is CreateEmergency with an idempotency key, which is
// honoured as far as that can't cost the call anything: a key that can't be one,
// or was used for another request, is left out. An answer that this process gave
// is given again at once; for others the stores are asked, for
// Options.EmergencyWait and unless they ail. key may be nil.
func (s *Service) CreateEmergencyOnce(ctx context.Context, t callmodel.TenantID, req Request, actor string, key *Idempotency) Created {
	if key == nil {
		return s.newEmergency(ctx, t, &req, actor, nil)
	}
	k := *key
	if err := checkKey(k.Key); err != nil || k.hash(&req) != nil {
		return s.newEmergency(ctx, t, &req, actor, nil)
	}
	own, other := s.answered.claim(t, k.Key, k.RequestSHA256)
	switch {
	case own != nil:
		created, known := s.storedAnswer(ctx, t, &k)
		if !known {
			created = s.newEmergency(ctx, t, &req, actor, &k)
		}
		own.created = created
		close(own.ready)
		return created
	case other != nil:
		wait := time.NewTimer(s.opts.EmergencyWait)
		defer wait.Stop()
		select {
		case <-other.ready:
			again := other.created
			again.Replayed = true
			if k.Encode == nil {
				again.Answer = nil
			}
			return again
		case <-wait.C: // two calls are better than none
		}
	default:
		s.opts.Logger.WarnContext(ctx, "an emergency call's idempotency key was used before with another request; it is left out", "tenant", t, "key", k.Key)
	}
	return s.newEmergency(ctx, t, &req, actor, nil)
}

// storedAnswer is what the stores have of a key, if they say so in time.
func (s *Service) storedAnswer(ctx context.Context, t callmodel.TenantID, key *Idempotency) (c Created, ok bool) {
	if s.later.ailing() {
		return c, false
	}
	type result struct {
		created Created
		ok      bool
	}
	found := make(chan result, 1)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTimeout)
	go func() {
		defer cancel()
		first, err := s.stores.Replay(ctx, t, key.Key, key.RequestSHA256) // not behind the inserts
		if err != nil || first == nil {
			found <- result{}
			return
		}
		created, err := s.replayed(ctx, t, key, first)
		found <- result{created, err == nil}
	}()
	wait := time.NewTimer(s.opts.EmergencyWait)
	defer wait.Stop()
	select {
	case r := <-found:
		return r.created, r.ok
	case <-wait.C:
		s.later.tooSlow() // and the next ones don't start another look-up
		return c, false
	}
}

// maxAnswered is how many keys of emergency calls are remembered.
const maxAnswered = 65536

// answeredKeys are the idempotency keys of the newest emergency calls.
type answeredKeys struct {
	mu   sync.Mutex
	keys map[answeredKey]*answeredCall
	ring []answeredKey // oldest at next, once it is full
	next int
}

type answeredKey struct {
	tenant callmodel.TenantID
	key    string
}

type answeredCall struct {
	sha     string
	ready   chan struct{} // closed when created is set
	created Created
}

// claim claims a key: own is to be filled in by the caller. Else other is the
// answer to the same request, or, if that is nil too, the key is another's.
func (k *answeredKeys) claim(t callmodel.TenantID, key, sha string) (own, other *answeredCall) {
	k.mu.Lock()
	defer k.mu.Unlock()
	name := answeredKey{t, key}
	if have := k.keys[name]; have != nil {
		if have.sha == sha {
			return nil, have
		}
		return nil, nil
	}
	own = &answeredCall{sha: sha, ready: make(chan struct{})}
	if k.keys == nil {
		k.keys = map[answeredKey]*answeredCall{}
	}
	if len(k.ring) < maxAnswered {
		k.ring = append(k.ring, name)
	} else {
		delete(k.keys, k.ring[k.next])
		k.ring[k.next] = name
		k.next = (k.next + 1) % maxAnswered
	}
	k.keys[name] = own
	return own, nil
}

// keep remembers the key of a call that comes from the journal.
func (k *answeredKeys) keep(a *accepted) {
	if a.create == nil || a.create.IdempotencyKey == "" || !a.create.Call.Emergency {
		return
	}
	n := a.create
	if own, _ := k.claim(n.Call.TenantID, n.IdempotencyKey, n.RequestSHA256); own != nil {
		own.created = Created{Call: n.Call, Answer: &calls.StoredResponse{StatusCode: n.StatusCode, Body: n.Response}}
		close(own.ready)
	}
}

// rulesInTime has the tenant's rules looked up, and waits for that no longer than
// Options.EmergencyWait. The look-up goes on: one a tenant at a time, and its end
// serves all who wait for it.
func (s *Service) rulesInTime(ctx context.Context, t callmodel.TenantID) {
	mine := make(chan struct{})
	v, others := s.loading.LoadOrStore(t, mine)
	if !others {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTimeout)
		go func() {
			defer cancel()
			defer close(mine)
			defer s.loading.Delete(t)
			if err := s.rules.prepare(ctx, t); err != nil {
				s.opts.Logger.WarnContext(ctx, "the rules of an emergency call's tenant can't be had", "tenant", t, "error", err)
			}
		}()
	}
	ended, ok := v.(chan struct{})
	if !ok {
		return
	}
	wait := time.NewTimer(s.opts.EmergencyWait)
	defer wait.Stop()
	select {
	case <-ended:
	case <-wait.C:
	}
}
