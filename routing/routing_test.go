package routing_test

import (
	"errors"
	"fmt"
	"math"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/routing"
)

// noon is a time for calls whose time decides nothing.
var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

const acme = `
name: acme
destinations:
  east: {uri: "sip:east.example.com"}
  west: {uri: "sip:west.example.com", strip: 1, prepend: "9"}
  intl: {uri: "sip:intl.example.com", prepend: "00"}
  desk: {uri: "sip:desk.example.com"}
rules:
  - id: nyc
    match: {to: {prefix: ["+1212", "+1646"]}, type: voice}
    route: [[{to: east, weight: 3}, {to: west}]]
  - id: nyc-office-hours
    priority: 10
    match:
      to: {prefix: "+1212"}
      when: {timezone: America/New_York, weekly: ["mon-fri 09:00-17:00"]}
    route: [[{to: desk}], [{to: east}]]
  - id: vip
    priority: 20
    match: {to: {prefix: "+1212"}, from: {prefix: "+4930"}, tenant: [acme], call_priority: {min: 5, max: 9}}
    route: [[{to: west}]]
  - id: front-desk
    match: {to: {exact: ["+12125550100", "611"]}}
    route: [[{to: desk}]]
  - id: world
    default: true
    route: [[{to: intl}]]
`

func compile(t testing.TB, src string) *routing.Router {
	t.Helper()
	rs, err := routing.Parse([]byte(src))
	require.NoError(t, err)
	r, err := routing.Compile(rs)
	require.NoError(t, err)
	return r
}

func TestRoute(t *testing.T) {
	t.Parallel()
	r := compile(t, acme)
	open := time.Date(2026, 3, 2, 15, 0, 0, 0, time.UTC) // Monday 10:00 in New York
	for _, c := range []struct {
		name   string
		req    calls.Request
		rule   string
		dests  string
		number string
	}{
		{"window open", calls.Request{To: "+12125550199", At: open}, "nyc-office-hours", "desk,east", "+12125550199"},
		{"window closed", calls.Request{To: "+12125550199", Type: "voice", At: open.Add(8 * time.Hour)}, "nyc", "", ""},
		{"second prefix", calls.Request{To: "+16465550199", Type: "voice", At: open}, "nyc", "", ""},
		{"type", calls.Request{To: "+16465550199", Type: "fax", At: open}, "world", "intl", "0016465550199"},
		{
			"caller, tenant and call priority",
			calls.Request{To: "+12125550199", From: "+493012", TenantID: "acme", Priority: 5, At: open},
			"vip",
			"west", "92125550199",
		},
		{"other tenant", calls.Request{To: "+12125550199", From: "+493012", TenantID: "b", Priority: 5, At: open}, "nyc-office-hours", "", ""},
		{"low priority", calls.Request{To: "+12125550199", From: "+493012", TenantID: "acme", Priority: 4, At: open}, "nyc-office-hours", "", ""},
		{"exact outranks its prefixes", calls.Request{To: "+12125550100", At: open}, "front-desk", "desk", "+12125550100"},
		{"a longer number is not the exact one", calls.Request{To: "+121255501001", At: open}, "nyc-office-hours", "", ""},
		{"short code", calls.Request{At: noon, To: "611"}, "front-desk", "desk", "611"},
		{"default", calls.Request{At: noon, To: "+442079460123"}, "world", "intl", "00442079460123"},
		{"a URN is not rewritten", calls.Request{At: noon, To: "urn:service:sos"}, "world", "intl", "urn:service:sos"},
		{"empty", calls.Request{At: noon}, "world", "intl", ""},
	} {
		d, err := r.Route(&c.req)
		require.NoError(t, err, c.name)
		assert.Equal(t, c.rule, d.Rule, c.name)
		assert.Equal(t, r.Hash(), d.RuleSet)
		if c.dests != "" {
			var ids []string
			for _, x := range d.Destinations {
				ids = append(ids, x.ID)
			}
			assert.Equal(t, c.dests, strings.Join(ids, ","), c.name)
			assert.Equal(t, c.number, d.Destinations[0].Number, c.name)
		}
		x := r.Explain(&c.req)
		assert.Equal(t, d, x.Decision, c.name)
		won := 0
		for _, v := range x.Considered {
			if v.Won {
				won++
				assert.Equal(t, d.Rule, v.Rule)
			}
			assert.NotEmpty(t, v.Reason)
		}
		assert.Equal(t, 1, won, c.name)
		assert.Len(t, x.Considered, 5, "every rule once")
	}
}

