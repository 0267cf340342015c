package routing_test

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/routing"
	"github.com/switchtape/switchtape/routing/calendar"
)

// draw is where random choices come from: draw(n) is 0 to n-1. The same code
// serves rapid, which shrinks, and a plain generator, which is fast.
type draw func(n int) int

func (d draw) rare() bool { return d(5) == 0 }

func one[T any](d draw, v ...T) T { return v[d(len(v))] }

// some is a list of up to most different values, or none at all.
func some[T comparable](d draw, most int, v []T) []T {
	var list []T
	at := d(len(v))
	for range d(most + 1) {
		list = append(list, v[at%len(v)])
		at++
	}
	return list
}

// atLeastOne is some without none.
func atLeastOne[T comparable](d draw, most int, v []T) []T {
	if list := some(d, most, v); len(list) > 0 {
		return list
	}
	return []T{one(d, v...)}
}

// The alphabets are small, so that rules and calls meet often.

func prefixes() []string {
	return []string{"+", "+1", "+12", "+121", "+1212", "+12125550", "+2", "1", "11", "112", "0"}
}

func numbers() []string {
	return []string{"+12125550", "+121255501", "+1212555", "+2125550", "112", "11", "1121"}
}

func callees() []string {
	return []string{
		"+12125550", "+121255501", "+1212555", "+2125550", "112", "11", "1121", "+49301234567", "2", "", "urn:service:sos",
		"+12125550123456789", "+0123", "+1212x", "+", "0800", "+12",
	}
}

func tenants(most int) []callmodel.TenantID {
	list := make([]callmodel.TenantID, most)
	for i := range list {
		list[i] = callmodel.TenantID(fmt.Sprintf("t%d", i))
	}
	return list
}

func types() []calls.Type {
	return []calls.Type{calls.TypeVoice, calls.TypeFax, calls.TypeEmergency}
}

func ways() []calls.Direction {
	return []calls.Direction{calls.Inbound, calls.Outbound}
}

func weeks() []string {
	return []string{"mon-fri 08:00-18:00", "sat,sun 00:00-24:00", "fri 22:00-02:00", "sat-mon 12:00-13:00", "sun 02:00-03:00", "wed 17:59-18:01"}
}

func zones() []string {
	return []string{"UTC", "America/New_York", "Europe/Berlin", "Australia/Lord_Howe"}
}

func dates() []string {
	return []string{"2026-03-08", "2026-03-29 01:00-03:30", "2026-10-25 22:00-02:30", "2026-03-09..2026-03-12", "2026-10-26..2026-10-28 12:00-24:00"}
}

func recurring() []calendar.Recurrence {
	return []calendar.Recurrence{
		{Rule: "FREQ=WEEKLY;BYDAY=TU,TH", Start: "2026-01-01 09:00", Duration: "8h"},
		{Rule: "FREQ=MONTHLY;BYDAY=-1SU", Start: "2026-01-25 02:30", Duration: "1h30m"},
	}
}

func tags() []string { return []string{"opus", "PCMU", "t38"} }

func trunks() []string { return []string{"t1", "t2"} }

func genNumbers(d draw, most int) routing.NumberMatch {
	return routing.NumberMatch{Prefix: some(d, most, prefixes()), Exact: some(d, 1, numbers())}
}

func genWindows(d draw) *calendar.Windows {
	w := &calendar.Windows{TimeZone: one(d, zones()...), Weekly: atLeastOne(d, 2, weeks())}
	if d.rare() {
		w.Except = some(d, 2, dates())
	}
	if d.rare() {
		w.Also = some(d, 2, dates())
	}
	if d(40) == 0 {
		w.RRule = atLeastOne(d, 1, recurring())
	}
	return w
}

func genRule(d draw, i int) routing.Rule {
	r := genCommon(d, i)
	genRarer(d, &r.Match)
	r.Default = r.Match.To.IsZero()
	return r
}

// genCommon gives the conditions of which Compile knows whether two of them meet.
func genCommon(d draw, i int) routing.Rule {
	r := routing.Rule{ID: fmt.Sprintf("r%d", i), Priority: one(d, -1, 0, 0, 1, 2), Route: tiers([][]routing.Target{{{To: "x"}, {To: "y"}}, {{To: "z"}}}...)}
	m := &r.Match
	m.To = genNumbers(d, 2)
	if d.rare() {
		m.From = genNumbers(d, 2)
	}
	if d.rare() {
		m.Tenant = some(d, 2, tenants(3))
	}
	if d.rare() {
		m.Type = some(d, 2, types())
	}
	if d.rare() {
		m.Direction = some(d, 1, ways())
	}
	if d.rare() {
		low := d(10)
		m.CallPriority = &routing.PriorityRange{Min: low, Max: low + d(10-low)}
	}
	return r
}

