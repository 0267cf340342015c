package callservice

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"sync"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/callmodel/e164"
	"github.com/switchtape/switchtape/callmodel/e164/normalize"
	"github.com/switchtape/switchtape/callmodel/users"
)

// Users knows users and tenants in memory: nothing here may wait. One that is empty or
// old is no fault: calls are decided by what is known. *directory.Directory is one.
type Users interface {
	// Find is the tenant's user with the number, in E.164 or an extension; nil for nobody.
	Find(t callmodel.TenantID, number string) *users.Facts
	// DID is the user of any tenant with the DID; nil for nobody.
	DID(number string) *users.Facts
	// Defaults are those of the tenant, which must not be changed; nil for none.
	Defaults(t callmodel.TenantID) *users.Defaults
}

// nobody is a directory without users.
type nobody struct{}

func (nobody) Find(callmodel.TenantID, string) *users.Facts { return nil }
func (nobody) DID(string) *users.Facts                      { return nil }
func (nobody) Defaults(callmodel.TenantID) *users.Defaults  { return nil }

// numberings keeps what is known of tenants' numbers: what Options.Numbering says, with
// the outside lines and the emergency numbers of their defaults.
type numberings struct{ known sync.Map } // of each callmodel.TenantID with defaults, its numbering

type numbering struct {
	base     *normalize.Numbering
	defaults *users.Defaults
	with     *normalize.Numbering
}

// numbering is what is known of the tenant's numbers.
func (s *Service) numbering(t callmodel.TenantID) *normalize.Numbering {
	base, defaults := s.opts.Numbering(t), s.opts.Users.Defaults(t)
	if defaults == nil || len(defaults.OutsidePrefixes)+len(defaults.EmergencyNumbers) == 0 {
		return base
	}
	if v, ok := s.numberings.known.Load(t); ok {
		if n, is := v.(*numbering); is && n.base == base && n.defaults == defaults {
			return n.with
		}
	}
	n := &numbering{base: base, defaults: defaults, with: &normalize.Numbering{OutsidePrefixes: defaults.OutsidePrefixes}}
	if base != nil {
		n.with.Added, n.with.Removed = base.Added, base.Removed
		n.with.OutsidePrefixes = slices.Concat(defaults.OutsidePrefixes, base.OutsidePrefixes)
	}
	if len(defaults.EmergencyNumbers) > 0 {
		added := map[string][]string{}
		maps.Copy(added, n.with.Added)
		added[""] = slices.Concat(defaults.EmergencyNumbers, added[""])
		n.with.Added = added
	}
	s.numberings.known.Store(t, n)
	return n.with
}

// defaultRegion is where the tenant's numbers are dialled if nobody says.
func (s *Service) defaultRegion(t callmodel.TenantID) string {
	if d := s.opts.Users.Defaults(t); d != nil && normalize.ValidRegion(d.Region) {
		return d.Region
	}
	return s.opts.DefaultRegion
}

// callerRegion is the region of the tenant's user with the number, as it was given; ""
// if that isn't known.
func (s *Service) callerRegion(t callmodel.TenantID, raw string) string {
	f := s.opts.Users.Find(t, raw)
	if f == nil && raw != "" && !e164.Valid(raw) && s.opts.Users.Defaults(t) != nil {
		if n, err := s.numbering(t).Parse(raw, s.defaultRegion(t)); err == nil {
			f = s.opts.Users.Find(t, n.Value)
		}
	}
	if region := f.Region(); normalize.ValidRegion(region) {
		return region
	}
	return ""
}

// extension is the callee if what was dialled is an extension of the tenant: no numbering
// plan makes another number of it.
func (s *Service) extension(t callmodel.TenantID, raw string) (calls.Party, bool) {
	if !e164.Short(raw) || s.opts.Users.Find(t, raw) == nil {
		return calls.Party{}, false
	}
	return calls.Party{Number: raw}, true
}

// know notes who calls and who is called. Emergency calls have no users.
func (s *Service) know(call *calls.Call, req *calls.Request) {
	if emergency(req) {
		return
	}
	req.User, req.Callee = s.opts.Users.Find(req.TenantID, req.From), s.opts.Users.Find(req.TenantID, req.To)
	if call == nil {
		return
	}
	call.From.User, call.From.UserVersion = named(req.User)
	call.To.User, call.To.UserVersion = named(req.Callee)
}

func emergency(req *calls.Request) bool { return req.Emergency || req.Type == calls.TypeEmergency }

func named(f *users.Facts) (users.ID, int64) {
	if f == nil {
		return "", 0
	}
	return f.ID, f.Version
}

// knew adds who the users of a stored call were when it was decided.
func (s *Service) knew(ctx context.Context, call *calls.Call, req *calls.Request) {
	if emergency(req) {
		return
	}
	req.User = s.was(ctx, call.TenantID, &call.From)
	req.Callee = s.was(ctx, call.TenantID, &call.To)
}

// was is the party's user as it was when the call was decided.
func (s *Service) was(ctx context.Context, t callmodel.TenantID, p *calls.Party) *users.Facts {
	if p.User == "" {
		return nil
	}
	if now := s.opts.Users.Find(t, p.Number); now != nil && now.ID == p.User && now.Version == p.UserVersion {
		return now
	}
	if s.opts.UserVersions != nil {
		list, err := s.opts.UserVersions(ctx, t, p.User, p.UserVersion+1, 1)
		if err == nil && len(list) == 1 && list[0].Version == p.UserVersion && list[0].Document != nil {
			u := list[0].Document
			return users.FactsOf(u, normalize.CountryCode(u.Preferences.Region))
		}
		s.opts.Logger.WarnContext(ctx, "a call's user can't be read as it was", "tenant", t, "user", p.User, "version", p.UserVersion, "error", err)
	}
	return users.FactsOf(&users.User{TenantID: t, ID: p.User}, "") // that there was one is all that is known
}

// TenantOf is whose call it is that is requested for the tenant: for the platform's own,
// a call that comes in to a DID is of the tenant that has the DID, and one to a number
// that the platform's active rules say is a tenant's is that tenant's.
func (s *Service) TenantOf(ctx context.Context, t callmodel.TenantID, req *Request) callmodel.TenantID {
	if t != s.opts.PlatformTenant || req.Direction != calls.Inbound {
		return t
	}
	number := req.To
	if n, err := s.numbering(t).Parse(req.To, cmp.Or(req.Region, s.defaultRegion(t))); err == nil {
		number = n.Value
	}
	if f := s.opts.Users.DID(number); f != nil {
		return f.TenantID
	}
	ctx, cancel := context.WithTimeout(ctx, storeWait)
	defer cancel()
	if err := s.rules.prepare(ctx, t); err != nil {
		s.opts.Logger.WarnContext(ctx, "the platform's rules can't be read; an inbound call is taken to be the platform's own", "number", shown(number), "error", err)
		return t
	}
	if r := s.rules.inMemory(t); r != nil {
		return cmp.Or(r.TenantOf(number), t)
	}
	return t
}