func TestExplainSaysWhy(t *testing.T) {
	t.Parallel()
	r := compile(t, acme)
	x := r.Explain(&calls.Request{
		TenantID: "acme", To: "+12125550199", From: "+12025550123", Type: "voice", Priority: 7,
		At: time.Date(2026, 3, 2, 23, 0, 0, 0, time.UTC),
	})
	why := map[string]string{}
	for _, v := range x.Considered {
		why[v.Rule] = v.Reason
	}
	assert.Contains(t, why["nyc"], "every condition holds")
	assert.Contains(t, why["nyc-office-hours"], "window is closed at Mon 18:00 America/New_York")
	assert.Contains(t, why["vip"], "the caller +12025550123 is not one of +4930…")
	assert.Contains(t, why["front-desk"], "it takes calls to +12125550100, 611, not to +12125550199")
	assert.Contains(t, why["world"], "callee +1212… is longer than any number")
}

func TestNoRoute(t *testing.T) {
	t.Parallel()
	r := compile(t, `{"destinations":{"a":{"uri":"sip:a"}},"rules":[{"id":"x","match":{"to":{"prefix":["+1"]}},"route":[[{"to":"a"}]]}]}`)
	_, err := r.Route(&calls.Request{At: noon, To: "+44"})
	require.ErrorIs(t, err, routing.ErrNoRoute)
	assert.Equal(t, callmodel.CodeNoRoute, callmodel.CodeOf(err))
	x := r.Explain(&calls.Request{At: noon, To: "+44"})
	assert.True(t, x.NoRoute)
	assert.Len(t, x.Considered, 1)
}

func TestPriorityFirst(t *testing.T) {
	t.Parallel()
	src := `
order: priority-first
destinations: {a: {uri: "sip:a"}}
rules:
  - {id: long, match: {to: {prefix: "+1212"}}, route: [[{to: a}]]}
  - {id: short, priority: 5, match: {to: {prefix: "+1"}}, route: [[{to: a}]]}
  - {id: rest, default: true, priority: -1, route: [[{to: a}]]}
`
	d, err := compile(t, src).Route(&calls.Request{At: noon, To: "+12125550100"})
	require.NoError(t, err)
	assert.Equal(t, "short", d.Rule)
	d, err = compile(t, strings.Replace(src, "priority-first", "prefix-first", 1)).Route(&calls.Request{At: noon, To: "+12125550100"})
	require.NoError(t, err)
	assert.Equal(t, "long", d.Rule)
}

func TestWindowsFollowTheClockOnTheWall(t *testing.T) {
	t.Parallel()
	r := compile(t, `
destinations: {a: {uri: "sip:a"}, b: {uri: "sip:b"}}
rules:
  - id: night
    match: {to: {prefix: "+1"}, when: {timezone: Europe/Berlin, weekly: ["sat 22:00-03:00", "wed 00:00-24:00"]}}
    route: [[{to: a}]]
  - {id: rest, default: true, route: [[{to: b}]]}
`)
	berlin, err := time.LoadLocation("Europe/Berlin")
	require.NoError(t, err)
	// Every minute of a year, both changes of daylight saving included,
	// against the wall clock read in words.
	for m := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC); m.Year() == 2026; m = m.Add(time.Minute) {
		l := m.In(berlin)
		want := "rest"
		switch {
		case l.Weekday() == time.Wednesday,
			l.Weekday() == time.Saturday && l.Hour() >= 22,
			l.Weekday() == time.Sunday && l.Hour() < 3:
			want = "night"
		}
		d, err := r.Route(&calls.Request{To: "+1202", At: m})
		if err != nil || d.Rule != want {
			t.Fatalf("%v: %s, %v; want %s", l, d.Rule, err, want)
		}
	}
}

