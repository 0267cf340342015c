package routing

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/routing/calendar"
	"github.com/switchtape/switchtape/routing/internal/predicate"
	"github.com/switchtape/switchtape/routing/internal/rulefile"
	"github.com/switchtape/switchtape/routing/internal/text"
)

// Validate reports every fault of the set at once, as [callmodel.FieldErrors], each
// with its path, the id of the rule and, if the set was parsed from a file, its
// line. [Compile] finds rules that are equal in rank and overlap.
func (rs *RuleSet) Validate() error {
	v := newValidation(rs, len(rs.Rules))
	for i := range rs.Rules {
		v.take(i, &rs.Rules[i])
	}
	return v.errs.Err()
}

// newValidation checks the set but for its rules, of which so many follow.
func newValidation(rs *RuleSet, rules int) *validation {
	v := &validation{rs: rs, rule: -1, hash: newHasher(rs), routes: map[string]uint32{}, windows: map[string]bool{}}
	v.checkHead(rules)
	if v.tooMany = rules > MaxRules; !v.tooMany {
		v.ids = newIDs(rules)
	}
	return v
}

func (v *validation) checkHead(rules int) {
	rs := v.rs
	switch rs.Order {
	case "", PrefixFirst, PriorityFirst:
	default:
		v.fault("order", "%q is not one of prefix-first, priority-first", rs.Order)
	}
	for _, name := range sortedKeys(rs.Lists) {
		v.checkList(name, rs.Lists[name])
	}
	for _, name := range sortedKeys(rs.Calendars) {
		v.checkCalendar(name, rs.Calendars[name])
	}
	for _, id := range sortedKeys(rs.Destinations) {
		v.checkDestination(id, rs.Destinations[id])
	}
	v.checkRates()
	v.checkTests(rs.Tests)
	v.checkCallLimits(rs.Limits)
	v.checkTenantNumbers(rs.TenantNumbers)
	v.checkFailover("failover", rs.Failover)
	if rules == 0 {
		v.fault("rules", "is empty; a set needs at least one rule")
	}
	if rules > MaxRules {
		v.fault("rules", "has %d rules, at most %d are taken", rules, MaxRules)
	}
}

