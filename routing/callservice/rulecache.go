package callservice

import (
	"bytes"
	"context"
	"encoding"
	"errors"
	"log/slog"
	"runtime"
	"sync"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/callmodel/rulesets"
	"github.com/switchtape/switchtape/routing"
	"github.com/switchtape/switchtape/routing/trunk"
)

// ruleCache keeps the compiled versions in service of every tenant that was
// seen. A tenant's first call waits for the store; no other call waits for the
// store or for a lock. None waits for the snapshot: the keeper writes that.
type ruleCache struct {
	store    RuleSetStore
	platform callmodel.TenantID
	log      *slog.Logger
	now      func() time.Time
	table    routing.Table
	known    sync.Map // of each callmodel.TenantID that was seen, its inService
	mu       sync.Mutex
	changes  map[callmodel.TenantID]int // grows with every change that is put in service
	trunks   *trunks
	keeper   *keeper
	apart    func(context.Context, []byte) (*routing.Router, encoding.BinaryMarshaler, error) // or nil
}

// inService is which versions of a tenant's rules are; the zero value for none.
type inService struct {
	active, canary string
	share          rulesets.Share
	salt           string
	// saved is when the snapshot was written that this is from; zero once the
	// store has said so.
	saved time.Time
}

// sameVersions compares all but where it is known from.
func (s inService) sameVersions(o inService) bool {
	s.saved, o.saved = time.Time{}, time.Time{}
	return s == o
}

func inServiceOf(s *rulesets.State) inService {
	in := inService{active: s.ActiveHash(), canary: s.CanaryHash()}
	if s.Canary != nil {
		in.share, in.salt = s.Canary.Share, s.Canary.Salt
	}
	return in
}

func newRuleCache(store RuleSetStore, o *Options, t *trunks) *ruleCache {
	c := &ruleCache{
		store: store, platform: o.PlatformTenant, log: o.Logger, now: o.Now, trunks: t,
		changes: map[callmodel.TenantID]int{}, apart: o.Compile,
	}
	c.keeper = newKeeper(c, o)
	return c
}

func (c *ruleCache) seen(t callmodel.TenantID) (inService, bool) {
	v, ok := c.known.Load(t)
	in, _ := v.(inService)
	return in, ok
}

// pick is the router that decides the call: the tenant's, or the platform's. No
// canary decides an emergency call.
func (c *ruleCache) pick(ctx context.Context, req *calls.Request) (r *routing.Router, canary bool, err error) {
	if err := c.prepare(ctx, req.TenantID); err != nil {
		return nil, false, err
	}
	if req.Emergency || req.Type == calls.TypeEmergency {
		r = c.inMemory(req.TenantID)
	} else {
		r, canary = c.table.Pick(req.TenantID, req.CallID)
	}
	if r == nil {
		return nil, false, callmodel.Errorf(callmodel.CodeNoRoute, "tenant %s has no active rule set; install one, over HTTP with PUT /v1/rules", req.TenantID)
	}
	return r, canary, nil
}

// prepare loads the rules of the tenant and of the platform, unless they are in
// memory.
func (c *ruleCache) prepare(ctx context.Context, t callmodel.TenantID) error {
	for _, tenant := range [2]callmodel.TenantID{t, c.platform} {
		if _, ok := c.seen(tenant); ok || tenant == "" {
			continue
		}
		if err := c.load(ctx, tenant); err != nil {
			return err
		}
	}
	return nil
}

// ready reports whether pick answers from memory.
func (c *ruleCache) ready(t callmodel.TenantID) bool {
	_, own := c.seen(t)
	_, platform := c.seen(c.platform)
	return own && (platform || c.platform == "")
}

// inMemory is the active router without asking the store; nil if it isn't there.
func (c *ruleCache) inMemory(t callmodel.TenantID) *routing.Router { return c.table.Get(t) }

// compiled is a version, and what the snapshot keeps of it, if that is at hand.
type compiled struct {
	router *routing.Router
	packed encoding.BinaryMarshaler
}

// maxTurns bounds how often load begins again because of changes that were
// made meanwhile: each of them was put in service.
const maxTurns = 8

// load looks up what is to be in service for the tenant, and puts it there if it
// isn't. A set that doesn't compile never replaces one that does. ready are
// versions that need not be compiled again.
func (c *ruleCache) load(ctx context.Context, t callmodel.TenantID, ready ...compiled) error {
	for range maxTurns {
		c.mu.Lock()
		before := c.changes[t]
		c.mu.Unlock()
		state, err := c.store.RuleSetState(ctx, t)
		if err != nil {
			return err
		}
		done, err := c.take(ctx, t, &state, before, ready)
		if done || err != nil {
			return err
		}
	}
	return nil
}

// take puts the state in service, unless another was put there since before was
// read: a state that is older than a change must not undo it.
func (c *ruleCache) take(ctx context.Context, t callmodel.TenantID, state *rulesets.State, before int, ready []compiled) (done bool, err error) {
	want := inServiceOf(state)
	if have, ok := c.seen(t); ok && have.sameVersions(want) {
		if !have.saved.IsZero() {
			c.known.CompareAndSwap(t, have, want)
			c.log.InfoContext(ctx, "the store confirms the rule set that was in service from the snapshot", "tenant", t, "ruleset", want.active)
		}
		return true, nil
	}
	v := routing.Versions{Share: want.share, Salt: want.salt}
	packed := map[string]encoding.BinaryMarshaler{}
	for hash, to := range map[string]**routing.Router{want.active: &v.Active, want.canary: &v.Canary} {
		if hash == "" {
			continue
		}
		got, err := c.version(ctx, t, hash, ready)
		if err != nil {
			return false, callmodel.Errorf(storedSetCode(err), "rule set %s of tenant %s can't be put in service: %w", hash, t, err)
		}
		*to, packed[hash] = got.router, got.packed
	}
	c.mu.Lock()
	if done = c.changes[t] == before; done {
		c.put(t, want, v)
		c.keeper.later(t, state, packed) // in the order in which they are put in service
	}
	c.mu.Unlock()
	if done {
		c.log.InfoContext(ctx, "rule set in service", "tenant", t, "ruleset", want.active, "canary", want.canary, "percent", want.share.String())
	}
	return done, nil
}

