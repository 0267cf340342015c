package lint_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/routing/lint"
)

// lines has every finding as one line, with the beginning of its message.
func lines(t *testing.T, set string, codes ...lint.Code) []string {
	t.Helper()
	r, err := lint.CheckFile([]byte(set), nil)
	require.NoError(t, err)
	var list []string
	for _, f := range r.Findings {
		if f.Severity == lint.Error {
			list = append(list, string(f.Code)+" "+f.Path+": "+f.Message)
		}
		for _, c := range codes {
			if f.Code == c {
				list = append(list, f.Path+": "+f.Message)
			}
		}
	}
	return list
}

// TestLimitsThatAreNeverMet: others are met before, or no call is theirs.
func TestLimitsThatAreNeverMet(t *testing.T) {
	t.Parallel()
	const rest = "  - {id: rest, default: true, route: {to: free}}\n"
	set := func(limits, rules string) string {
		return `destinations:
  a: {uri: "sip:a", limits: {concurrent: 10}}
  b: {uri: "sip:b", limits: {concurrent: 20, cps: 2}}
  free: {uri: "sip:f"}
` + limits + "rules:\n" + rules
	}
	for name, c := range map[string]struct {
		limits, rules string
		want          []string
	}{
		"destinations take less": {
			"", "  - {id: r, match: {to: {prefix: '+49'}}, limits: {concurrent: 31}, route: [[{to: a}], [{to: b}]]}\n" + rest,
			[]string{"rules[0]: its limit of 31 calls at once is hardly ever met: its destinations take 30 together"},
		},
		"they take as much": {"", "  - {id: r, match: {to: {prefix: '+49'}}, limits: {concurrent: 30}, route: [[{to: a}], [{to: b}]]}\n" + rest, nil},
		"one takes any":     {"", "  - {id: r, match: {to: {prefix: '+49'}}, limits: {concurrent: 99}, route: [[{to: a}], [{to: free}]]}\n" + rest, nil},
		"it has another":    {"", "  - {id: r, match: {to: {prefix: '+49'}}, limits: {cps: 9}, route: {to: a}}\n  - {id: s, match: {to: {prefix: '+48'}}, route: {to: a}}\n" + rest, nil},
		"tenants have less": {
			"limits: {tenants: {acme: {concurrent: 3}, '*': {concurrent: 2}}}\n",
			"  - {id: r, match: {tenant: [acme, beta], to: {prefix: '+49'}}, limits: {concurrent: 6}, route: {to: free}}\n" + rest,
			[]string{"rules[0]: its limit of 6 calls at once is hardly ever met: its tenants may have 5 together"},
		},
		"trunks bring less": {
			"limits: {trunks: {t1: {cps: 3}}}\n", "  - {id: r, match: {trunk: t1, to: {prefix: '+49'}}, limits: {cps: 6}, route: {to: free}}\n" + rest,
			[]string{"rules[0]: its limit of 6 calls a second is hardly ever met: its trunks may bring 3 together"},
		},
		"another trunk brings more": {"limits: {trunks: {t1: {cps: 3}}}\n", "  - {id: r, match: {trunk: [t1, t2], to: {prefix: '+49'}}, limits: {cps: 6}, route: {to: free}}\n" + rest, nil},
		"rules let less through": {
			"", "  - {id: r, match: {to: {prefix: '+49'}}, limits: {concurrent: 4}, route: {to: a}}\n  - {id: s, match: {to: {prefix: '+48'}}, limits: {concurrent: 5}, route: {to: a}}\n" + rest,
			[]string{"destinations.a: destination a takes 10 calls at once, and the limits of all rules that use it let 9 through"},
		},
		"a rule lets all through": {"", "  - {id: r, match: {to: {prefix: '+49'}}, limits: {concurrent: 4}, route: {to: a}}\n  - {id: s, match: {to: {prefix: '+48'}}, route: {to: a}}\n" + rest, nil},
		"no rule is for them": {
			"limits: {tenants: {acmee: {concurrent: 3}}, trunks: {t2: {cps: 1}}}\n", "  - {id: r, match: {tenant: acme, trunk: t1, to: {prefix: '+49'}}, route: {to: free}}\n",
			[]string{
				"limits.tenants.acmee: the limit is never met: every rule is for other tenants, and none takes a call of acmee",
				"limits.trunks.t2: the limit is never met: every rule is for other trunks, and none takes a call of t2",
			},
		},
		"others are named": {
			"limits: {tenants: {acmee: {concurrent: 3}}, trunks: {t2: {cps: 1}, '*': {cps: 2}}}\n", "  - {id: r, match: {tenant: acme, trunk: t1, to: {prefix: '+49'}}, route: {to: free}}\n" + rest,
			[]string{
				"limits.tenants.acmee: no rule and no test names the tenant acmee, and others they do: look whether its name is right",
				"limits.trunks.t2: no rule and no test names the trunk t2, and others they do: look whether its name is right",
			},
		},
		"nothing is named": {"limits: {tenants: {acme: {concurrent: 3}}, trunks: {t2: {cps: 1}}}\n", rest, nil},
		"it rests":         {"", "  - {id: r, enabled: false, match: {to: {prefix: '+49'}}, limits: {concurrent: 99}, route: {to: a}}\n" + rest, nil},
	} {
		assert.ElementsMatch(t, c.want, lines(t, set(c.limits, c.rules), lint.UnreachedLimit, lint.UnnamedLimit), name)
	}
}

