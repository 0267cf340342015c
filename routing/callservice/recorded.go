package callservice

import (
	"cmp"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/callmodel/origin"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/callmodel/users"
)

// settled is how a call is recorded, while it is found out: who speaks first wins.
type settled struct {
	pref *record.Preference // nil: not recorded, and nobody says how it would be
	from origin.Settings
	own  bool // pref is not somebody else's, and may be changed
}

// recordedAs notes how the call is recorded, and who says so. said may be nil.
func (s *Service) recordedAs(call *calls.Call, req *calls.Request, said *said) {
	is := settle(call.Recording, said, req.User, req.Callee, s.tenantsRecording(call.TenantID))
	call.Recording, call.SettingsFrom = is.pref, is.from
}

// tenantsRecording is how the tenant's calls are recorded that don't say; nil if it
// doesn't say either.
func (s *Service) tenantsRecording(t callmodel.TenantID) *record.Preference {
	if d := s.opts.Users.Defaults(t); d != nil {
		return d.Recording
	}
	return nil
}

// settle is how a call is recorded: each setting by the call's own request, else by the
// settings service, else by its users, who know only whether, else by its tenant. A
// request for no recording needs nobody else. Any of them may be nil.
func settle(asked *record.Preference, said *said, caller, callee *users.Facts, tenants *record.Preference) settled {
	var s settled
	if asked != nil {
		s.add(asked, origin.Call)
		s.enable(asked.Enabled, origin.Call)
	}
	if asked == nil || asked.Enabled {
		s.hear(said, refuses(caller, callee))
		if yes, ok := users.Records(caller, callee); ok {
			s.enable(yes, origin.User)
		}
		if tenants != nil && (s.pref != nil || s.from.Enabled == "") { // a user's no needs no how
			s.add(tenants, origin.Tenant)
			s.enable(tenants.Enabled, origin.Tenant)
		}
	}
	return s.withDefault()
}

// settleAtEnd is how a call is recorded that was recorded as was, by what the service says
// at its end. What the call's request said holds. So does what the service said at the
// start, against what it said of another call.
func settleAtEnd(was settled, said *said, caller, callee *users.Facts, tenants *record.Preference) settled {
	before := was.from
	if before.Outputs == origin.Default {
		before.Outputs = ""
	}
	s := settled{pref: was.pref, from: before}
	if said.by == "" {
		s.from.Fallback = said.answer.Fallback
		return s.withDefault()
	}
	for _, from := range eachOf(&s.from) {
		if *from != origin.Call && (said.by != origin.Cache || *from != origin.Service) {
			*from = "" // the service may say it anew
		}
	}
	s.hear(said, refuses(caller, callee))
	held := eachOf(&before)
	for i, from := range eachOf(&s.from) {
		*from = cmp.Or(*from, *held[i])
	}
	if was.pref == nil && s.pref != nil && tenants != nil {
		s.add(tenants, origin.Tenant)
	}
	return s.withDefault()
}

// eachOf is where the sources of the settings stand.
func eachOf(f *origin.Settings) [6]*origin.Source {
	return [...]*origin.Source{&f.Enabled, &f.Outputs, &f.PauseMode, &f.PauseOnHold, &f.Trim, &f.LevelLUFS}
}

// refuses reports whether one of the users refuses to be recorded. Then the service, which
// may know no more than the kind of the call, can't have it recorded.
func refuses(caller, callee *users.Facts) bool {
	return caller.Consent() == users.ConsentRefused || callee.Consent() == users.ConsentRefused
}

// hear adds what the service says.
func (s *settled) hear(said *said, refused bool) {
	if said == nil {
		return
	}
	s.from.Fallback = said.answer.Fallback
	if said.by == "" {
		return
	}
	a := &said.answer
	s.add(&record.Preference{Outputs: a.Outputs, PauseMode: a.PauseMode, Trim: a.Trim, LevelLUFS: a.LevelLUFS}, said.by)
	if a.PauseOnHold != nil && s.from.PauseOnHold == "" {
		s.edit().PauseOnHold, s.from.PauseOnHold = *a.PauseOnHold, said.by
	}
	if a.Enabled != nil && (!refused || !*a.Enabled) {
		s.enable(*a.Enabled, said.by)
	}
}

// enable says whether the call is recorded, unless that was said.
func (s *settled) enable(yes bool, by origin.Source) {
	if s.from.Enabled != "" {
		return
	}
	s.from.Enabled = by
	if yes != (s.pref != nil && s.pref.Enabled) {
		s.edit().Enabled = yes
	}
}

// add adds the settings of p that were not said before, but for Enabled.
func (s *settled) add(p *record.Preference, by origin.Source) {
	if s.pref == nil && (by == origin.Call || by == origin.Tenant) {
		s.pref = p // shared until it is changed
	}
	shared := s.pref == p
	first := func(from *origin.Source, said bool) (copies bool) {
		if *from != "" || !said {
			return false
		}
		*from = by
		return !shared
	}
	if first(&s.from.Outputs, len(p.Outputs) > 0) {
		s.edit().Outputs = p.Outputs
	}
	if first(&s.from.PauseMode, p.PauseMode != "") {
		s.edit().PauseMode = p.PauseMode
	}
	if first(&s.from.PauseOnHold, p.PauseOnHold) {
		s.edit().PauseOnHold = true
	}
	if first(&s.from.Trim, p.Trim != nil) {
		s.edit().Trim = p.Trim
	}
	if first(&s.from.LevelLUFS, p.LevelLUFS != 0) {
		s.edit().LevelLUFS = p.LevelLUFS
	}
}

// edit is the preference, to be changed.
func (s *settled) edit() *record.Preference {
	if !s.own {
		var p record.Preference
		if s.pref != nil {
			p = *s.pref
		}
		s.pref, s.own = &p, true
	}
	return s.pref
}

// withDefault says that the platform's outputs are made where nobody names others.
func (s settled) withDefault() settled {
	if s.pref != nil && s.pref.Enabled && len(s.pref.Outputs) == 0 {
		s.from.Outputs = origin.Default
	}
	return s
}
