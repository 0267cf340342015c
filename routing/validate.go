package routing

import (
	"errors"
	"fmt"
	"hash/maphash"
	"math/bits"
	"slices"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/routing/calendar"
	"github.com/switchtape/switchtape/routing/internal/predicate"
	"github.com/switchtape/switchtape/routing/internal/rulefile"
)

// Validate reports every fault of the set at once, as [callmodel.FieldErrors], each
// with its path, the id of the rule and, if the set was parsed from a file, its
// line. [Compile] finds rules that are equal in rank and overlap.
func (rs *RuleSet) Validate() error {
	v := newValidation(rs)
	v.checkSet()
	return v.errs.Err()
}

func newValidation(rs *RuleSet) *validation {
	return &validation{rs: rs, rule: -1, hash: newHasher(rs), routes: map[string]uint32{}, windows: map[string]bool{}}
}

func (v *validation) checkSet() {
	rs := v.rs
	switch rs.Order {
	case "", PrefixFirst, PriorityFirst:
	default:
		v.fault("order", "%q is not one of prefix-first, priority-first", rs.Order)
	}
	for _, name := range sortedKeys(rs.Lists) {
		v.checkList(name, rs.Lists[name])
	}
	for _, id := range sortedKeys(rs.Destinations) {
		v.checkDestination(id, rs.Destinations[id])
	}
	v.checkRates()
	v.checkFailover("failover", rs.Failover)
	if len(rs.Rules) == 0 {
		v.fault("rules", "is empty; a set needs at least one rule")
	}
	if len(rs.Rules) > MaxRules {
		v.fault("rules", "has %d rules, at most %d are taken", len(rs.Rules), MaxRules)
		return
	}
	v.routeOf = make([]uint32, 0, len(rs.Rules))
	seen := newIDs(rs.Rules)
	for i := range rs.Rules {
		r := &rs.Rules[i]
		v.rule, v.id = i, r.ID
		if first := seen.add(uint32(i)); first != uint32(i) {
			v.fault("id", "%q is the id of rules[%d] already", r.ID, first)
		}
		v.checkRule(r)
	}
	v.rule, v.id = -1, ""
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
	routes map[string]uint32
	// routeOf is the number of each rule's route.
	routeOf []uint32
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
	msg := fmt.Sprintf(format, args...)
	if callmodel.ValidID(v.id) { // others may hold line ends or turn text around
		msg = "rule " + v.id + ": " + msg
	}
	path = v.below(path)
	v.errs = append(v.errs, callmodel.FieldError{Path: path, Line: v.rs.Line(path), Message: msg})
}

// below returns the path from the top of the set.
func (v *validation) below(path string) string {
	if v.rule < 0 {
		return path
	}
	return fmt.Sprintf("rules[%d].%s", v.rule, path)
}

func (v *validation) checkRule(r *Rule) {
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
	v.checkRouteOnce(r)
	v.checkFailover("failover", r.Failover)
}

// checkRouteOnce checks each different route once: a million rules share a few.
func (v *validation) checkRouteOnce(r *Rule) {
	key := v.hash.rule(r)
	if r.Failover != nil {
		key = append(key, marshal(r.Failover)...) // a plan has both
	}
	i, ok := v.routes[string(key)]
	if !ok {
		before := len(v.errs)
		v.checkRoute("route", r.Route)
		if len(v.errs) > before || before >= maxFaults {
			return
		}
		i = uint32(len(v.routes))
		v.routes[string(key)] = i
	}
	v.routeOf = append(v.routeOf, i)
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

// ids finds rules with equal ids. It is a hash table of the rules' numbers, at most
// half full, and takes a third of the time and memory of a map.
type ids struct {
	rules []Rule
	seed  maphash.Seed
	slots []idSlot
}

type idSlot struct {
	print uint32 // of the id's hash
	rule  uint32 // its number plus one, 0 for none
}

func newIDs(rules []Rule) *ids {
	return &ids{rules: rules, seed: maphash.MakeSeed(), slots: make([]idSlot, 1<<bits.Len(uint(2*len(rules))))}
}

// add adds rule i and returns the first rule with its id: i itself, or one that was
// added before.
func (t *ids) add(i uint32) uint32 {
	h := maphash.String(t.seed, t.rules[i].ID)
	for at := h >> 32; ; at++ {
		slot := &t.slots[at&uint64(len(t.slots)-1)]
		if slot.rule == 0 {
			*slot = idSlot{uint32(h), i + 1}
			return i
		}
		if slot.print == uint32(h) && t.rules[slot.rule-1].ID == t.rules[i].ID {
			return slot.rule - 1
		}
	}
}