func TestWeights(t *testing.T) {
	t.Parallel()
	src := `
destinations: {a: {uri: "sip:a"}, b: {uri: "sip:b"}, c: {uri: "sip:c"}}
rules: [{id: x, default: true, route: [[{to: a, weight: 1}, {to: b, weight: 2}, {to: c, weight: 5}]]}]
`
	all := compile(t, src)
	without := compile(t, strings.Replace(src, ", {to: c, weight: 5}", "", 1))
	const callList = 1_000_000
	first := map[string]int{}
	var d, e calls.Decision
	for i := range callList {
		req := calls.Request{At: noon, CallID: callmodel.CallID("call-" + strconv.Itoa(i)), To: "+1"}
		if err := errors.Join(all.RouteInto(&req, &d), without.RouteInto(&req, &e)); err != nil {
			t.Fatal(err)
		}
		first[d.Destinations[0].ID]++
		if d.Destinations[0].ID != "c" && !assert.ObjectsAreEqual(d.Destinations[0], e.Destinations[0]) {
			t.Fatalf("%s moved from %s to %s though it did not go to c", req.CallID, d.Destinations[0].ID, e.Destinations[0].ID)
		}
	}
	for id, want := range map[string]float64{"a": 12.5, "b": 25, "c": 62.5} {
		assert.Less(t, math.Abs(float64(first[id])*100/callList-want), 0.3, "%s: %d of %d", id, first[id], callList)
	}
}

func TestRouteAllocatesNothing(t *testing.T) {
	r := compile(t, strings.ReplaceAll(acme, `, prepend: "9"`, ""))
	var d calls.Decision
	reqs := []calls.Request{
		{CallID: "c1", TenantID: "acme", To: "+12125550199", From: "+493012", Type: "voice", Priority: 6, At: time.Unix(1.7e9, 0)},
		{CallID: "c2", To: "+16465550199", Type: "voice", At: time.Unix(1.7e9, 0)},
	}
	for i := range reqs {
		require.NoError(t, r.RouteInto(&reqs[i], &d))
		assert.Zero(t, testing.AllocsPerRun(100, func() { _ = r.RouteInto(&reqs[i], &d) }))
	}
}

func TestEveryFaultAtOnceWithItsLine(t *testing.T) {
	t.Parallel()
	_, err := routing.Parse([]byte(`destinations:
  a: {uri: "http://a"}
  b: {uri: "sip:b", strip: 99, prepend: "x"}
bogus: 1
rules:
  - id: one
    match: {to: {prefix: ["", "+0", "12a", "1234567"]}, type: smoke, direction: up}
    route: [[{to: nowhere}]]
  - id: one
    priority: high
    match: {to: {exact: "12025550123"}}
    route: []
  - id: three
    route: [[{to: a}, {to: a, weight: -1}], []]
  - id: four
    default: true
    match:
      to: {prefix: "+1"}
      call_priority: {min: 9, max: 1}
      when: {timezone: Mars/Olympus, weekly: ["mon 25:00-26:00", "moonday 01:00-02:00", "mon 1-2", "mon 08:00-08:00", "mon"]}
    route: [[{to: b}]]
    id: five
`))
	var fields callmodel.FieldErrors
	require.ErrorAs(t, err, &fields)
	type at struct {
		line int
		path string
	}
	got := map[at]string{}
	for _, f := range fields {
		got[at{f.Line, f.Path}] += f.Message
	}
	for where, part := range map[at]string{
		{2, "destinations.a.uri"}: "not a sip:", {3, "destinations.b.strip"}: "0 to 15", {3, "destinations.b.prepend"}: "digits",
		{4, "bogus"}: "not a known field", {7, "rules[0].match.to.prefix[0]"}: "default: true", {7, "rules[0].match.to.prefix[1]"}: "+0",
		{7, "rules[0].match.to.prefix[2]"}: "digits", {7, "rules[0].match.to.prefix[3]"}: "no plus", {7, "rules[0].match.type[0]"}: "smoke",
		{7, "rules[0].match.direction[0]"}: "up", {8, "rules[0].route[0][0].to"}: "no destination", {9, "rules[1].id"}: "already",
		{10, "rules[1].priority"}: "whole number", {11, "rules[1].match.to.exact[0]"}: "E.164", {12, "rules[1].route"}: "1 to 16",
		{13, "rules[2].match.to"}: "default: true", {14, "rules[2].route[0][1].to"}: "already", {14, "rules[2].route[0][1].weight"}: "1 to",
		{14, "rules[2].route[1]"}: "1 to 64", {16, "rules[3].default"}: "leave match.to out", {19, "rules[3].match.call_priority"}: "min ≤ max",
		{20, "rules[3].match.when.timezone"}: "Mars", {20, "rules[3].match.when.weekly[0]"}: "24:00", {20, "rules[3].match.when.weekly[1]"}: "not a day",
		{20, "rules[3].match.when.weekly[2]"}: "not a time", {20, "rules[3].match.when.weekly[3]"}: "empty", {20, "rules[3].match.when.weekly[4]"}: "mon-fri",
		{22, "rules[3].id"}: "line 15",
	} {
		assert.Contains(t, got[where], part, "%v", where)
	}
	assert.Len(t, fields, 28, "%v", err)
}