// take checks rule i, the next one, and returns the number of its route. It keeps
// nothing of the rule but its id.
func (v *validation) take(i int, r *Rule) (route uint32) {
	if v.tooMany {
		return 0
	}
	v.rule, v.id = i, r.ID
	if first := v.ids.add(uint32(i), r.ID); first != uint32(i) {
		v.fault("id", "%q is the id of rules[%d] already", r.ID, first)
	}
	route = v.checkRule(r)
	v.rule, v.id = -1, ""
	return route
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// maxFaults bounds the report about a set that is wrong everywhere.
const maxFaults = rulefile.MaxFaults

type validation struct {
	rs         *RuleSet
	rule       int    // the one at hand, -1 for none; paths are below it
	id         string // of the rule at hand
	errs       callmodel.FieldErrors
	predicates predicate.Cache
	calendar   calendar.Reader
	// routes numbers the routes without a fault, by their canonical JSON.
	routes  map[string]uint32
	ids     *ids
	tooMany bool // rules, to look at any
	hash    *hasher
	windows map[string]bool // checked and without a fault
	buf     []byte
}

// fault reports what is wrong at path, which is below the current rule if there is
// one. Paths are made only here, since most rules have no fault.
func (v *validation) fault(path, format string, args ...any) {
	if len(v.errs) >= maxFaults {
		return
	}
	for i, a := range args {
		if s := reflect.ValueOf(a); s.Kind() == reflect.String {
			args[i] = text.Bound(s.String()) // a file may have millions of bytes where an id belongs
		}
	}
	msg := fmt.Sprintf(format, args...)
	if callmodel.ValidID(v.id) { // others may hold line ends or turn text around
		msg = "rule " + v.id + ": " + msg
	}
	path = v.below(path)
	v.errs = append(v.errs, callmodel.FieldError{Path: text.Bound(path), Line: v.rs.Line(path), Message: msg})
}

// below returns the path from the top of the set.
func (v *validation) below(path string) string {
	if v.rule < 0 {
		return path
	}
	return fmt.Sprintf("rules[%d].%s", v.rule, path)
}

func (v *validation) checkRule(r *Rule) (route uint32) {
	if !callmodel.ValidID(r.ID) {
		v.fault("id", "%q must be 1 to 128 letters, digits, '.', '_' or '-', the first a letter or digit, without \"..\"", r.ID)
	}
	switch m := &r.Match.To; {
	case r.Default && !m.IsZero():
		v.fault("default", "a default rule takes every callee; leave match.to out")
	case !r.Default && m.IsZero():
		v.fault("match.to", "is missing, so the rule would take every call; give a prefix, or say default: true")
	}
	v.checkNumbers("match.to", &r.Match.To)
	v.checkNumbers("match.from", &r.Match.From)
	if r.Priority < -MaxRulePriority || r.Priority > MaxRulePriority {
		v.fault("priority", "must be %d to %d, is %d", -MaxRulePriority, MaxRulePriority, r.Priority)
	}
	v.checkConditions(&r.Match)
	if len(r.Description) > MaxDescription || !utf8.ValidString(r.Description) {
		v.fault("description", "must be at most %d bytes of UTF-8, has %d", MaxDescription, len(r.Description))
	}
	v.checkReject(r)
	if r.Limits != nil {
		v.checkRuleLimits(r)
	}
	route = v.checkRouteOnce(r)
	v.checkFailover("failover", r.Failover)
	return route
}

// checkRuleLimits checks how many calls a rule takes.
func (v *validation) checkRuleLimits(r *Rule) {
	v.checkLimits("limits", r.Limits)
	switch {
	case r.Reject != nil:
		v.fault("limits", "go with a route: a rule that refuses its calls takes none")
	case len(r.Match.To.Service) > 0 || slices.Equal(r.Match.Type, []calls.Type{calls.TypeEmergency}):
		v.fault("limits", "are never for emergency calls, and the rule is for those")
	}
}

// checkReject checks the cause with which a rule ends calls.
func (v *validation) checkReject(r *Rule) {
	c := r.Reject
	if c == nil {
		return
	}
	if len(r.Route) > 0 {
		v.fault("reject", "goes without a route: the rule ends its calls")
	}
	if r.Failover != nil {
		v.fault("failover", "goes with a route, and the rule has none")
	}
	if c.Q850 == 0 && c.SIP == 0 {
		v.fault("reject", "has no cause; give sip: 403, for example, or q850: 21")
	}
	if c.Q850 < 0 || c.Q850 > 127 {
		v.fault("reject.q850", "must be 1 to 127, is %d", c.Q850)
	}
	if c.SIP != 0 && (c.SIP < 400 || c.SIP > 699) {
		v.fault("reject.sip", "must be 400 to 699, is %d", c.SIP)
	}
	if len(c.Text) > MaxRejectText || strings.ContainsFunc(c.Text, unicode.IsControl) || !utf8.ValidString(c.Text) {
		v.fault("reject.text", "must be at most %d bytes of UTF-8 on one line", MaxRejectText)
	}
	if len(r.Match.To.Service) > 0 || slices.Equal(r.Match.Type, []calls.Type{calls.TypeEmergency}) {
		v.fault("reject", "is never for emergency calls, and the rule is for those")
	}
}

// checkRouteOnce checks each different route once: a million rules share a few. It
// returns the route's number, which counts for nothing if there was a fault.
func (v *validation) checkRouteOnce(r *Rule) uint32 {
	key := v.hash.rule(r)
	if r.Failover != nil {
		key = append(key, marshal(r.Failover)...) // a plan has both
	}
	if r.Reject != nil {
		key = append(key, marshal(r.Reject)...)
	}
	i, ok := v.routes[string(key)]
	if !ok {
		before := len(v.errs)
		if r.Reject == nil {
			v.checkRoute("route", r.Route)
		}
		if len(v.errs) > before || before >= maxFaults {
			return 0
		}
		i = uint32(len(v.routes))
		v.routes[string(key)] = i
	}
	return i
}

func (v *validation) checkList(name string, entries []string) {
	p := "lists." + name
	if !callmodel.ValidID(name) {
		v.fault(p, "the name must be 1 to 128 letters, digits, '.', '_' or '-', the first a letter or digit, without \"..\"")
	}
	if len(entries) == 0 || len(entries) > MaxListEntries {
		v.fault(p, "must have 1 to %d entries, has %d", MaxListEntries, len(entries))
	}
	for i, s := range entries {
		number, prefix := listEntry(s)
		switch {
		case prefix:
			if why := badPrefix(number); why != "" {
				v.fault(fmt.Sprintf("%s[%d]", p, i), "%q %s", s, why)
			}
		case !validNumber(s):
			v.fault(fmt.Sprintf("%s[%d]", p, i), "%q is neither E.164 with a plus, nor a short code, nor a prefix with a trailing star", s)
		}
	}
}

func (v *validation) checkCalendar(name string, w calendar.Windows) {
	p := "calendars." + name
	if !callmodel.ValidID(name) {
		v.fault(p, "the name must be 1 to 128 letters, digits, '.', '_' or '-', the first a letter or digit, without \"..\"")
	}
	if w.Calendar != "" {
		v.fault(p+".calendar", "a calendar has its own times")
		return
	}
	v.checkWindowsAt(p+".", &w)
}

func (v *validation) checkFailover(p string, f *calls.Failover) {
	if f == nil {
		return
	}
	var faults callmodel.FieldErrors
	_ = errors.As(f.Validate(), &faults)
	for _, one := range faults {
		v.fault(p+"."+one.Path, "%s", one.Message)
	}
}