// genRarer gives conditions that a rule seldom has.
func genRarer(d draw, m *routing.Match) {
	if d(12) == 0 {
		m.To.List = atLeastOne(d, 1, []string{"few", "many"})
	}
	if d(12) == 0 {
		m.From.List = atLeastOne(d, 2, []string{"few", "many"})
	}
	if d(12) == 0 {
		m.To.Service = []string{routing.ServiceEmergency}
	}
	if d(12) == 0 {
		m.Trunk = some(d, 2, trunks())
	}
	if d(12) == 0 {
		m.CapabilitiesAny, m.CapabilitiesAll = some(d, 2, tags()), some(d, 1, tags())
	}
	switch d(40) {
	case 0:
		m.Metadata = map[string][]string{"plan": atLeastOne(d, 2, []string{"gold", "silver", ""})}
	case 1:
		m.MetadataPresent = []string{"plan"}
	case 2:
		m.MetadataAbsent = []string{"plan"}
	case 3:
		m.Metadata, m.MetadataAbsent = map[string][]string{"plan": {"gold"}}, []string{"site"}
	}
	if d(12) == 0 {
		m.User = genUserMatch(d, true)
	}
	if d(20) == 0 {
		m.Callee = genUserMatch(d, false)
	}
	if d(12) == 0 {
		m.ValidFrom = one(d, "", "2026-03-10T00:00:00Z", "2026-03-29T03:00:00+02:00", "1500-01-01T00:00:00Z")
		m.ValidUntil = one(d, "", "2026-03-31T00:00:00-05:00", "2500-01-01T00:00:00Z")
	}
	if d(20) == 0 {
		m.Expr = one(d, slices.Sorted(maps.Keys(predicatesKnown()))...)
	}
	if d(8) == 0 {
		m.When = genWindows(d)
	}
}

func destinations() map[string]routing.DestinationSpec {
	return map[string]routing.DestinationSpec{"x": {URI: "sip:x"}, "y": {URI: "sip:y", Strip: 1, Prepend: "9"}, "z": {URI: "sip:z"}}
}

func lists() map[string][]string {
	return map[string][]string{
		"few":  {"+1212*", "+2125550"},
		"many": {"+12125550", "+121255501", "+1212555", "112", "11", "+3*", "+31*", "+32*", "+33*", "+34*", "+35*", "+36*", "+37*", "+38*", "+49*"},
	}
}

func genRules(d draw) *routing.RuleSet {
	rs := &routing.RuleSet{Order: one(d, "", routing.PrefixFirst, routing.PriorityFirst), Destinations: destinations(), Lists: lists()}
	if d(8) == 0 {
		genMany(d, rs)
		return rs
	}
	for i := range 1 + d(6) {
		rs.Rules = append(rs.Rules, genRule(d, i))
	}
	return rs
}

// genMany draws many rules under few callees, for many tenants and callers. No
// two have one priority, so none tie.
func genMany(d draw, rs *routing.RuleSet) {
	for i := range 30 + d(60) {
		r := genRule(d, i)
		r.Priority = i
		r.Default, r.Match.To = true, routing.NumberMatch{}
		if d(3) == 0 {
			r.Default, r.Match.To.Prefix = false, []string{one(d, "+1", "+1212")}
		}
		r.Match.Tenant = some(d, 1+d(2)*19, tenants(20))
		if d(2) == 0 {
			r.Match.From = routing.NumberMatch{Prefix: some(d, 2, prefixes()), Exact: some(d, 7, numbers())}
		}
		rs.Rules = append(rs.Rules, r)
	}
}

func genCall(d draw) *calls.Request {
	// A fortnight that holds both changes of clocks of 2026 in New York and Berlin, by the minute.
	start := one(d, time.Date(2026, 3, 7, 0, 0, 0, 0, time.UTC), time.Date(2026, 3, 28, 0, 0, 0, 0, time.UTC), time.Date(2026, 10, 24, 0, 0, 0, 0, time.UTC))
	q := &calls.Request{
		TenantID: tenants(one(d, 3, 25))[d(3)], CallID: callmodel.CallID(fmt.Sprintf("c%d", d(10))),
		To: one(d, callees()...), From: one(d, callees()...),
		Type: one(d, types()...), Direction: one(d, "", calls.Inbound, calls.Outbound),
		Priority: d(10), At: start.Add(time.Duration(d(9*24*60)) * time.Minute),
		Emergency: d(6) == 0, Trunk: one(d, "", "t1", "t2", "t3"), Capabilities: some(d, 3, tags()),
	}
	q.User, q.Callee = genUser(d), genUser(d)
	if n := d(25); d.rare() {
		q.TenantID = tenants(25)[n]
	}
	switch d(4) {
	case 0:
		q.Metadata = map[string]string{"plan": one(d, "gold", "silver", "bronze", "")}
	case 1:
		q.Metadata = map[string]string{"site": "x", "plan": "gold"}
	}
	return q
}

// tiers are lists of targets by weight.
func tiers(lists ...[]routing.Target) []routing.Tier {
	out := make([]routing.Tier, len(lists))
	for i := range lists {
		out[i].Targets = lists[i]
	}
	return out
}
