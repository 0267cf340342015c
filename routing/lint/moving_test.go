package lint_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/routing/lint"
)

// TestTiersThatNoCallComesTo: the failover ends every call before them.
func TestTiersThatNoCallComesTo(t *testing.T) {
	t.Parallel()
	const three = `destinations: {x: {uri: "sip:x"}, y: {uri: "sip:y"}, z: {uri: "sip:z"}}
rules:
  - {id: a, default: true, route: [[{to: x}, {to: y}], [{to: z}]], failover: {FAILOVER}}
`
	for failover, says := range map[string]string{
		"max_attempts: 1":                                   "they are 2, and max_attempts is 1",
		"max_attempts: 2":                                   "tier 2 is not tried",
		"max_attempts: 3":                                   "",
		"final: ['sip:4xx', 'sip:5xx', 'sip:6xx']":          "only causes of Q.850 lead on",
		"final: ['sip:4xx', 'sip:5xx']":                     "",
		"final: ['sip:4xx', 'sip:5xx'], retry: ['sip:503']": "",
		"total_seconds: 60":                                 "",
	} {
		list, all := found(t, strings.Replace(three, "FAILOVER", failover, 1), nil)
		if says == "" {
			require.Empty(t, list, failover)
			continue
		}
		require.Equal(t, []string{"3 tier-unreached a"}, list, failover)
		assert.Contains(t, all[0].Message, says)
	}
	one := `destinations: {x: {uri: "sip:x"}}
failover: {max_attempts: 1}
rules: [{id: a, default: true, route: [[{to: x}]]}]
`
	list, _ := found(t, one, nil)
	require.Empty(t, list, "there is one tier")
}

// TestTimesThatTheClocksLeaveOut: no minute of them is ever shown.
func TestTimesThatTheClocksLeaveOut(t *testing.T) {
	t.Parallel()
	for when, open := range map[string]bool{
		"when: {timezone: Europe/Berlin, also: ['2026-03-29 02:15-02:45']}":                                                                                   false,
		"when: {timezone: Europe/Berlin, also: ['2026-03-29 02:15-03:01']}":                                                                                   true,
		"when: {timezone: Europe/Berlin, also: ['2026-10-25 02:15-02:45']}":                                                                                   true,
		"when: {timezone: Europe/London, also: ['2026-03-29 02:15-02:45']}":                                                                                   true,
		"when: {timezone: America/New_York, also: ['2026-03-08 02:00-03:00']}":                                                                                false,
		"valid_from: '2026-03-29T00:00:00Z', valid_until: '2026-03-29T03:00:00Z', when: {timezone: Europe/Berlin, weekly: ['sun 02:00-03:00']}":               false,
		"valid_from: '2026-03-29T00:00:00Z', valid_until: '2026-03-29T03:00:00Z', when: {timezone: Europe/Berlin, weekly: ['sun 02:00-03:01']}":               true,
		"valid_from: '2026-03-29T00:00:00Z', valid_until: '2026-04-05T00:30:00Z', when: {timezone: Europe/Berlin, weekly: ['sun 02:00-03:00']}":               true,
		"valid_from: '2026-03-30T00:00:00Z', valid_until: '2026-04-02T00:00:00Z', when: {timezone: Europe/Berlin, weekly: ['sun 00:00-24:00']}":               false,
		"valid_from: '2026-03-27T00:00:00Z', valid_until: '2026-03-30T00:00:00Z', when: {timezone: UTC, weekly: ['sat 00:00-24:00'], except: ['2026-03-28']}": false,
	} {
		list, _ := found(t, head+rule("a", "match: {to: {prefix: '+49'}, "+when+"}")+rule("rest", "default: true"), nil)
		if open {
			assert.Empty(t, list, when)
		} else {
			assert.Equal(t, []string{"3 never-open a"}, list, when)
		}
	}
}

// TestConditionsBelowAServiceRule: a rule that takes every emergency call leaves none to
// the conditions of others.
func TestConditionsBelowAServiceRule(t *testing.T) {
	t.Parallel()
	sos, rest := rule("sos", "match: {to: {service: [emergency]}}"), rule("rest", "default: true, priority: -2")
	for _, c := range []struct {
		rule, order string
		want        []string
	}{
		{"match: {to: {service: [emergency], prefix: '+49'}, trunk: a}, priority: -1", "", []string{"4 shadowed-condition b by sos"}},
		{"match: {to: {service: [emergency], prefix: '+49'}, trunk: a}, priority: 1", "", nil},
		{"match: {to: {prefix: '112'}, type: [voice, emergency]}", "", []string{"4 shadowed-condition b by sos"}},
		{"match: {to: {prefix: '112'}, type: [voice, emergency]}, priority: 1", "", []string{"4 shadowed-condition b by sos"}},
		{"match: {to: {prefix: '112'}, type: [voice, emergency]}, priority: 1", "priority-first", nil},
		{"match: {to: {prefix: '112'}, type: [voice, fax]}", "", nil},
		{"match: {to: {prefix: '112'}, type: emergency}", "", []string{"4 shadowed b by sos"}},
		{"match: {to: {service: [emergency]}, user: {exists: true}}, priority: 1", "", []string{"4 never-open b"}},
	} {
		set := head + sos + rule("b", c.rule) + rest
		if c.order != "" {
			set += "order: " + c.order + "\n"
		}
		list, all := found(t, set, nil)
		assert.Equal(t, c.want, list, "%s: %v", c.rule, all)
	}
}

