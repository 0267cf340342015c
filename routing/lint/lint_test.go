package lint_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/routing"
	"github.com/switchtape/switchtape/routing/lint"
)

func at(s string) time.Time {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		panic(err)
	}
	return t
}

// found is what is said of a set: "LINE CODE RULE [OTHERS]", without the codes
// that nearly every set has.
func found(t *testing.T, set string, o *lint.Options) (list []string, all []lint.Finding) {
	t.Helper()
	r, err := lint.CheckFile([]byte(set), o)
	require.NoError(t, err)
	for _, f := range r.Findings {
		switch f.Code {
		case lint.CatchAll, lint.NoCatchAll, lint.NoEmergency, lint.EmergencyRefused:
			continue
		default:
		}
		line := fmt.Sprintf("%d %s", f.Line, f.Code)
		if f.Rule != "" {
			line += " " + f.Rule
		}
		if len(f.Rules) > 0 {
			line += " by " + strings.Join(f.Rules, " ")
		}
		list, all = append(list, line), append(all, f)
	}
	return list, all
}

const head = `destinations: {x: {uri: "sip:x"}}
rules:
`

// rule writes a rule on one line.
func rule(id, rest string) string {
	return fmt.Sprintf("  - {id: %s, route: [[{to: x}]], %s}\n", id, rest)
}

