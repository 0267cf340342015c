package routing_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/callmodel/users"
	"github.com/switchtape/switchtape/routing"
)

// known are the users of these tests.
func known() []users.User {
	return []users.User{
		{TenantID: "t0", ID: "plain"},
		{TenantID: "t0", ID: "ann", Preferences: users.Preferences{
			Region: "DE", Recording: users.RecordAlways, DoNotDisturb: true,
			Forwarding: []users.Forward{{When: users.ForwardBusy, To: "100"}},
			Barring:    users.Barring{Classes: []users.BarringClass{users.BarInternational}, Prefixes: []string{"+1212"}},
		}, Metadata: map[string]string{"plan": "gold"}},
		{TenantID: "t0", ID: "bob", Preferences: users.Preferences{
			Region: "FR", Recording: users.RecordNever, Consent: users.ConsentRefused, Barring: users.Barring{Classes: []users.BarringClass{users.BarPremium}},
		}, Metadata: map[string]string{"plan": "tin", "team": ""}},
	}
}

// facts is what a directory knows of the user of that id, nil for nobody.
func facts(id string) *users.Facts {
	list := known()
	for i := range list {
		if list[i].ID == users.ID(id) {
			return users.FactsOf(&list[i], map[string]string{"DE": "+49", "FR": "+33"}[list[i].Preferences.Region])
		}
	}
	return nil
}

func genUser(d draw) *users.Facts { return facts(one(d, "", "plain", "ann", "bob")) }

func genUserMatch(d draw, caller bool) *routing.UserMatch {
	yes, no := true, false
	m := &routing.UserMatch{Exists: one(d, nil, &yes)}
	switch d(9) {
	case 0:
		m.Exists = &no
	case 1:
		m.ID = []users.ID{one(d, users.ID("ann"), "bob"), "plain"}
	case 2:
		m.Region = atLeastOne(d, 2, []string{"DE", "FR", "GB"})
	case 3:
		m.Recording, m.Consent = users.RecordingModes()[:1+d(2)], some(d, 1, users.Consents())
	case 4:
		m.DND = one(d, &yes, &no)
	case 5:
		m.Barring = users.BarringClasses()[d(2):]
	case 6:
		m.Forwarding = []users.ForwardWhen{users.ForwardAlways, one(d, users.ForwardBusy, users.ForwardNoAnswer)}
	case 7:
		m.Metadata = map[string][]string{"plan": {"gold", one(d, "tin", "x")}}
	case 8:
		m.Exists = &yes
		if caller {
			m.Barred = one(d, &yes, &no)
		}
	}
	return m
}

// oracleUsers asks the users as they were written, not their facts.
func oracleUsers(m *routing.Match, q *calls.Request) bool {
	if m.User == nil && m.Callee == nil {
		return true
	}
	return !q.Emergency && q.Type != calls.TypeEmergency && oracleUser(m.User, q.User, q.To) && oracleUser(m.Callee, q.Callee, q.To)
}

func oracleUser(m *routing.UserMatch, f *users.Facts, to string) bool {
	if m == nil {
		return true
	}
	if m.Exists != nil && !*m.Exists {
		return f == nil
	}
	if f == nil {
		return false
	}
	list := known()
	u := list[slices.IndexFunc(list, func(u users.User) bool { return u.ID == f.ID })]
	p := u.Preferences
	barred := slices.ContainsFunc(p.Barring.Prefixes, func(s string) bool { return strings.HasPrefix(to, s) }) ||
		slices.Contains(p.Barring.Classes, users.BarInternational) && strings.HasPrefix(to, "+") && !strings.HasPrefix(to, "+49")
	for key, values := range m.Metadata {
		if v, ok := u.Metadata[key]; !ok || !slices.Contains(values, v) {
			return false
		}
	}
	return (len(m.ID) == 0 || slices.Contains(m.ID, u.ID)) && (len(m.Region) == 0 || slices.Contains(m.Region, p.Region)) &&
		(len(m.Recording) == 0 || slices.Contains(m.Recording, p.Recording)) && (len(m.Consent) == 0 || slices.Contains(m.Consent, p.Consent)) &&
		(m.DND == nil || *m.DND == p.DoNotDisturb) && (m.Barred == nil || *m.Barred == barred) &&
		(len(m.Barring) == 0 || slices.ContainsFunc(m.Barring, func(c users.BarringClass) bool { return slices.Contains(p.Barring.Classes, c) })) &&
		(len(m.Forwarding) == 0 || slices.ContainsFunc(p.Forwarding, func(x users.Forward) bool { return slices.Contains(m.Forwarding, x.When) }))
}

