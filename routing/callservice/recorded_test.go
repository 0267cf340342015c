package callservice

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel/origin"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/callmodel/users"
)

// What speaks in these tests of how a call is recorded.
func flac() []record.OutputSpec {
	return []record.OutputSpec{{Codec: record.CodecFLAC, Layout: record.LayoutMono}}
}

func opus() []record.OutputSpec {
	return []record.OutputSpec{{Codec: record.CodecOpus, Layout: record.LayoutStereo}}
}

func user(mode users.RecordingMode, consent users.RecordingConsent) *users.Facts {
	return users.FactsOf(&users.User{TenantID: "acme", ID: "ann", Preferences: users.Preferences{Recording: mode, Consent: consent}}, "")
}

func answered(a SettingsAnswer) *said { return &said{a, origin.Service} }

// TestSettle: each setting is said by the first of the call's request, the settings
// service, the users, the tenant and the default that says it.
func TestSettle(t *testing.T) {
	t.Parallel()
	yes, no := true, false
	trim := &record.TrimSpec{ThresholdDBFS: -40}
	tenant := &record.Preference{
		Enabled: true, Outputs: flac(), PauseMode: record.PauseCut, PauseOnHold: true,
		Trim: &record.TrimSpec{ThresholdDBFS: -60}, LevelLUFS: -23,
	}
	service := SettingsAnswer{Enabled: &yes, Outputs: opus(), PauseMode: record.PauseSilence, PauseOnHold: &no, Trim: trim, LevelLUFS: -16}
	all := func(s origin.Source) origin.Settings {
		return origin.Settings{Enabled: s, Outputs: s, PauseMode: s, PauseOnHold: s, Trim: s, LevelLUFS: s}
	}
	for name, c := range map[string]struct {
		asked  *record.Preference
		said   *said
		user   *users.Facts
		tenant *record.Preference
		want   *record.Preference
		from   origin.Settings
	}{
		"nobody":       {},
		"the tenant":   {tenant: tenant, want: tenant, from: all(origin.Tenant)},
		"the platform": {asked: &record.Preference{Enabled: true}, want: &record.Preference{Enabled: true}, from: origin.Settings{Enabled: origin.Call, Outputs: origin.Default}},
		"the service alone": {
			said: answered(service),
			want: &record.Preference{Enabled: true, Outputs: opus(), PauseMode: record.PauseSilence, Trim: trim, LevelLUFS: -16},
			from: all(origin.Service),
		},
		"the service before the tenant": {
			said: answered(service), tenant: tenant,
			want: &record.Preference{Enabled: true, Outputs: opus(), PauseMode: record.PauseSilence, Trim: trim, LevelLUFS: -16},
			from: all(origin.Service),
		},
		"each its part": {
			asked: &record.Preference{Enabled: true, LevelLUFS: -30}, said: answered(SettingsAnswer{Outputs: opus(), LevelLUFS: -16}),
			user: user(users.RecordNever, ""), tenant: tenant,
			want: &record.Preference{Enabled: true, Outputs: opus(), PauseMode: record.PauseCut, PauseOnHold: true, Trim: tenant.Trim, LevelLUFS: -30},
			from: origin.Settings{
				Enabled: origin.Call, Outputs: origin.Service, LevelLUFS: origin.Call,
				PauseMode: origin.Tenant, PauseOnHold: origin.Tenant, Trim: origin.Tenant,
			},
		},
		"a request for no recording": {
			asked: &record.Preference{}, said: answered(service), tenant: tenant,
			want: &record.Preference{}, from: origin.Settings{Enabled: origin.Call},
		},
		"an answer about another call": {
			said: &said{SettingsAnswer{Enabled: &yes, Fallback: "timeout"}, origin.Cache}, tenant: &record.Preference{LevelLUFS: -20},
			want: &record.Preference{Enabled: true, LevelLUFS: -20},
			from: origin.Settings{Enabled: origin.Cache, Outputs: origin.Default, LevelLUFS: origin.Tenant, Fallback: "timeout"},
		},
		"no answer": {
			said: &said{answer: SettingsAnswer{Fallback: "busy"}}, user: user(users.RecordAlways, ""),
			want: &record.Preference{Enabled: true},
			from: origin.Settings{Enabled: origin.User, Outputs: origin.Default, Fallback: "busy"},
		},
		"no answer, and nobody else": {said: &said{answer: SettingsAnswer{Fallback: "busy"}}, from: origin.Settings{Fallback: "busy"}},
		"an answer that says nothing": {
			said: answered(SettingsAnswer{}), user: user(users.RecordAlways, ""), tenant: &record.Preference{Outputs: flac()},
			want: &record.Preference{Enabled: true, Outputs: flac()}, from: origin.Settings{Enabled: origin.User, Outputs: origin.Tenant},
		},
		"the service before the users": {
			said: answered(SettingsAnswer{Enabled: &no}), user: user(users.RecordAlways, ""),
			want: nil, from: origin.Settings{Enabled: origin.Service},
		},
		"the service before a user who would rather not": {
			said: answered(SettingsAnswer{Enabled: &yes}), user: user(users.RecordNever, ""),
			want: &record.Preference{Enabled: true}, from: origin.Settings{Enabled: origin.Service, Outputs: origin.Default},
		},
		"a refused consent before the service": {
			said: answered(SettingsAnswer{Enabled: &yes}), user: user("", users.ConsentRefused), tenant: tenant,
			want: nil, from: origin.Settings{Enabled: origin.User},
		},
		"the users before the tenant": {
			user: user(users.RecordNever, ""), tenant: tenant, want: nil, from: origin.Settings{Enabled: origin.User},
		},
		"a no needs no how": {
			said: answered(SettingsAnswer{Enabled: &no}), tenant: &record.Preference{Enabled: true, Outputs: flac()},
			want: nil, from: origin.Settings{Enabled: origin.Service},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			before := record.Preference{}
			if c.tenant != nil {
				before = *c.tenant
			}
			got := settle(c.asked, c.said, nil, c.user, c.tenant)
			assert.Equal(t, c.want, got.pref)
			assert.Equal(t, c.from, got.from)
			if c.tenant != nil {
				assert.Equal(t, before, *c.tenant, "the tenant's own stays as it is")
			}
		})
	}
}

