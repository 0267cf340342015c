package routing

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
)

// Test is a call and what the set is to do with it. [Router.RunTests] runs the tests of a
// set; they are no part of any decision.
type Test struct {
	Name string `json:"name"` // 1 to 128 bytes
	// At is the instant of the call, RFC 3339.
	At     string      `json:"at"`
	Call   TestCall    `json:"call"`
	Expect Expectation `json:"expect"`
}

// TestCall is the call of a test: as [calls.Request], with numbers as they are routed.
type TestCall struct {
	Tenant       callmodel.TenantID `json:"tenant,omitempty"`
	ID           callmodel.CallID   `json:"id,omitempty"` // by which weights draw; "": the test's name
	From         string             `json:"from,omitempty"`
	To           string             `json:"to"`
	Type         calls.Type         `json:"type,omitempty"` // "": voice
	Direction    calls.Direction    `json:"direction,omitempty"`
	Priority     int                `json:"priority,omitempty"` // 0 to 9
	Emergency    bool               `json:"emergency,omitempty"`
	Trunk        string             `json:"trunk,omitempty"`
	Metadata     map[string]string  `json:"metadata,omitempty"`
	Capabilities []string           `json:"capabilities,omitempty"`
}

// Expectation is what a test expects. What is left out may be anything; one of them has
// to be given.
type Expectation struct {
	Rule string `json:"rule,omitempty"`
	// Destinations are all of them, in order, and First the first.
	Destinations []string `json:"destinations,omitempty" unsaid:"say no_route: true for none"`
	First        string   `json:"first,omitempty"`
	Number       string   `json:"number,omitempty"` // that the first destination is given
	// Reject is the cause with which a rule refuses the call. One of 0 may be anything.
	Reject *calls.Cause `json:"reject,omitempty"`
	// NoRoute says that the call has no route, refused or not.
	NoRoute bool `json:"no_route,omitempty"`
}

// MaxTests bounds the tests of a set.
const MaxTests = 10_000

func (v *validation) checkTests(tests []Test) {
	if len(tests) > MaxTests {
		v.fault("tests", "has %d tests, at most %d are taken", len(tests), MaxTests)
		return
	}
	for i := range tests {
		t, p := &tests[i], fmt.Sprintf("tests[%d]", i)
		if t.Name == "" || len(t.Name) > 128 {
			v.fault(p+".name", "must be 1 to 128 bytes, has %d", len(t.Name))
		}
		if _, err := instant(t.At); err != nil || t.At == "" {
			v.fault(p+".at", "%q is not an instant like 2026-01-31T15:04:05Z", t.At)
		}
		if t.Call.To == "" {
			v.fault(p+".call.to", "is missing; give the number that is called")
		}
		if t.Call.Type != "" && typeBit(t.Call.Type) == 0 {
			v.fault(p+".call.type", "%q is not one of voice, video, fax, emergency", t.Call.Type)
		}
		if t.Call.Direction != "" && directionBit(t.Call.Direction) == 0 {
			v.fault(p+".call.direction", "%q is not one of inbound, outbound, internal", t.Call.Direction)
		}
		if n := t.Call.Priority; n < calls.MinPriority || n > calls.MaxPriority {
			v.fault(p+".call.priority", "must be %d to %d, is %d", calls.MinPriority, calls.MaxPriority, n)
		}
		x := &t.Expect
		some := x.Rule != "" || x.First != "" || len(x.Destinations) > 0 || x.Number != "" || x.Reject != nil || x.NoRoute
		routed := x.First != "" || len(x.Destinations) > 0 || x.Number != ""
		switch {
		case !some:
			v.fault(p+".expect", "expects nothing; give a rule, destinations, reject or no_route")
		case routed && (x.NoRoute || x.Reject != nil):
			v.fault(p+".expect", "expects a destination and none")
		}
	}
}

// RunTests runs the tests of the set that the router was compiled from. Those that fail
// are the error, as callmodel.FieldErrors, each at its path: "tests[3]".
func (r *Router) RunTests() error {
	var faults callmodel.FieldErrors
	for i := range r.tests {
		if why := r.runTest(&r.tests[i]); why != "" && len(faults) < maxFaults {
			faults.Add(fmt.Sprintf("tests[%d]", i), "test %q fails: %s", r.tests[i].Name, why)
		}
	}
	return faults.Err()
}

// Tests returns how many tests the set has.
func (r *Router) Tests() int { return len(r.tests) }

// runTest says how the decision differs from what is expected, "" if it doesn't.
func (r *Router) runTest(t *Test) string {
	at, err := instant(t.At)
	if err != nil {
		return err.Error()
	}
	req := calls.Request{
		At: at, TenantID: t.Call.Tenant, CallID: t.Call.ID, From: t.Call.From, To: t.Call.To, Type: t.Call.Type, Direction: t.Call.Direction,
		Priority: t.Call.Priority, Emergency: t.Call.Emergency, Trunk: t.Call.Trunk, Metadata: t.Call.Metadata, Capabilities: t.Call.Capabilities,
	}
	if req.CallID == "" {
		req.CallID = callmodel.CallID(t.Name)
	}
	if req.Type == "" {
		req.Type = calls.TypeVoice
	}
	d, err := r.Route(&req)
	ids := make([]string, len(d.Destinations))
	for i := range d.Destinations {
		ids[i] = d.Destinations[i].ID
	}
	got := "rule " + d.Rule + " takes the call to " + strings.Join(ids, ", ")
	switch {
	case err != nil && d.Rule != "":
		got = "rule " + d.Rule + ": " + err.Error()
	case err != nil:
		got = err.Error()
	}
	x := &t.Expect
	var refused *RejectError
	switch {
	case x.Rule != "" && x.Rule != d.Rule:
		return "rule " + x.Rule + " is expected, and " + got
	case x.NoRoute && err == nil:
		return "no route is expected, and " + got
	case x.Reject != nil && (!errors.As(err, &refused) || !x.refuses(&refused.Cause)):
		return "another end of the call is expected, and " + got
	case (x.First != "" || len(x.Destinations) > 0 || x.Number != "") && err != nil:
		return "a destination is expected, and " + got
	case x.First != "" && x.First != ids[0]:
		return x.First + " is expected first, and " + got
	case len(x.Destinations) > 0 && !slices.Equal(x.Destinations, ids):
		return strings.Join(x.Destinations, ", ") + " are expected, and " + got
	case x.Number != "" && x.Number != d.Destinations[0].Number:
		return "the number " + x.Number + " is expected, and " + ids[0] + " is given " + d.Destinations[0].Number
	}
	return ""
}

// refuses reports whether the cause is the expected one.
func (x *Expectation) refuses(got *calls.Cause) bool {
	want := x.Reject
	return (want.SIP == 0 || want.SIP == got.SIP) && (want.Q850 == 0 || want.Q850 == got.Q850) && (want.Text == "" || want.Text == got.Text)
}