func TestTiesAreErrors(t *testing.T) {
	t.Parallel()
	set := func(x, y string) string {
		return "destinations: {a: {uri: \"sip:a\"}}\nrules:\n" +
			"  - {id: x, match: {to: {prefix: \"+1\"}" + x + "}, route: [[{to: a}]]}\n" +
			"  - {id: y, match: {to: {prefix: \"+1\"}" + y + "}, route: [[{to: a}]]}\n"
	}
	for _, c := range []struct {
		x, y string
		ties bool
	}{
		{"", "", true},
		{", type: voice", ", type: [fax, voice]", true},
		{", type: voice", ", type: fax", false},
		{", direction: inbound", ", direction: outbound", false},
		{", tenant: t1", ", tenant: t2", false},
		{", tenant: t1", ", type: fax", true},
		{", from: {prefix: \"+12\"}", ", from: {prefix: \"+13\"}", false},
		{", from: {prefix: \"+12\"}", "", false}, // the longer caller prefix ranks first
		{", from: {exact: \"+12025550123\"}", ", from: {exact: [\"+12025550124\", \"+12025550123\"]}", true},
		{", call_priority: {min: 0, max: 4}", ", call_priority: {min: 5, max: 9}", false},
		{", when: {timezone: UTC, weekly: \"mon 00:00-12:00\"}", ", when: {timezone: UTC, weekly: \"mon 12:00-24:00\"}", false},
		{", when: {timezone: UTC, weekly: \"mon 00:00-12:00\"}", ", when: {timezone: UTC, weekly: \"mon 12:00-24:00\", also: \"2026-01-05\"}", true},
		{", when: {timezone: UTC, weekly: \"mon 00:00-12:00\"}", ", when: {timezone: UTC, weekly: \"mon 12:00-24:00\", except: \"2026-01-05\"}", false},
		{", trunk: [a, b]", ", trunk: [c, d]", false},
		{", trunk: [a, b]", ", trunk: [c, b]", true},
		{", metadata: {plan: gold}", ", metadata: {plan: silver}", false},
		{", metadata: {plan: gold}", ", metadata: {plan: [silver, gold]}", true},
		{", metadata: {plan: gold}", ", metadata: {site: x}", true},
		{", metadata: {plan: gold}", ", metadata_absent: plan", false},
		{", metadata_present: plan", ", metadata_absent: plan", false},
		{", capabilities_all: opus", ", capabilities_all: PCMU", true},
		{", valid_until: \"2026-01-01T00:00:00Z\"", ", valid_from: \"2026-01-01T01:00:00+01:00\"", false},
		{", valid_until: \"2026-01-01T00:00:01Z\"", ", valid_from: \"2026-01-01T01:00:00+01:00\"", true},
		{", expr: \"priority > 5\"", ", expr: \"priority < 5\"", true},
		{", tenant: [a0, a1, a2, a3, a4, a5, a6, a7, a8, a9, b0, b1, b2, b3, b4, b5, b6]", ", tenant: c", false},
		{", tenant: [a0, a1, a2, a3, a4, a5, a6, a7, a8, a9, b0, b1, b2, b3, b4, b5, b6]", ", tenant: b6", true},
		{", when: {timezone: UTC, weekly: \"mon 00:00-12:00\"}", ", when: {timezone: UTC, weekly: \"mon 11:00-24:00\"}", true},
	} {
		rs, err := routing.Parse([]byte(set(c.x, c.y)))
		require.NoError(t, err, "%v", c)
		_, err = routing.Compile(rs)
		if c.ties {
			require.ErrorContains(t, err, "line 4: rules[1]: rule y: ties with rule x", "%v", c)
		} else {
			require.NoError(t, err, "%v", c)
		}
	}
}