func TestFindings(t *testing.T) {
	t.Parallel()
	all := rule("rest", "default: true")
	for _, c := range []struct {
		name  string
		rules string
		want  []string
		says  string
	}{
		{"nothing", all, nil, ""},
		{"shadowed by priority", rule("low", "match: {to: {prefix: '+49'}, type: voice}") + rule("high",
			"priority: 1, match: {to: {prefix: '+49'}}") + all, []string{"3 shadowed low by high"}, "rule high (line 4) ranks before it"},
		{"not by another tenant's", rule("low", "match: {to: {prefix: '+49'}}") + rule("high",
			"priority: 1, match: {to: {prefix: '+49'}, tenant: a}") + all, nil, ""},
		{
			"duplicate", rule("low", "match: {to: {prefix: '+49'}}") + rule("high", "priority: 1, match: {to: {prefix: '+49'}}") + all,
			[]string{"3 duplicate low by high"},
			"same route",
		},
		{"by several together", rule("low", "match: {to: {prefix: '+49'}}") + rule("a", "priority: 1, match: {to: {prefix: '+49'}, type: [voice, video]}") +
			rule("b", "priority: 2, match: {to: {prefix: '+49'}, type: [fax, emergency]}") + all, []string{"3 unreachable low by b a"}, "together"},
		{
			"by weekdays and weekends", rule("low", "match: {to: {prefix: '+49'}}") + rule("a",
				"priority: 1, match: {to: {prefix: '+49'}, when: {timezone: UTC, weekly: 'mon-fri 00:00-24:00'}}") +
				rule("b", "priority: 2, match: {to: {prefix: '+49'}, when: {timezone: UTC, weekly: 'sat,sun 00:00-24:00'}}") + all,
			[]string{"3 unreachable low by b a"},
			"",
		},
		{"not in two time zones", rule("low", "match: {to: {prefix: '+49'}}") + rule("a",
			"priority: 1, match: {to: {prefix: '+49'}, when: {timezone: UTC, weekly: 'mon-fri 00:00-24:00'}}") +
			rule("b", "priority: 2, match: {to: {prefix: '+49'}, when: {timezone: Europe/Berlin, weekly: 'sat,sun 00:00-24:00'}}") + all, []string{"4 two-zones a by b"}, "Europe/Berlin"},
		{"not with exceptions", rule("low", "match: {to: {prefix: '+49'}}") +
			rule("a", "priority: 1, match: {to: {prefix: '+49'}, when: {timezone: UTC, weekly: 'mon-sun 00:00-24:00', except: '2026-12-24'}}") + all, nil, ""},
		{
			"by its ten successors", rule("low", "match: {to: {prefix: '+493'}}") + rule("ten",
				"match: {to: {prefix: ['+4930','+4931','+4932','+4933','+4934','+4935','+4936','+4937','+4938','+4939']}}") + all,
			[]string{"3 shadowed low by ten"},
			"",
		},
		{"not by nine", rule("low", "match: {to: {prefix: '+493'}}") + rule("nine",
			"match: {to: {prefix: ['+4930','+4931','+4932','+4933','+4934','+4935','+4936','+4937','+4938']}}") + all, nil, ""},
		{"expression", rule("low", "match: {to: {prefix: '+49'}}") + rule("a", "priority: 1, match: {to: {prefix: '+49'}, expr: 'true'}") + all, nil, ""},
		{"over", rule("old", "match: {to: {prefix: '+49'}, valid_until: '2025-01-01T00:00:00Z'}") + all, []string{"3 never-open old"}, "ended before"},
		{"dates over", rule("old", "match: {to: {prefix: '+49'}, when: {timezone: UTC, also: '2025-12-24'}}") + all, []string{"3 never-open old"}, "all over"},
		{"dates behind the validity", rule("old", "match: {to: {prefix: '+49'}, valid_until: '2028-01-01T00:00:00Z', when: {timezone: "+
			"UTC, also: '2029-12-24'}}") + all, []string{"3 never-open old"}, "validity"},
		{"recurrences over", rule("old", "match: {to: {prefix: '+49'}, when: {timezone: UTC, rrule: [{rule: 'FREQ=DAILY;COUNT=3', "+
			"start: '2025-01-01 09:00', duration: 1h}]}}") + all, []string{"3 never-open old"}, ""},
		{"recurrences taken away", rule("old", "match: {to: {prefix: '+49'}, when: {timezone: UTC, except: ['2027-01-01..2027-01-31'], "+
			"rrule: [{rule: 'FREQ=DAILY;COUNT=3', start: '2027-01-01 09:00', duration: 1h}]}}") + all, []string{"3 never-open old"}, ""},
		{
			"time gap", rule("work", "match: {to: {prefix: '+49'}, when: {timezone: UTC, weekly: 'mon-fri 08:00-18:00'}}") +
				rule("eve", "match: {to: {prefix: '+49'}, when: {timezone: UTC, weekly: 'mon-fri 18:00-08:00'}}"),
			[]string{"3 time-gap work"},
			"sat 08:00 to sun 24:00",
		},
		{"no gap with a fallback", rule("work", "match: {to: {prefix: '+49'}, when: {timezone: UTC, weekly: 'mon-fri 08:00-18:00'}}") + rule("any",
			"match: {to: {prefix: '+4'}}"), nil, ""},
		{
			"prefix hole", rule("most", "match: {to: {prefix: ['+4930','+4931','+4932','+4933','+4934','+4935','+4936','+4938','+4939']}}"),
			[]string{"3 prefix-hole most"},
			"+4937…",
		},
		{"no hole in the North American plan", rule("most",
			"match: {to: {prefix: ['+12022','+12023','+12024','+12025','+12026','+12027','+12028','+12029']}}"), nil, ""},
		{"tie", rule("a", "match: {to: {prefix: '+49'}}") + rule("b", "match: {to: {prefix: '+49'}}"), []string{"4 conflict b"}, "ties with rule a (rules[0])"},
		{"everything at once", rule("a", "priority: 5000, match: {to: {prefix: '+49'}}") + rule("b", "match: {to: {prefix: '+49'}}") + rule("c",
			"match: {to: {prefix: '+49'}}"), []string{"3 invalid a", "5 conflict c"}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			list, all := found(t, head+c.rules, &lint.Options{At: at("2026-03-02T10:00:00Z")})
			require.Equal(t, c.want, list, "%+v", all)
			if c.says != "" {
				assert.Contains(t, all[len(all)-1].Message, c.says)
			}
		})
	}
}