// storedSetCode is the code for a stored version that can't be put in service:
// that it doesn't compile is no fault of the request that needs it.
func storedSetCode(err error) callmodel.Code {
	switch code := callmodel.CodeOf(err); code {
	case callmodel.CodeInvalid, callmodel.CodeMalformed, callmodel.CodeNotFound:
		return callmodel.CodeInternal
	default:
		return code
	}
}

// version is one of the tenant's own: among ready, in service, or in the store.
// It isn't looked for in the snapshot: neither calls nor Run wait for a disk.
func (c *ruleCache) version(ctx context.Context, t callmodel.TenantID, hash string, ready []compiled) (compiled, error) {
	for _, r := range ready {
		if r.router.Hash() == hash {
			return r, nil
		}
	}
	if have, _ := c.seen(t); have.active != "" {
		if v := c.table.Versions(t); v != nil {
			for _, r := range [2]*routing.Router{v.Active, v.Canary} {
				if r != nil && r.Hash() == hash {
					return compiled{router: r}, nil
				}
			}
		}
	}
	stored, err := c.stored(ctx, t, hash)
	if err != nil {
		return compiled{}, err
	}
	return c.compile(ctx, stored.Body)
}

// stored is a version in the store. The error for one that isn't there names it.
func (c *ruleCache) stored(ctx context.Context, t callmodel.TenantID, hash string) (rulesets.Version, error) {
	stored, err := c.store.RuleSet(ctx, t, hash)
	if callmodel.CodeOf(err) == callmodel.CodeNotFound {
		return stored, callmodel.Errorf(callmodel.CodeNotFound,
			"there is no version %.40q of the rules; list those there are, over HTTP with GET /v1/rules", hash)
	}
	return stored, err
}

// put is called with mu held.
func (c *ruleCache) put(t callmodel.TenantID, in inService, v routing.Versions) {
	c.changes[t]++
	c.trunks.configure(t, &v)
	c.table.Put(t, v)
	if t == c.platform {
		c.table.Put("", v)
	}
	if _, ok := c.seen(t); !ok && in.active == "" {
		c.keeper.without.Store(true)
		defer c.keeper.wake()
	}
	c.known.Store(t, in)
}

// refresh looks up every tenant that was seen. It stops at a store that can't be
// reached.
func (c *ruleCache) refresh(ctx context.Context) {
	for k := range c.known.Range {
		t, ok := k.(callmodel.TenantID)
		if !ok {
			continue
		}
		one, cancel := context.WithTimeout(ctx, storeWait)
		err := c.load(one, t)
		cancel()
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			continue
		}
		c.log.ErrorContext(ctx, "the rule set in service could not be refreshed; it stays", "tenant", t, "error", err)
		if callmodel.CodeOf(err) == callmodel.CodeUnavailable || errors.Is(err, context.DeadlineExceeded) {
			return
		}
	}
}

// apartBytes is from which size on a set is compiled by Options.Compile: what is smaller
// takes some hundredths of a second.
const apartBytes = 1 << 20

// compile makes a router of a body, and what the snapshot keeps of it if there is
// one. It has a thread of its own meanwhile: the system gives way to threads that
// have slept, as those are then that answer calls, and none of them has the seconds of
// work behind it that a large set is.
func (c *ruleCache) compile(ctx context.Context, body []byte) (out compiled, err error) {
	if c.apart != nil && len(body) >= apartBytes {
		out.router, out.packed, err = c.apart(ctx, body)
		if callmodel.CodeOf(err) != callmodel.CodeUnavailable || ctx.Err() != nil {
			return out, err
		}
		c.log.WarnContext(ctx, "a rule set can't be compiled apart from the calls; it is compiled beside them", "error", err)
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if c.keeper.dir == nil {
		out.router, err = routing.CompileText(body)
		return out, err
	}
	router, packed, err := routing.CompileAndPack(body)
	if err != nil {
		return compiled{}, err
	}
	return compiled{router, packed}, nil
}

// formatOf is "json" or "yaml".
func formatOf(body []byte) string {
	if bytes.HasPrefix(bytes.TrimLeft(bytes.TrimPrefix(body, []byte("\xef\xbb\xbf")), " \t\r\n"), []byte("{")) {
		return "json"
	}
	return "yaml"
}

// group is the state of the destinations that the tenant's router knows, or nil.
func (c *ruleCache) group(t callmodel.TenantID) *trunk.Group {
	if in, _ := c.seen(t); in.active == "" {
		t = c.platform
	}
	return c.trunks.group(t)
}

// live is group as the router wants it: nil when there is none.
func (c *ruleCache) live(t callmodel.TenantID) routing.Live {
	if g := c.group(t); g != nil {
		return g
	}
	return nil
}