func TestMalformedFiles(t *testing.T) {
	t.Parallel()
	for name, src := range map[string]string{
		"empty": "", "comment": "# nothing\n", "binary": "\x00\x01", "cut JSON": `{"rules":[`, "two documents": "a: 1\n---\nb: 2\n",
		"JSON and more": `{} {}`, "bad YAML": "a: [1,\nb", "deep JSON": strings.Repeat(`{"a":[`, 1000),
	} {
		_, err := routing.Parse([]byte(src))
		assert.Equal(t, callmodel.CodeMalformed, callmodel.CodeOf(err), "%s: %v", name, err)
	}
	_, err := routing.Parse([]byte("destinations: &x {a: {uri: \"sip:a\"}}\nrules: *x\n"))
	require.ErrorContains(t, err, "anchor or alias")
}

func TestHashIsOfTheMeaning(t *testing.T) {
	t.Parallel()
	a := compile(t, "destinations: {a: {uri: \"sip:a\"}}\nrules: [{id: x, default: true, route: [[{to: a}]]}]\n")
	b := compile(t, "{\n\t\"order\": \"prefix-first\",\n\t\"rules\": [{\"route\": [[{\"to\": \"a\"}]], \"id\": \"x\", \"default\": "+
		"true}],\n\t\"destinations\": {\"a\": {\"uri\": \"sip:a\"}}}")
	assert.Equal(t, a.Hash(), b.Hash())
	assert.Len(t, a.Hash(), 32)
}

func TestTable(t *testing.T) {
	t.Parallel()
	var table routing.Table
	assert.Nil(t, table.Get("acme"))
	r, own := compile(t, acme), compile(t, strings.Replace(acme, "name: acme", "name: own", 1))
	table.Set("", r)
	table.Set("acme", own)
	assert.Same(t, own, table.Get("acme"))
	assert.Same(t, r, table.Get("other"))
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for range 1000 {
				if i%2 == 0 {
					table.Set("acme", own)
				} else if got := table.Get("acme"); got != own {
					t.Error("a reader saw half a change")
					return
				}
			}
		})
	}
	wg.Wait()
	table.Set("acme", nil)
	assert.Same(t, r, table.Get("acme"))
}

