package callservice_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/callmodel/users"
	"github.com/switchtape/switchtape/routing/callservice"
	"github.com/switchtape/switchtape/routing/directory"
	"github.com/switchtape/switchtape/storage/calldb/memdb"
)

var _ callservice.Users = (*directory.Directory)(nil)

// people is a directory whose users are said outright, as a loaded one has them.
type people struct {
	list    []users.User
	tenants map[callmodel.TenantID]*users.Defaults
}

func (p *people) Find(t callmodel.TenantID, number string) *users.Facts {
	for i := range p.list {
		for _, n := range p.list[i].Numbers.All() {
			if p.list[i].TenantID == t && n == number {
				return users.FactsOf(&p.list[i], "+49")
			}
		}
	}
	return nil
}

func (p *people) DID(number string) *users.Facts {
	for i := range p.list {
		if slices.Contains(p.list[i].Numbers.DIDs, number) {
			return users.FactsOf(&p.list[i], "+49")
		}
	}
	return nil
}

func (p *people) Defaults(t callmodel.TenantID) *users.Defaults { return p.tenants[t] }

func annAndBob() *people {
	return &people{
		list: []users.User{
			{
				TenantID: "acme", ID: "ann", Revision: users.Revision{Version: 3},
				Numbers:     users.Numbers{Mobile: "+491711234567", Extension: "100", DIDs: []string{"+4930123450"}},
				Preferences: users.Preferences{Region: "FR", Recording: users.RecordAlways},
			},
			{
				TenantID: "acme", ID: "bob", Revision: users.Revision{Version: 1}, Numbers: users.Numbers{Extension: "101"},
				Preferences: users.Preferences{DoNotDisturb: true, Barring: users.Barring{Prefixes: []string{"+4930", "112"}}},
			},
			{TenantID: "umbrella", ID: "eve", Numbers: users.Numbers{Extension: "100", DIDs: []string{"+4930999990"}}},
		},
		tenants: map[callmodel.TenantID]*users.Defaults{"acme": {
			Region: "DE", OutsidePrefixes: []string{"0"}, EmergencyNumbers: []string{"7777"}, Recording: &record.Preference{Outputs: []record.OutputSpec{{Codec: record.CodecFLAC, Layout: record.LayoutMono}}},
		}},
	}
}

const userRules = `
destinations: {a: {uri: "sip:a.example.com"}, help: {uri: "sip:help.example.com"}}
rules:
  - {id: dnd, priority: 9, default: true, match: {callee: {dnd: true}}, route: {to: a}}
  - {id: barred, priority: 8, default: true, match: {user: {barred: true}}, route: {to: a}}
  - {id: ann, priority: 7, default: true, match: {user: {id: ann}}, route: {to: a}}
  - {id: rest, default: true, route: {to: a}}
`

// TestUsersOfCalls: who calls and is called is found, noted, asked by rules and explained.
func TestUsersOfCalls(t *testing.T) {
	t.Parallel()
	onAll(t, func(t *testing.T, db callservice.Stores) {
		t.Helper()
		p := annAndBob()
		s := callservice.New(db, &callservice.Options{Users: p})
		install(t, s, "acme", userRules)
		for _, c := range []struct{ from, to, number, rule, user, callee string }{
			{"100", "101", "101", "dnd", "ann", "bob"},
			{"+491711234567", "0144556677", "+33144556677", "ann", "ann", ""}, // in France, where ann dials
			{"101", "030 123450", "+4930123450", "barred", "bob", "ann"},      // in Germany, where acme does
			{"+12025550123", "100", "100", "rest", "", "ann"},
			{"", "+4930999990", "+4930999990", "rest", "", ""}, // another tenant's DID
		} {
			call := create(t, s, callservice.Request{From: c.from, To: c.to})
			assert.Equal(t, c.number, call.To.Number, "%+v", c)
			assert.Equal(t, c.rule, call.Decision.Rule, "%+v", c)
			assert.Equal(t, users.ID(c.user), call.From.User, "%+v", c)
			assert.Equal(t, users.ID(c.callee), call.To.User, "%+v", c)
			x, err := s.Explain(t.Context(), "acme", call.ID)
			require.NoError(t, err)
			assert.Equal(t, c.rule, x.Decision.Rule)
			x, err = s.Try(t.Context(), "acme", callservice.Request{From: c.from, To: c.to}, noon)
			require.NoError(t, err)
			assert.Equal(t, c.rule, x.Decision.Rule)
			assert.Equal(t, c.user != "", x.Request.User != nil)
		}
		stored, err := s.Calls(t.Context(), "acme", calls.Filter{Number: "101"})
		require.NoError(t, err)
		require.Len(t, stored.Calls, 2)
		assert.EqualValues(t, 1, stored.Calls[1].To.UserVersion)
	})
}