// TestSettleAtEnd: what the service says at the end goes before all but the call's request.
func TestSettleAtEnd(t *testing.T) {
	t.Parallel()
	yes, no := true, false
	tenant := &record.Preference{Outputs: flac(), LevelLUFS: -23}
	cached := func(a SettingsAnswer) *said { a.Fallback = "timeout"; return &said{a, origin.Cache} }
	for name, c := range map[string]struct {
		was    settled
		said   *said
		user   *users.Facts
		tenant *record.Preference
		want   *record.Preference
		from   origin.Settings
	}{
		"other files": {
			was:  settled{pref: &record.Preference{Enabled: true, Outputs: flac()}, from: origin.Settings{Enabled: origin.User, Outputs: origin.Service}},
			said: answered(SettingsAnswer{Outputs: opus()}),
			want: &record.Preference{Enabled: true, Outputs: opus()}, from: origin.Settings{Enabled: origin.User, Outputs: origin.Service},
		},
		"files in the place of the default": {
			was:  settled{pref: &record.Preference{Enabled: true}, from: origin.Settings{Enabled: origin.Tenant, Outputs: origin.Default, Fallback: "timeout"}},
			said: answered(SettingsAnswer{Outputs: opus()}),
			want: &record.Preference{Enabled: true, Outputs: opus()}, from: origin.Settings{Enabled: origin.Tenant, Outputs: origin.Service},
		},
		"not what the request said": {
			was:  settled{pref: &record.Preference{Enabled: true, Outputs: flac()}, from: origin.Settings{Enabled: origin.Call, Outputs: origin.Call}},
			said: answered(SettingsAnswer{Enabled: &no, Outputs: opus(), LevelLUFS: -16}),
			want: &record.Preference{Enabled: true, Outputs: flac(), LevelLUFS: -16},
			from: origin.Settings{Enabled: origin.Call, Outputs: origin.Call, LevelLUFS: origin.Service},
		},
		"no answer": {
			was:  settled{pref: &record.Preference{Enabled: true}, from: origin.Settings{Enabled: origin.Service, Outputs: origin.Default}},
			said: &said{answer: SettingsAnswer{Fallback: "status"}},
			want: &record.Preference{Enabled: true}, from: origin.Settings{Enabled: origin.Service, Outputs: origin.Default, Fallback: "status"},
		},
		"a recording that nobody asked for before": {
			said: answered(SettingsAnswer{Enabled: &yes}), tenant: tenant,
			want: &record.Preference{Enabled: true, Outputs: flac(), LevelLUFS: -23},
			from: origin.Settings{Enabled: origin.Service, Outputs: origin.Tenant, LevelLUFS: origin.Tenant},
		},
		"a consent that is refused": {
			was: settled{from: origin.Settings{Enabled: origin.User}}, user: user("", users.ConsentRefused),
			said: answered(SettingsAnswer{Enabled: &yes}), tenant: tenant,
			want: nil, from: origin.Settings{Enabled: origin.User},
		},
		"no recording": {
			was:  settled{pref: &record.Preference{Enabled: true, Outputs: flac()}, from: origin.Settings{Enabled: origin.Tenant, Outputs: origin.Tenant}},
			said: answered(SettingsAnswer{Enabled: &no}),
			want: &record.Preference{Outputs: flac()}, from: origin.Settings{Enabled: origin.Service, Outputs: origin.Tenant},
		},
		"what was said of another call goes behind the start's answer": {
			was:  settled{pref: &record.Preference{Enabled: true, Outputs: flac()}, from: origin.Settings{Enabled: origin.User, Outputs: origin.Service}},
			said: cached(SettingsAnswer{Enabled: &no, Outputs: opus(), LevelLUFS: -16}),
			want: &record.Preference{Outputs: flac(), LevelLUFS: -16},
			from: origin.Settings{Enabled: origin.Cache, Outputs: origin.Service, LevelLUFS: origin.Cache, Fallback: "timeout"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			was := record.Preference{}
			if c.was.pref != nil {
				was = *c.was.pref
			}
			got := settleAtEnd(c.was, c.said, c.user, nil, c.tenant)
			assert.Equal(t, c.want, got.pref)
			assert.Equal(t, c.from, got.from)
			if c.was.pref != nil {
				assert.Equal(t, was, *c.was.pref)
			}
		})
	}
}

// TestSettlingAllocatesLittle: nothing without settings to join, else one preference.
func TestSettlingAllocatesLittle(t *testing.T) {
	tenant, asked := &record.Preference{Enabled: true, Outputs: flac(), LevelLUFS: -23}, &record.Preference{Enabled: true}
	ann := user(users.RecordAlways, "")
	for name, c := range map[string]struct {
		asked, tenant *record.Preference
		user          *users.Facts
		want          float64
	}{
		"nobody":               {},
		"the request":          {asked: asked},
		"the tenant":           {tenant: tenant},
		"the request for none": {asked: &record.Preference{}, tenant: tenant},
		"a user":               {user: ann, want: 1},
		"a user, as tenants":   {user: ann, tenant: tenant, want: 1},
		"both":                 {asked: asked, tenant: tenant, want: 1},
	} {
		var got settled
		require.InDelta(t, c.want, testing.AllocsPerRun(100, func() { got = settle(c.asked, nil, c.user, nil, c.tenant) }), 0, name)
		_ = got
	}
}
