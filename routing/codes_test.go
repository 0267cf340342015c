package routing_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/routing"
)

// TestCodesAreRouted: rules take codes with stars and hashes as they take numbers.
func TestCodesAreRouted(t *testing.T) {
	t.Parallel()
	r := compile(t, `
lists: {features: ["*9*", "*43#"], mixed: ["*9*", "*43#", "+49*"]}
destinations: {a: {uri: "sip:a", prepend: "00", strip: 1}}
rules:
  - {id: rest, default: true, route: {to: a}}
  - {id: star, match: {to: {prefix: "*"}}, route: {to: a}}
  - {id: forward, match: {to: {prefix: "*21*"}}, route: {to: a}}
  - {id: ask, match: {to: {exact: "*#21#"}}, route: {to: a}}
  - {id: hash, match: {to: {prefix: "#"}}, route: {to: a}}
  - {id: listed, match: {to: {list: features}}, route: {to: a}}
  - {id: digits, match: {to: {prefix: "21"}}, route: {to: a}}
  - {id: mixed, priority: 9, default: true, match: {from: {list: mixed}}, route: {to: a}}
`)
	for to, want := range map[string]string{
		"*100#": "star", "*21*030123456#": "forward", "*#21#": "ask", "*#21#1": "star", "#31#": "hash", "*43#": "listed", "*901": "listed", "*21#": "star",
		"21": "digits", "+4930123": "rest", "*": "star", "*21*0301234567890123456#": "forward", "urn:service:x": "rest",
	} {
		req := calls.Request{At: noon, CallID: "c1", From: "*43#", To: to}
		d, err := r.Route(&req)
		require.NoError(t, err, to)
		assert.Equal(t, want, d.Rule, to)
		if want != "rest" && want != "digits" {
			assert.Equal(t, to, d.Destinations[0].Number, "a code is sent as it is")
		}
		x := r.Explain(&req)
		assert.Equal(t, d, x.Decision)
	}
	_, err := routing.Parse([]byte(`
lists: {features: ["*9*", "*43#"]}
destinations: {a: {uri: "sip:a"}}
rules:
  - {id: y, default: true, match: {from: {list: features}}, route: {to: a}}
  - {id: x, match: {to: {prefix: ["*1a", "*12345678901234"], exact: ["*"]}, from: {prefix: "*2", exact: "*43#"}}, route: {to: a}}
`))
	var faults callmodel.FieldErrors
	require.ErrorAs(t, err, &faults)
	assert.Len(t, faults, 6, "%v", err)
}

// TestEmergencyRules: RouteEmergency goes by the rules that are for emergency calls
// alone, and ExplainEmergency says so of each.
func TestEmergencyRules(t *testing.T) {
	t.Parallel()
	r := compile(t, `
order: priority-first
destinations: {a: {uri: "sip:a"}}
rules:
  - {id: rest, priority: 9, default: true, route: {to: a}}
  - {id: short, priority: 8, match: {to: {prefix: "1"}}, route: {to: a}}
  - {id: police, match: {to: {exact: "110"}}, route: {to: a}}
  - {id: typed, priority: -1, default: true, match: {type: emergency, tenant: acme}, route: {to: a}}
  - {id: far, priority: -2, match: {to: {prefix: "+49"}}, route: {to: a}}
`)
	for _, c := range []struct {
		to     string
		tenant callmodel.TenantID
		want   string
	}{
		{"110", "globex", "police"},
		{"112", "acme", "typed"},
		{"112", "globex", ""},
		{"+4930110", "globex", "rest"},
	} {
		req := calls.Request{CallID: "c1", To: c.to, TenantID: c.tenant, Type: calls.TypeEmergency, Emergency: true}
		d, err := r.RouteEmergency(&req)
		assert.Equal(t, c.want, d.Rule, c.to)
		assert.Equal(t, c.want == "", err != nil)
		x := r.ExplainEmergency(&req)
		assert.Equal(t, d, x.Decision)
		assert.Equal(t, err, x.Err)
		if c.to == "112" {
			assert.Contains(t, x.Considered[0].Reason, "not for emergency calls")
		}
		d, err = r.Route(&req)
		require.NoError(t, err)
		assert.Equal(t, "rest", d.Rule, "without destinations of their own every rule may take them")
	}
}

// TestEmergencyFieldKeepsHashes: sets that don't use it have the name they had.
func TestEmergencyFieldKeepsHashes(t *testing.T) {
	t.Parallel()
	hash := func(fields string) string { return oneDestination(t, fields).Hash() }
	plain := hash(`, strip: 1, prepend: "00"`)
	assert.Equal(t, "7b1ae972045706519101f8e222462812", plain)
	assert.Equal(t, plain, hash(`, strip: 1, prepend: "00", emergency: false`))
	assert.NotEqual(t, plain, hash(`, strip: 1, prepend: "00", emergency: true`))
}