// TestExplainedByTheUserOfThen: a call is explained by what its users were when it was
// decided, not by what they are.
func TestExplainedByTheUserOfThen(t *testing.T) {
	t.Parallel()
	db := memdb.New(nil)
	bob := users.User{TenantID: "acme", ID: "bob", Numbers: users.Numbers{Extension: "101"}, Preferences: users.Preferences{DoNotDisturb: true}}
	then, _, err := db.PutUser(t.Context(), bob, users.Write{})
	require.NoError(t, err)
	p := &people{list: []users.User{then}}
	s := callservice.New(db, &callservice.Options{Users: p, UserVersions: db.UserVersions})
	install(t, s, "acme", userRules)
	call := create(t, s, callservice.Request{From: "+12025550123", To: "101"})
	require.Equal(t, "dnd", call.Decision.Rule)

	bob.Preferences.DoNotDisturb = false
	now, _, err := db.PutUser(t.Context(), bob, users.Write{})
	require.NoError(t, err)
	p.list[0] = now
	assert.Equal(t, "rest", create(t, s, callservice.Request{From: "+12025550123", To: "101"}).Decision.Rule)
	for range 2 {
		x, err := s.Explain(t.Context(), "acme", call.ID)
		require.NoError(t, err)
		assert.Equal(t, "dnd", x.Decision.Rule)
		assert.True(t, x.Considered[0].Won)
		assert.EqualValues(t, 1, x.Request.Callee.Version)
		p.list = nil // nor by who has the number now
	}
	s = callservice.New(db, &callservice.Options{Users: p})
	x, err := s.Explain(t.Context(), "acme", call.ID)
	require.NoError(t, err)
	assert.Equal(t, users.ID("bob"), x.Request.Callee.ID, "that it was there is known without the history")
}

// TestRecordedAsUsersAndTenantsSay: the call's request, then its users, then its tenant.
func TestRecordedAsUsersAndTenantsSay(t *testing.T) {
	t.Parallel()
	p := annAndBob()
	s := callservice.New(memdb.New(nil), &callservice.Options{Users: p})
	install(t, s, "acme", userRules)
	flac, mp3 := p.tenants["acme"].Recording.Outputs, []record.OutputSpec{{Codec: record.CodecMP3, Layout: record.LayoutStereo}}
	recorded := func(from, to string, asked *record.Preference) *record.Preference {
		t.Helper()
		return create(t, s, callservice.Request{From: from, To: to, Recording: asked}).Recording
	}
	assert.Equal(t, &record.Preference{Enabled: true, Outputs: flac}, recorded("100", "+12025550123", nil), "ann is always, as acme does")
	assert.Equal(t, &record.Preference{Enabled: true, Outputs: flac}, recorded("+12025550123", "100", nil))
	assert.Equal(t, &record.Preference{Outputs: flac}, recorded("101", "+12025550123", nil), "bob doesn't say, and acme doesn't record")
	assert.Equal(t, &record.Preference{}, recorded("100", "101", &record.Preference{}), "the request says no")
	assert.Equal(t, &record.Preference{Enabled: true, Outputs: flac}, recorded("101", "+12025550123", &record.Preference{Enabled: true}))
	assert.Equal(t, &record.Preference{Enabled: true, Outputs: mp3}, recorded("101", "+12025550123", &record.Preference{Enabled: true, Outputs: mp3}))
	p.list[1].Preferences.Consent = users.ConsentRefused
	assert.Nil(t, recorded("100", "101", nil), "who refuses decides for both")
	p.tenants["acme"].Recording.Enabled = true
	assert.Equal(t, &record.Preference{Enabled: true, Outputs: flac}, recorded("+12025550123", "+12025550124", nil), "acme records")
	assert.Nil(t, recorded("101", "+12025550124", nil))
	delete(p.tenants, "acme")
	assert.Equal(t, &record.Preference{Enabled: true}, recorded("100", "+12025550123", nil))
	assert.Nil(t, recorded("+12025550123", "+12025550124", nil))
}