// byUsers asks everything that can be asked of users, each rule one thing.
const byUsers = `
destinations: {a: {uri: "sip:a"}}
rules:
  - {id: dnd, priority: 90, default: true, match: {callee: {dnd: true}}, route: {to: a}}
  - {id: diverted, priority: 80, default: true, match: {callee: {forwarding: [always, busy]}}, route: {to: a}}
  - {id: barred, priority: 70, default: true, match: {user: {barred: true}}, route: {to: a}}
  - {id: premium, priority: 60, match: {to: {prefix: "+49900"}, user: {barring: premium}}, route: {to: a}}
  - {id: gold, priority: 50, default: true, match: {user: {region: [DE, AT], recording: always, metadata: {plan: [gold, silver]}}}, route: {to: a}}
  - {id: bob, priority: 40, default: true, match: {user: {id: bob, consent: refused, dnd: false}}, route: {to: a}}
  - {id: written, priority: 30, default: true, match: {expr: 'user.exists and user.region == "" and callee.metadata["plan"] == "tin"'}, route: {to: a}}
  - {id: strangers, priority: 20, default: true, match: {user: {exists: false}}, route: {to: a}}
  - {id: rest, default: true, route: {to: a}}
`

func TestRulesAskForUsers(t *testing.T) {
	t.Parallel()
	r := compile(t, byUsers)
	for _, c := range []struct {
		from, callee, to string
		rule             string
		whyNot           map[string]string
	}{
		{"", "ann", "100", "dnd", nil},
		{"", "bob", "100", "strangers", map[string]string{
			"dnd": "the callee's user bob has dnd false, not true", "diverted": "the callee's user bob has no forwarding on always, busy",
			"barred": "the caller is no user that is known",
		}},
		{"ann", "", "+4930123", "gold", map[string]string{
			"dnd": "the callee is no user that is known", "barred": "the caller's user ann has barred false, not true for +4930123",
		}},
		{"ann", "", "+33123456789", "barred", nil},
		{"ann", "", "+12125550100", "barred", nil},
		{"bob", "", "+49900123", "premium", nil},
		{"bob", "", "+33123456789", "bob", map[string]string{
			"gold": `the caller's user bob has region "FR", not AT, DE`,
		}},
		{"plain", "bob", "100", "written", map[string]string{"bob": "the caller's user plain is not one of bob"}},
		{"plain", "", "100", "rest", map[string]string{
			"strangers": "the caller is the user plain, and it asks for none", "written": "its expression is false",
			"gold": `the caller's user plain has region "", not AT, DE`,
		}},
	} {
		q := &calls.Request{
			TenantID: "t0", To: c.to, Type: calls.TypeVoice, At: time.Unix(1.77e9, 0), User: facts(c.from), Callee: facts(c.callee),
		}
		x := r.Explain(q)
		assert.Equal(t, c.rule, x.Decision.Rule, "%+v", c)
		d, err := r.Route(q)
		require.NoError(t, err)
		assert.Equal(t, x.Decision, d)
		reasons := map[string]string{}
		for _, v := range x.Considered {
			reasons[v.Rule] = v.Reason
		}
		for rule, why := range c.whyNot {
			assert.Contains(t, reasons[rule], why, "%s of %+v", rule, c)
		}
	}
}

// TestUsersDontTouchEmergencyCalls: whatever they prefer, and whatever rules say of it.
func TestUsersDontTouchEmergencyCalls(t *testing.T) {
	t.Parallel()
	r := compile(t, `
destinations: {help: {uri: "sip:help"}, away: {uri: "sip:away"}}
rules:
  - {id: service, priority: 5, match: {to: {service: emergency}, user: {exists: true}}, route: {to: away}}
  - {id: dnd, priority: 4, default: true, match: {callee: {dnd: true}}, route: {to: away}}
  - {id: barred, priority: 3, default: true, match: {user: {barred: true}}, route: {to: away}}
  - {id: nobody, priority: 2, default: true, match: {user: {exists: false}}, route: {to: away}}
  - {id: written, priority: 1, default: true, match: {expr: 'not callee.exists'}, route: {to: away}}
  - {id: help, default: true, route: {to: help}}
`)
	for _, user := range []string{"", "ann", "bob"} {
		for _, callee := range []string{"", "ann"} {
			for _, to := range []string{"112", "+33112", "urn:service:sos"} {
				q := &calls.Request{TenantID: "t0", To: to, Type: calls.TypeEmergency, Emergency: true, User: facts(user), Callee: facts(callee)}
				x := r.Explain(q)
				require.Equal(t, "help", x.Decision.Rule, "%s %s %s", user, callee, to)
				q.Emergency = false // the type alone says it, too
				d, err := r.Route(q)
				require.NoError(t, err)
				require.Equal(t, "help", d.Rule)
				for _, v := range x.Considered {
					if v.Rule != "help" {
						require.Contains(t, v.Reason, "no emergency call is decided by those", v.Rule)
					}
				}
			}
		}
	}
}

