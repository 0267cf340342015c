package routing_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/routing"
)

const tested = `
destinations: {a: {uri: "sip:a", prepend: "00"}, b: {uri: "sip:b"}}
calendars: {office: {timezone: UTC, weekly: ["mon-fri 08:00-18:00"]}}
rules:
  - {id: no, match: {to: {prefix: "+4990"}}, reject: {sip: 403, text: barred}}
  - {id: day, match: {to: {prefix: "+49"}, when: {calendar: office}}, route: [{to: a}, {to: b}]}
tests:
  - {name: t, at: "2026-03-02T10:00:00Z", call: {to: TO}, expect: {EXPECT}}
`

// TestRunTests: a test says how the decision differs from what it expects.
func TestRunTests(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ to, expect, says string }{
		{"+4930123456", "rule: day", ""},
		{"+4930123456", "destinations: [a, b]", ""},
		{"+4930123456", "first: a, number: '004930123456'", ""},
		{"+4990123456", "rule: no, reject: {sip: 403}", ""},
		{"+4990123456", "no_route: true", ""},
		{"+33123456789", "no_route: true", ""},
		{"+4930123456", "rule: no", "rule no is expected, and rule day takes the call to a, b"},
		{"+4930123456", "destinations: [a]", "a are expected"},
		{"+4930123456", "first: b", "b is expected first"},
		{"+4930123456", "number: '4930123456'", "a is given 004930123456"},
		{"+4930123456", "no_route: true", "no route is expected"},
		{"+4930123456", "reject: {sip: 403}", "another end of the call is expected"},
		{"+4990123456", "reject: {sip: 404}", "SIP 403: barred"},
		{"+33123456789", "reject: {sip: 403}", "no rule matches"},
		{"+33123456789", "first: a", "a destination is expected, and no rule matches"},
	} {
		text := []byte(replaced(tested, "TO", "'"+c.to+"'", "EXPECT", c.expect))
		r, packed, err := routing.CompileAndPack(text)
		require.NoError(t, err, "a set whose tests fail compiles")
		form, err := packed.MarshalBinary()
		require.NoError(t, err)
		back, err := routing.CompileBinary(form)
		require.NoError(t, err)
		assert.Equal(t, r.Hash(), back.Hash())
		for _, router := range []*routing.Router{r, back} {
			require.Equal(t, 1, router.Tests())
			err = router.RunTests()
			if c.says == "" {
				require.NoError(t, err, c.expect)
				continue
			}
			var faults callmodel.FieldErrors
			require.ErrorAs(t, err, &faults, c.expect)
			assert.Equal(t, "tests[0]", faults[0].Path)
			assert.Contains(t, faults[0].Message, c.says)
		}
	}
	for change, says := range map[string]string{
		"name: t|name: ''":                                       "1 to 128 bytes",
		"at: \"2026-03-02T10:00:00Z\"|at: noon":                  "not an instant",
		"{to: '+4930123456'}|{from: '+4930123456'}":              "give the number that is called",
		"{to: '+4930123456'}|{to: '+49', type: telex}":           "voice, video, fax",
		"{to: '+4930123456'}|{to: '+49', direction: up}":         "inbound, outbound",
		"{to: '+4930123456'}|{to: '+49', priority: 10}":          "0 to 9",
		"expect: {rule: day}|expect: {}":                         "expects nothing",
		"expect: {rule: day}|expect: {first: a, no_route: true}": "a destination and none",
	} {
		var from, to string
		for i := range change {
			if change[i] == '|' {
				from, to = change[:i], change[i+1:]
			}
		}
		text := replaced(tested, "TO", "'+4930123456'", "EXPECT", "rule: day")
		changed := replaced(text, from, to)
		require.NotEqual(t, text, changed, change)
		_, err := routing.Parse([]byte(changed))
		require.ErrorContains(t, err, says, change)
	}
}