// TestUsersDontTouchEmergencyCalls: they are recognised in more places, and changed,
// refused and recorded by nothing that users or tenants say.
func TestUsersDontTouchEmergencyCalls(t *testing.T) {
	t.Parallel()
	p := annAndBob()
	p.list[1].Preferences.Consent = users.ConsentRefused
	p.tenants["acme"].Recording.Enabled = true
	p.list = append(p.list, users.User{TenantID: "acme", ID: "trap", Numbers: users.Numbers{Extension: "112"}, Preferences: users.Preferences{DoNotDisturb: true}})
	s := callservice.New(memdb.New(nil), &callservice.Options{Users: p})
	install(t, s, "acme", userRules)
	for _, c := range []struct{ from, to, number string }{
		{"101", "112", "112"},   // bob bars it, and somebody has it as an extension
		{"101", "0112", "112"},  // behind acme's outside line
		{"101", "7777", "7777"}, // acme's own
		{"", "0 7777", "7777"},
		{"101", "110", "110"},              // in Germany, where acme dials
		{"100", "15", "15"},                // in France, where ann dials
		{"+491711234567", "0 15", "15"},    // both
		{"+12025550123", "tel:112", "112"}, // a stranger
	} {
		call := create(t, s, callservice.Request{From: c.from, To: c.to})
		assert.True(t, call.Emergency, "%+v", c)
		assert.Equal(t, c.number, call.To.Number, "%+v", c)
		assert.Equal(t, "rest", call.Decision.Rule, "%+v", c)
		assert.Nil(t, call.Recording)
		assert.Empty(t, call.From.User)
		assert.Empty(t, call.To.User)
		x, err := s.Try(t.Context(), "acme", callservice.Request{From: c.from, To: c.to}, noon)
		require.NoError(t, err)
		assert.Equal(t, "rest", x.Decision.Rule)
		assert.Nil(t, x.Request.User)
	}
	other := callservice.New(memdb.New(nil), &callservice.Options{Users: p})
	_, is := other.Emergency("umbrella", callservice.Request{From: "100", To: "0112"})
	assert.False(t, is, "the outside line is acme's")
	_, is = other.Emergency("umbrella", callservice.Request{From: "100", To: "7777"})
	assert.False(t, is, "the number is acme's")
}

// TestTenantOfADID: a call that comes in at the platform's edge is of whom it is to.
func TestTenantOfADID(t *testing.T) {
	t.Parallel()
	s := callservice.New(memdb.New(nil), &callservice.Options{Users: annAndBob(), PlatformTenant: "platform", DefaultRegion: "DE"})
	in := func(to string, d calls.Direction) *callservice.Request {
		return &callservice.Request{To: to, Direction: d}
	}
	assert.Equal(t, callmodel.TenantID("acme"), s.TenantOf(t.Context(), "platform", in("+4930123450", calls.Inbound)))
	assert.Equal(t, callmodel.TenantID("umbrella"), s.TenantOf(t.Context(), "platform", in("030 999 990", calls.Inbound)))
	assert.Equal(t, callmodel.TenantID("platform"), s.TenantOf(t.Context(), "platform", in("+4930123450", calls.Outbound)))
	assert.Equal(t, callmodel.TenantID("platform"), s.TenantOf(t.Context(), "platform", in("+4930123459", calls.Inbound)))
	assert.Equal(t, callmodel.TenantID("umbrella"), s.TenantOf(t.Context(), "umbrella", in("+4930123450", calls.Inbound)), "nobody else's calls change hands")
}

// TestTenantOfANumber: the platform's active rules say whose a number is that no user has.
func TestTenantOfANumber(t *testing.T) {
	t.Parallel()
	db := memdb.New(nil)
	o := &callservice.Options{Users: annAndBob(), PlatformTenant: "platform", DefaultRegion: "DE"}
	install(t, callservice.New(db, o), "platform", `
tenant_numbers: {globex: ["+4930123*", "+498999990"], initech: ["+49301234*"]}
destinations: {a: {uri: "sip:a.example.com"}}
rules: [{id: all, default: true, route: [[{to: a}]]}]
`)
	s := callservice.New(db, o) // its first call reads the rules
	for to, want := range map[string]callmodel.TenantID{
		"+4930123999": "globex", "030 1234 999": "initech", "+498999990": "globex", "+4989999901": "platform", "+4940123": "platform",
		"+4930123450": "acme", // a user's DID goes before
	} {
		assert.Equal(t, want, s.TenantOf(t.Context(), "platform", &callservice.Request{To: to, Direction: calls.Inbound}), to)
	}
	assert.Equal(t, callmodel.TenantID("platform"), s.TenantOf(t.Context(), "platform", &callservice.Request{To: "+4930123999", Direction: calls.Outbound}))
	assert.Equal(t, callmodel.TenantID("umbrella"), s.TenantOf(t.Context(), "umbrella", &callservice.Request{To: "+4930123999", Direction: calls.Inbound}))
}