func TestImportsNoSQLNoCloudNoAudio(t *testing.T) {
	t.Parallel()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", "github.com/switchtape/switchtape/routing").CombinedOutput()
	require.NoError(t, err, string(out))
	for dep := range strings.Lines(string(out)) {
		for _, bad := range []string{
			"database/sql", "gocloud.dev", "aws", "azure", "google", "modernc", "pgx", "go-audio", "go-mp3", "net/http",
			"switchtape/recording", "switchtape/storage",
		} {
			assert.NotContains(t, dep, bad)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(acme))
	f.Add([]byte(conditional))
	f.Add([]byte(`{"lists":{"l":["+1*","112"]},"destinations":{"a":{"uri":"sip:a"}},"rules":[{"id":"x","match":{"to":{"list":"l",` +
		`"service":"emergency"},"when":{"timezone":"Europe/Berlin","except":["2026-12-24..2026-12-26 12:00-24:00"],"also":"2026-01-01",` +
		`"rrule":[{"rule":"FREQ=YEARLY;COUNT=3","start":"2026-01-01 09:00","duration":"8h"}]}},"route":[[{"to":"a"}]]}]}`))
	f.Add([]byte(`{"destinations":{"a":{"uri":"sip:a"}},"rules":[{"id":"x","match":{"to":{"prefix":["+1"]}},"route":[[{"to":"a"}]]}]}`))
	f.Fuzz(func(t *testing.T, src []byte) {
		rs, err := routing.Parse(src)
		if err != nil {
			return
		}
		r, err := routing.Compile(rs)
		if err != nil {
			if _, ok := errors.AsType[callmodel.FieldErrors](err); !ok {
				t.Fatal(err)
			}
			return
		}
		for _, to := range []string{"", "+", "112", "+12125550100", "+999999999999999999999", "urn:x"} {
			req := calls.Request{To: to, From: to, Type: "voice", At: time.Unix(1.7e9, 0), Emergency: to == "112", Metadata: map[string]string{"plan": "gold"}}
			d, err := r.Route(&req)
			x := r.Explain(&req)
			if (err != nil) != x.NoRoute || d.Rule != x.Decision.Rule {
				t.Fatalf("Route %v %v, Explain %v", d, err, x)
			}
		}
	})
}

func ExampleRouter_Explain() {
	rs, err := routing.Parse([]byte(`
destinations:
  berlin: {uri: "sip:berlin.example.com"}
  world:  {uri: "sip:world.example.com", prepend: "00"}
rules:
  - {id: berlin, match: {to: {prefix: "+4930"}}, route: [[{to: berlin}]]}
  - {id: rest, default: true, route: [[{to: world}]]}
`))
	if err != nil {
		fmt.Println(err)
		return
	}
	router, err := routing.Compile(rs)
	if err != nil {
		fmt.Println(err)
		return
	}
	x := router.Explain(&calls.Request{At: noon, CallID: "c1", To: "+12025550123"})
	fmt.Println(x.Decision.Rule, "→", x.Decision.Destinations[0].URI, x.Decision.Destinations[0].Number)
	for _, v := range x.Considered {
		fmt.Printf("%s: %s\n", v.Rule, v.Reason)
	}
	// Output:
	// rest → sip:world.example.com 0012025550123
	// rest: every condition holds, and it ranks first of the rules that match: callee any number, priority 0
	// berlin: it takes calls to +4930…, not to +12025550123
}

// A platform's default rule for each of its tenants is checked in no time:
// they are level, and never meet.
func TestManyTenantsOnOneCallee(t *testing.T) {
	t.Parallel()
	rs := &routing.RuleSet{Destinations: map[string]routing.DestinationSpec{"a": {URI: "sip:a"}}}
	const tenants = 60_000
	for i := range tenants {
		rs.Rules = append(rs.Rules, routing.Rule{
			ID: fmt.Sprint("default-", i), Default: true, Match: routing.Match{Tenant: []callmodel.TenantID{callmodel.TenantID(fmt.Sprint("t", i))}},
			Route: []routing.Tier{{Targets: []routing.Target{{To: "a"}}}},
		})
	}
	r, err := routing.Compile(rs)
	require.NoError(t, err)
	d, err := r.Route(&calls.Request{At: noon, TenantID: "t59999", To: "+1"})
	require.NoError(t, err)
	assert.Equal(t, "default-59999", d.Rule)
	rs.Rules = append(rs.Rules, rs.Rules[7])
	rs.Rules[tenants].ID = "again"
	_, err = routing.Compile(rs)
	require.ErrorContains(t, err, "rule again: ties with rule default-7")
}