func TestFindingsBesideRules(t *testing.T) {
	t.Parallel()
	list, _ := found(t, `currency: EUR
lists: {used: ["+4930*"], idle: ["+4940*"]}
destinations:
  a: {uri: "sip:a", rates: north, limits: {cps: 1}}
  b: {uri: "sip:b", rates: north}
  c: {uri: "sip:c"}
  dead: {uri: "sip:d"}
  idle: {uri: "sip:e"}
rates:
  north:
    - {prefix: "+49", per_minute: 0.01}
    - {prefix: "+31", per_minute: 0.01, until: 2026-01-01T00:00:00Z}
  south: [{prefix: "+39", per_minute: 0.01}]
rules:
  - {id: one, match: {to: {list: used}}, route: [[{to: a, weight: 90}, {to: b, weight: 10}], [{to: c}]]}
  - {id: two, match: {to: {prefix: "+31"}}, route: [{order: cost, targets: [{to: a}, {to: c}]}]}
  - {id: three, match: {to: {prefix: "+44"}}, route: [[{to: b, weight: 1}, {to: c, weight: 9999}]]}
  - {id: over, match: {to: {prefix: "+45"}, valid_until: "2025-01-01T00:00:00Z"}, route: [[{to: dead}]]}
`, &lint.Options{At: at("2026-03-02T10:00:00Z")})
	assert.Equal(t, []string{
		"2 unused-list",
		"7 unused-destination", "8 unused-destination", "12 expired-rate", "13 unused-rates",
		"15 weight-limit one", "16 no-rate two", "16 no-rate two", "17 tiny-share three", "18 never-open over",
	}, list)
}

func TestCatchAllAndEmergency(t *testing.T) {
	t.Parallel()
	codes := func(rules string) (list []string) {
		r, err := lint.CheckFile([]byte(head+rules), nil)
		require.NoError(t, err)
		for _, f := range r.Findings {
			list = append(list, string(f.Code)+" "+f.Rule)
		}
		return list
	}
	assert.Equal(t, []string{"emergency-refused ", "catch-all a", "no-catch-all "}, codes(rule("a", "match: {to: {prefix: '+'}}")))
	assert.Equal(t, []string{"catch-all a", "no-emergency "}, codes(rule("a", "default: true")))
	assert.Equal(t, []string{"no-catch-all ", "no-emergency "}, codes(rule("a", "match: {to: {exact: '110'}}")))
	assert.Equal(t, []string{"emergency-refused ", "catch-all a", "no-catch-all "}, codes(rule("a", "default: true, match: {type: [voice, fax]}")))
	assert.Equal(t, []string{"catch-all a"}, codes(rule("a", "default: true")+rule("b", "match: {to: {service: emergency}}")))
	assert.Equal(t, []string{"catch-all a", "no-catch-all "},
		codes(rule("a", "default: true, match: {tenant: acme}")+rule("b", "match: {to: {prefix: '1'}, type: emergency}")))
}