// TestEmptyTexts: an empty prepend doesn't take the plus away.
func TestEmptyTexts(t *testing.T) {
	t.Parallel()
	list, all := found(t, `destinations: {x: {uri: "sip:x", prepend: "", caller: {prepend: ""}}, y: {uri: "sip:y", strip: 1}}
rules: [{id: a, match: {to: {prefix: "+49"}}, route: [[{to: x}, {to: y}]]}]
`, nil)
	require.Equal(t, []string{"1 no-effect", "1 no-effect"}, list)
	assert.Contains(t, all[0].Fix, "strip_plus")
}

// TestLongIDsAreNotRepeated: what a fault quotes of a file is short.
func TestLongIDsAreNotRepeated(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 1<<19)
	for name, set := range map[string]string{
		"rule":             head + rule(long, "default: true"),
		"rules":            head + rule(long, "default: true") + rule(long, "default: true, priority: 1"),
		"field":            `{"destinations": {}, "rules": [{"id": "a", "default": true, "` + long + `": 1}]}`,
		"destination":      `{"destinations": {"` + long + `": {"uri": ""}}, "rules": [{"id": "a", "default": true, "route": {"to": "` + long + `2"}}]}`,
		"list and number":  `{"lists": {"` + long + `": ["` + long + `"]}, "destinations": {}, "rules": []}`,
		"tenant and order": `{"order": "` + long + `", "destinations": {}, "rules": [{"id": "a", "match": {"tenant": "` + long + `", "to": {"prefix": "` + long + `"}}}]}`,
		"expr and when": `{"destinations": {}, "rules": [{"id": "a", "default": true, "match": {"expr": "` + long + `", "trunk": "` + long + `", "valid_from": "` + long +
			`", "when": {"timezone": "` + long + `", "weekly": "` + long + `"}}}]}`,
	} {
		r, err := lint.CheckFile([]byte(set), nil)
		require.NoError(t, err, name)
		require.Positive(t, r.Errors, name)
		for _, f := range r.Findings {
			assert.Less(t, len(f.Message)+len(f.Path)+len(f.Rule), 2000, "%s: %.100s", name, f.Message)
		}
	}
}

// TestRulesThatRefuseOrRest: a rule that isn't enabled shadows none and is asked of nothing,
// and one that refuses leaves emergency calls to others.
func TestRulesThatRefuseOrRest(t *testing.T) {
	t.Parallel()
	for set, want := range map[string][]string{
		rule("off", "enabled: false, default: true, priority: 9") + rule("rest", "default: true"):                                                                             nil,
		rule("off", "enabled: false, match: {to: {prefix: '+49'}}") + rule("twin", "match: {to: {prefix: '+49'}}"):                                                            nil,
		"  - {id: no, match: {to: {prefix: '+4990'}}, reject: {sip: 403}}\n" + rule("rest", "default: true"):                                                                  nil,
		"  - {id: no, default: true, priority: 1, reject: {sip: 403}}\n" + rule("sos", "default: true, match: {type: emergency}"):                                             nil,
		"  - {id: no, default: true, priority: 1, reject: {sip: 403}}\n  - {id: no2, default: true, reject: {sip: 404}}\n" + rule("sos", "match: {to: {service: emergency}}"): {"4 duplicate no2 by no"},
	} {
		list, all := found(t, head+set, nil)
		assert.Equal(t, want, list, "%s: %v", set, all)
	}
	r, err := lint.CheckFile([]byte(head+rule("a", "match: {to: {prefix: '+49'}}")+"  - {id: no, default: true, reject: {sip: 403}}\n"), nil)
	require.NoError(t, err)
	codes := map[lint.Code]bool{}
	for _, f := range r.Findings {
		codes[f.Code] = true
	}
	assert.True(t, codes[lint.EmergencyRefused], "the rule that refuses takes no emergency call: %v", r.Findings)
}

// TestTestsOfASet: check runs them, and names the line of the one that fails.
func TestTestsOfASet(t *testing.T) {
	t.Parallel()
	const set = `destinations: {x: {uri: "sip:x"}}
rules: [{id: a, match: {to: {prefix: "+49"}}, route: {to: x}}]
tests:
  - {name: good, at: "2026-03-02T10:00:00Z", call: {to: "+4930123456"}, expect: {rule: a}}
  - {name: bad, at: "2026-03-02T10:00:00Z", call: {to: "+33123456789"}, expect: {rule: a}}
`
	list, all := found(t, set, nil)
	require.Equal(t, []string{"5 test-failed"}, list)
	assert.Equal(t, lint.Error, all[0].Severity)
	assert.Contains(t, all[0].Message, "bad")
}