// TestMarginsThatLeaveNothing: by the decks no target of the tier is ever cheap enough.
func TestMarginsThatLeaveNothing(t *testing.T) {
	t.Parallel()
	set := func(sell, buy, margin, to string) string {
		return `currency: EUR
destinations: {a: {uri: "sip:a", rates: buy}, b: {uri: "sip:b", rates: buy2, origin_rates: {"+49": buy}}, c: {uri: "sip:c"}}
rates:
  buy: ` + buy + `
  buy2: [{prefix: "+33", per_minute: 0.5}]
  sell: ` + sell + `
rules:
  - {id: r, match: {to: {prefix: ` + to + `}}, route: [{order: cost, margin: ` + margin + `, targets: [{to: a}, {to: b}]}, [{to: c}]]}
`
	}
	const permanent, changing = `[{prefix: "+", per_minute: 1}, {prefix: "+49", per_minute: 0.02}]`,
		`[{prefix: "+", per_minute: 1}, {prefix: "+49", per_minute: 0.02, until: "2030-01-01T00:00:00Z"}]`
	for name, c := range map[string]struct{ sell, buy, margin, to, says string }{
		"dear":                {permanent, `[{prefix: "+49", per_minute: 0.03}]`, "{rates: sell}", `"+49"`, "calls to +49: a call of 3m0s costs 0.09 at least and is sold for 0.06 at most"},
		"the percentage":      {permanent, `[{prefix: "+49", per_minute: 0.015}]`, "{rates: sell, percent: 26}", `"+49"`, "the margin of 26 % leaves every target of tier 1 out for calls to +49"},
		"just so":             {permanent, `[{prefix: "+49", per_minute: 0.015}]`, "{rates: sell, percent: 25}", `"+49"`, ""},
		"a cheap part":        {permanent, `[{prefix: "+49", per_minute: 0.03}, {prefix: "+4930", per_minute: 0.01}]`, "{rates: sell}", `"+49"`, ""},
		"a dear one sold":     {`[{prefix: "+49", per_minute: 0.02}, {prefix: "+4930", per_minute: 0.05}]`, `[{prefix: "+49", per_minute: 0.03}]`, "{rates: sell}", `"+49"`, ""},
		"it was cheap once":   {changing, `[{prefix: "+49", per_minute: 0.03}]`, "{rates: sell}", `"+49"`, ""},
		"no price":            {`[{prefix: "+33", per_minute: 0.02}]`, `[{prefix: "+49", per_minute: 0.03}]`, "{rates: sell}", `"+49"`, "deck sell has no price for them"},
		"no rate":             {permanent, `[{prefix: "+48", per_minute: 0.03}]`, "{rates: sell}", `"+49"`, "no target has a rate for them"},
		"one callee of three": {permanent, `[{prefix: "+4", per_minute: 0.03}]`, "{rates: sell}", `["+48", "+49", "+4930"]`, "calls to +49 and 1 more of its callees"},
	} {
		got := lines(t, set(c.sell, c.buy, c.margin, c.to), lint.NoMargin)
		if c.says == "" {
			assert.Empty(t, got, name)
			continue
		}
		require.Len(t, got, 1, name)
		assert.Contains(t, got[0], c.says, name)
		assert.True(t, strings.HasPrefix(got[0], "rules[0]: "), name)
	}
}

// TestFloorsOfQuality: one that orders nothing, and one that nobody reaches.
func TestFloorsOfQuality(t *testing.T) {
	t.Parallel()
	for tier, says := range map[string]string{
		"min_quality: 10, targets: [{to: a}, {to: b}]": "",
		"min_quality: 18, targets: [{to: a}, {to: b}]": "",
		"min_quality: 19, targets: [{to: a}, {to: b}]": "no destination reaches min_quality 19 of tier 1",
		"min_quality: 10, targets: [{to: a}]":          "min_quality of tier 1 orders its targets, and it has one",
	} {
		got := lines(t, `destinations: {a: {uri: "sip:a", rates: r}, b: {uri: "sip:b", rates: r}}
currency: EUR
rates: {r: [{prefix: "+", per_minute: 1}]}
rules: [{id: r, match: {to: {prefix: "+49"}}, route: [{order: cost, `+tier+`}]}]
`, lint.NoEffect)
		if says == "" {
			assert.Empty(t, got, tier)
			continue
		}
		require.Len(t, got, 1, tier)
		assert.Contains(t, got[0], says)
	}
}