func TestFaultsOfUserConditions(t *testing.T) {
	t.Parallel()
	for text, path := range map[string]string{
		"user: {}":                                  "match.user",
		"user: {exists: false, dnd: true}":          "match.user.exists",
		"user: {exists: maybe}":                     "match.user.exists",
		"user: {id: 'a b'}":                         "match.user.id[0]",
		"user: {id: []}":                            "match.user.id",
		"user: {region: de}":                        "match.user.region[0]",
		"user: {recording: [always, often]}":        "match.user.recording[1]",
		"user: {consent: perhaps}":                  "match.user.consent[0]",
		"user: {barring: all}":                      "match.user.barring[0]",
		"user: {forwarding: never}":                 "match.user.forwarding[0]",
		"user: {metadata: {plan: []}}":              "match.user.metadata.plan",
		"user: {metadata: {}}":                      "match.user.metadata",
		"callee: {barred: true}":                    "match.callee.barred",
		"callee: {colour: red}":                     "match.callee.colour",
		"expr: 'user.colour == \"red\"'":            "match.expr",
		"user: {metadata: {plan: ['', tin, null]}}": "match.user.metadata.plan[2]",
	} {
		_, err := routing.Parse([]byte("destinations: {a: {uri: 'sip:a'}}\nrules:\n  - id: r\n    default: true\n    match: {" + text + "}\n    route: {to: a}\n"))
		if err == nil {
			t.Errorf("%s is taken", text)
			continue
		}
		assert.ErrorContains(t, err, "rules[0]."+path+":", text)
	}
}

// TestUserConditionsThatExcludeEachOther don't tie.
func TestUserConditionsThatExcludeEachOther(t *testing.T) {
	t.Parallel()
	fault := func(one, two string) error {
		_, err := routing.Parse([]byte("destinations: {a: {uri: 'sip:a'}}\nrules:\n" +
			"  - {id: r, default: true, match: {" + one + "}, route: {to: a}}\n  - {id: s, default: true, match: {" + two + "}, route: {to: a}}\n"))
		if err != nil {
			return err
		}
		rs, err := routing.Parse([]byte("destinations: {a: {uri: 'sip:a'}}\nrules:\n" +
			"  - {id: r, default: true, match: {" + one + "}, route: {to: a}}\n  - {id: s, default: true, match: {" + two + "}, route: {to: a}}\n"))
		require.NoError(t, err)
		_, err = routing.Compile(rs)
		return err
	}
	for _, c := range [][2]string{
		{"user: {exists: true}", "user: {exists: false}"},
		{"user: {dnd: true}", "user: {dnd: false}"},
		{"user: {barred: true}", "user: {barred: false}"},
		{"user: {region: DE}", "user: {region: [FR, GB]}"},
		{"callee: {id: a}", "callee: {id: b}"},
		{"user: {recording: always}", "user: {recording: never}"},
		{"user: {metadata: {plan: a}}", "user: {metadata: {plan: b}}"},
		{"callee: {consent: given}", "callee: {consent: refused}"},
	} {
		require.NoError(t, fault(c[0], c[1]), "%v", c)
	}
	for _, c := range [][2]string{
		{"user: {exists: true}", "callee: {exists: false}"},
		{"user: {region: DE}", "user: {dnd: true}"},
		{"user: {region: [DE, FR]}", "user: {region: [FR, GB]}"},
		{"user: {barring: premium}", "user: {barring: international}"},
		{"user: {forwarding: busy}", "user: {forwarding: always}"},
	} {
		require.Error(t, fault(c[0], c[1]), "%v", c)
	}
}

func TestAskingForUsersAllocatesNothing(t *testing.T) {
	r := compile(t, strings.Replace(byUsers, "written, priority: 30, default: true, match: {expr: 'user.exists and user.region == \"\" and callee.metadata[\"plan\"] == \"tin\"'}",
		"written, priority: 30, default: true, match: {user: {region: GB}}", 1))
	q := &calls.Request{TenantID: "t0", To: "+4930123456", Type: calls.TypeVoice, At: time.Unix(1.77e9, 0), User: facts("plain"), Callee: facts("plain")}
	var d calls.Decision
	require.NoError(t, r.RouteInto(q, &d))
	require.Equal(t, "rest", d.Rule)
	require.Zero(t, testing.AllocsPerRun(100, func() {
		if r.RouteInto(q, &d) != nil {
			t.Error("it is not decided")
		}
	}))
}
