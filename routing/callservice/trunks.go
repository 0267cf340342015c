package callservice

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/routing"
	"github.com/switchtape/switchtape/routing/trunk"
)

// trunks is the run-time state of the destinations of every rule set in
// service, by the tenant that owns the set: two tenants' destinations of the
// same id are two. Readers wait for nobody.
type trunks struct {
	opts    trunk.Options
	changed func(callmodel.TenantID, trunk.Change)
	groups  sync.Map // of each callmodel.TenantID its *trunk.Group

	sharing   sync.Mutex
	index, of int // this process among those that decide; an index below 0 isn't known
	asked     time.Time
}

func newTrunks(o *Options) *trunks {
	t := &trunks{changed: o.TrunkChanged}
	if o.Trunks != nil {
		t.opts = *o.Trunks
	}
	t.index, t.of = -1, max(t.opts.Share, 1)
	if t.changed == nil {
		t.changed = func(callmodel.TenantID, trunk.Change) {}
	}
	t.opts.Now = o.Now
	return t
}

// configure takes the destinations of the owner's new versions. Without any the
// state stays, for the calls that run. One that both versions have is limited as
// the active one says.
func (t *trunks) configure(owner callmodel.TenantID, v *routing.Versions) {
	if v.Active == nil {
		return
	}
	all := v.Active.Endpoints()
	if v.Canary != nil {
		both := v.Canary.Endpoints()
		maps.Copy(both, all)
		all = both
	}
	g := t.group(owner)
	if g == nil {
		o := t.opts
		o.Changed = func(c trunk.Change) { t.changed(owner, c) }
		g = trunk.New(&o)
	}
	g.Configure(all)
	g.Limit(limitsOf(v))
	t.sharing.Lock()
	defer t.sharing.Unlock()
	g.Share(t.index, t.of)
	t.groups.Store(owner, g)
}

// limitsOf are the limits of calls by either version. What both limit the active one
// says.
func limitsOf(v *routing.Versions) routing.AllLimits {
	all := v.Active.Limits()
	if v.Canary == nil {
		return all
	}
	both := v.Canary.Limits()
	both.CallLimits = all.CallLimits // a tenant's calls are one number, whichever version takes them
	if both.Rules == nil {
		both.Rules = map[string]routing.Limits{}
	}
	maps.Copy(both.Rules, all.Rules)
	return both
}

// instancesEvery is how often it is looked up how many processes decide.
const instancesEvery = 5 * time.Second

// shareLimits has the limits enforced by parts, as many as processes decide now. Where
// that can't be found out the parts stay.
func (s *Service) shareLimits(ctx context.Context) {
	t := s.trunks
	now := s.opts.Now()
	if s.opts.Instances == nil || now.Sub(t.asked) < instancesEvery && !now.Before(t.asked) {
		return
	}
	t.asked = now
	one, cancel := context.WithTimeout(ctx, storeWait)
	index, of, err := s.opts.Instances(one)
	cancel()
	if err != nil || of < 1 {
		if err != nil && ctx.Err() == nil {
			s.opts.Logger.WarnContext(ctx, "it can't be found out how many processes decide; each keeps its part of the limits", "error", err)
		}
		return
	}
	t.sharing.Lock()
	defer t.sharing.Unlock()
	if t.index == index && t.of == of {
		return
	}
	t.index, t.of = index, of
	for _, g := range t.all() {
		g.Share(index, of)
	}
	s.opts.Logger.InfoContext(ctx, "the limits of calls are shared anew", "process", index+1, "of", of)
}

// group is the owner's, or nil.
func (t *trunks) group(owner callmodel.TenantID) *trunk.Group {
	v, _ := t.groups.Load(owner)
	g, _ := v.(*trunk.Group)
	return g
}

// all is every group with its owner.
func (t *trunks) all() map[callmodel.TenantID]*trunk.Group {
	list := map[callmodel.TenantID]*trunk.Group{}
	for k, v := range t.groups.Range {
		owner, isTenant := k.(callmodel.TenantID)
		if g, ok := v.(*trunk.Group); ok && isTenant {
			list[owner] = g
		}
	}
	return list
}

// observe follows a call that moved, wherever it holds its place: the tenant
// may have got rules of its own since.
func (t *trunks) observe(c *calls.Call, cause *calls.Cause, platform callmodel.TenantID) {
	for _, owner := range [2]callmodel.TenantID{c.TenantID, platform} {
		if g := t.group(owner); g != nil && g.Observe(c, cause) {
			return
		}
	}
}

// probe asks destinations whether they are there, until ctx ends.
func (t *trunks) probe(ctx context.Context) {
	if t.opts.Prober == nil {
		return
	}
	every := time.NewTicker(cmp.Or(t.opts.ProbeEvery, 30*time.Second))
	defer every.Stop()
	for {
		for _, g := range t.all() {
			g.Probe(ctx)
		}
		select {
		case <-ctx.Done():
			return
		case <-every.C:
		}
	}
}

// maxReconciled bounds the calls of one owner that are looked up at a time.
const maxReconciled = 100

// reconcile gives back the places of calls that ended without this process
// hearing of it: their events were told to another one, or they expired.
func (s *Service) reconcile(ctx context.Context) {
	for _, g := range s.trunks.all() {
		g.Sweep()
		for _, k := range g.Silent(maxReconciled) {
			one, cancel := context.WithTimeout(ctx, storeWait)
			call, err := s.stores.Call(one, k.Tenant, k.Call)
			cancel()
			switch {
			case err == nil:
				g.Observe(&call, call.Cause)
			case callmodel.CodeOf(err) == callmodel.CodeNotFound && !s.later.has(k):
				g.Drop(k)
			default: // asked again, or expired
				if ctx.Err() != nil {
					return
				}
			}
		}
	}
}

// TrunkStats is what is known of one destination.
type TrunkStats struct {
	Owner callmodel.TenantID // of the rule set
	trunk.Stats
}

// Trunks are the destinations of every rule set in service.
func (s *Service) Trunks() []TrunkStats {
	var list []TrunkStats
	for owner, g := range s.trunks.all() {
		for _, s := range g.Stats() {
			list = append(list, TrunkStats{owner, s})
		}
	}
	slices.SortStableFunc(list, func(a, b TrunkStats) int { return strings.Compare(string(a.Owner), string(b.Owner)) })
	return list
}