// TestNumbersOfTenants: those within another's, and those that no rule takes.
func TestNumbersOfTenants(t *testing.T) {
	t.Parallel()
	set := func(numbers, rules string) string {
		return "destinations: {x: {uri: \"sip:x\"}}\ntenant_numbers: {" + numbers + "}\nrules:\n" + rules
	}
	in := rule("in", "match: {direction: inbound, to: {prefix: '+4930'}}")
	for name, c := range map[string]struct {
		numbers, rules string
		want           []string
	}{
		"all is well":   {"a: ['+4930*', '+493012345'], b: ['+4930999*']", in + rule("rest", "default: true"), []string{"tenant_numbers.b[0]: +4930999* is tenant b's, within +4930* of tenant a: the longer one holds"}},
		"no rule":       {"a: ['+4930*'], b: ['+4940*', '+4941123456']", in, []string{"tenant_numbers.b: inbound calls to +4940* and 1 more are tenant b's, and no rule of this set takes them: the tenant needs rules of its own"}},
		"a longer rule": {"a: ['+49*']", in, nil},
		"whole":         {"a: ['+493012345678'], b: ['+4940123456']", in + rule("one", "match: {tenant: b, to: {exact: '+4940123456'}}"), nil},
		"other tenant's": {"b: ['+4940123456']", rule("one", "match: {tenant: a, to: {exact: '+4940123456'}}"), []string{
			"tenant_numbers.b: inbound calls to +4940123456 are tenant b's, and no rule of this set takes them: the tenant needs rules of its own",
		}},
		"outbound": {"b: ['+4940123456']", rule("out", "default: true, match: {direction: outbound}"), []string{
			"tenant_numbers.b: inbound calls to +4940123456 are tenant b's, and no rule of this set takes them: the tenant needs rules of its own",
		}},
		"its own default": {"b: ['+4940123456']", rule("out", "default: true, match: {tenant: b}"), nil},
	} {
		assert.Equal(t, c.want, lines(t, set(c.numbers, c.rules), lint.TenantNumber), name)
	}
}

// TestTestsOfNothing: they expect what the set doesn't have, or has switched off.
func TestTestsOfNothing(t *testing.T) {
	t.Parallel()
	r, err := lint.CheckFile([]byte(`destinations: {x: {uri: "sip:x"}}
rules:
  - {id: on, match: {to: {prefix: "+49"}}, route: {to: x}}
  - {id: off, enabled: false, match: {to: {prefix: "+48"}}, route: {to: x}}
tests:
  - {name: good, at: "2026-03-02T10:00:00Z", call: {to: "+4930123456"}, expect: {rule: on, first: x}}
  - {name: rests, at: "2026-03-02T10:00:00Z", call: {to: "+48123456789"}, expect: {rule: off}}
  - {name: gone, at: "2026-03-02T10:00:00Z", call: {to: "+48123456789"}, expect: {rule: old}}
  - {name: away, at: "2026-03-02T10:00:00Z", call: {to: "+4930123456"}, expect: {destinations: [x, y]}}
`), nil)
	require.NoError(t, err)
	says := map[int]string{}
	for _, f := range r.Findings {
		if f.Code == lint.TestOfNothing {
			assert.Equal(t, lint.Warning, f.Severity)
			says[f.Line] = f.Message
		}
	}
	assert.Equal(t, map[int]string{
		7: `test "rests" expects rule off, which is not enabled`, 8: `test "gone" expects rule old, and there is none`,
		9: `test "away" expects destination y, and there is none`,
	}, says)
}

// TestListsOfRulesThatRest: nothing else uses them.
func TestListsOfRulesThatRest(t *testing.T) {
	t.Parallel()
	got := lines(t, `destinations: {x: {uri: "sip:x"}}
lists: {idle: ["+48123456789"], used: ["+49*"], both: ["+47123456789"]}
calendars: {night: {timezone: UTC, weekly: ["mon 00:00-06:00"]}, day: {timezone: UTC, weekly: ["mon 06:00-24:00"]}}
rules:
  - {id: on, match: {to: {list: used}, not: {from: {list: both}, when: {calendar: day}}}, route: {to: x}}
  - {id: off, enabled: false, match: {to: {list: idle}, from: {list: both}, when: {calendar: night}}, route: {to: x}}
`, lint.UnusedList, lint.UnusedCalendar)
	assert.ElementsMatch(t, []string{"lists.idle: only rules that no call reaches use list idle", "calendars.night: only rules that no call reaches use calendar night"}, got)
}