// TestEmergencyDigits: what could change an emergency number is named, unless a
// rule for emergency calls takes them all.
func TestEmergencyDigits(t *testing.T) {
	t.Parallel()
	const (
		rest  = "  - {id: rest, default: true, route: {to: w}}\n"
		short = "  - {id: short, match: {to: {prefix: '11'}}, route: [{to: w}, {to: x}]}\n"
		sos   = "  - {id: sos, match: {to: {service: emergency}}, route: {to: x}}\n"
		far   = "  - {id: far, match: {to: {prefix: '+'}}, route: {to: w}}\n"
		told  = "  - {id: told, match: {to: {service: emergency}}, route: {to: w}}\n"
	)
	for _, c := range []struct{ destination, rules, want string }{
		{`prepend: "00"`, rest, "4 emergency-rewritten rest"},
		{`prepend: "00"`, rest + short, "4 emergency-rewritten rest; 5 emergency-rewritten short"},
		{`strip: 2`, rest, "4 emergency-rewritten rest"},
		{`replace: "+4930100"`, rest, "4 emergency-rewritten rest"},
		{`prepend: "00"`, rest + sos, ""},
		{`prepend: "00"`, far + sos, ""},
		{`prepend: "00"`, rest + told, ""},
		{`prepend: "0", emergency: true`, rest + told, ""},
		{`prepend: "0", emergency: true`, rest, "4 emergency-rewritten rest"},
		{`strip: 1, emergency: true`, rest + told, "5 emergency-rewritten told"},
	} {
		list, all := found(t, "destinations: {x: {uri: 'sip:x'}, w: {uri: 'sip:w', "+c.destination+"}}\n\nrules:\n"+c.rules, nil)
		list = slices.DeleteFunc(list, func(s string) bool { return strings.Contains(s, "unused") })
		assert.Equal(t, c.want, strings.Join(list, "; "), "%s %+v", c.destination, all)
	}
	list, _ := found(t, "order: priority-first\ndestinations: {x: {uri: 'sip:x'}, w: {uri: 'sip:w', prepend: '00'}}\nrules:\n"+
		"  - {id: rest, priority: 3, default: true, route: {to: w}}\n"+sos, nil)
	assert.Contains(t, strings.Join(list, "; "), "emergency-rewritten rest", "its priority is higher than that of the rule for emergency calls")
}

func TestFindingsAreBounded(t *testing.T) {
	t.Parallel()
	text := head
	for i := range 50 {
		text += rule(fmt.Sprintf("r%d", i), fmt.Sprintf("priority: %d, match: {to: {prefix: '+49'}}", i))
	}
	r, err := lint.CheckFile([]byte(text), &lint.Options{PerCode: 3})
	require.NoError(t, err)
	assert.Equal(t, 49+1, r.Warnings, "and that emergency calls reach no rule")
	assert.Equal(t, 46, r.Omitted[lint.Duplicate])
}

// TestManyUnderOneCallee is the worst there is: every rule may meet every other.
func TestManyUnderOneCallee(t *testing.T) {
	t.Parallel()
	const n = 4_000
	rs := &routing.RuleSet{Order: routing.PriorityFirst, Destinations: map[string]routing.DestinationSpec{"x": {URI: "sip:x"}}}
	for i := range n {
		r := routing.Rule{ID: fmt.Sprintf("r%d", i), Priority: i%2000 - 1000, Route: []routing.Tier{{Targets: []routing.Target{{To: "x"}}}}}
		r.Match.To.Prefix = []string{"+49"}
		r.Match.Metadata = map[string][]string{"customer": {fmt.Sprint(i)}}
		rs.Rules = append(rs.Rules, r)
	}
	_, err := routing.Compile(rs)
	require.NoError(t, err)
	report := lint.Check(rs, &lint.Options{MaxPairs: 100_000})
	require.Equal(t, 1, report.Warnings, "that emergency calls reach no rule: %+v", report.Findings)
	bounded := false
	for _, f := range report.Findings {
		bounded = bounded || f.Code == lint.Bounded
	}
	require.True(t, bounded, "the report says what was not looked at")
}

func TestTextThatIsNoRuleSet(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"", "\x00", "rules: [", "{", "- 1"} {
		r, err := lint.CheckFile([]byte(s), nil)
		if err == nil {
			require.NotZero(t, r.Errors, s)
		}
	}
}

// FuzzCheckFile looks for text that makes the check panic.
func FuzzCheckFile(f *testing.F) {
	f.Add([]byte(head + rule("a", "default: true")))
	f.Add([]byte(`{"destinations":{"x":{"uri":"sip:x"}},"rules":[{"id":"a","match":{"to":{"prefix":["+"],"exact":["112"]}},"route":[[{"to":"x"}]]}]}`))
	f.Fuzz(func(_ *testing.T, data []byte) {
		_, _ = lint.CheckFile(data, &lint.Options{At: at("2026-03-02T10:00:00Z")})
	})
}
