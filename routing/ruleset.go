package routing

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/callmodel/e164"
)

// Order says what outranks what when several rules match.
type Order string

// The orders. See the package comment.
const (
	PrefixFirst   Order = "prefix-first"
	PriorityFirst Order = "priority-first"
)

// RuleSet is one version of the rules, as it is written in a file.
type RuleSet struct {
	Name  string `json:"name,omitempty"`
	Order Order  `json:"order,omitempty"` // "" means prefix-first
	// Lists are number lists, for match.to.list and match.from.list. An entry
	// is a number, "+12125550100" or "611", or a prefix with a star, "+1212*".
	Lists        map[string][]string        `json:"lists,omitempty"`
	Destinations map[string]DestinationSpec `json:"destinations"`
	// Currency is that of the rates, three capital letters of ISO 4217.
	Currency string `json:"currency,omitempty"`
	// Rates are the rate decks that destinations name.
	Rates map[string][]RateRow `json:"rates,omitempty"`
	// Failover says when the next destination is tried, for rules that don't say
	// it themselves. nil: as calls.Cause.Retryable says.
	Failover *calls.Failover `json:"failover,omitempty"`
	Rules    []Rule          `json:"rules"`

	lines map[string]int // where each path stands in the file it was parsed from
}

// Rule sends the calls it matches to its destinations.
type Rule struct {
	ID string `json:"id"`
	// Default marks the rule that catches what no other takes.
	Default bool `json:"default,omitempty"`
	// Priority ranks rules against each other; higher wins. -1000 to 1000.
	Priority int   `json:"priority,omitempty"`
	Match    Match `json:"match,omitzero"`
	// Route is the tiers, each of one or more targets.
	Route []Tier `json:"route"`
	// Failover is used instead of the set's. nil: the set's.
	Failover *calls.Failover `json:"failover,omitempty"`
}

// Limits of a rule set.
const (
	// MaxRules bounds a rule set.
	MaxRules         = 50_000_000
	MaxRulePriority  = 1000
	MaxTiers         = 16
	MaxTargets       = 64 // of one tier
	MaxWeight        = 1_000_000
	maxPrefixSymbols = 1 + e164.MaxDigits
)

// Validate reports every fault of the set at once, as [callmodel.FieldErrors],
// each with its path, the rule's id and, if it was parsed from a file, its
// line. Rules that are level and overlap are found by [Compile].
func (rs *RuleSet) Validate() error {
	v := newValidation(rs)
	v.set()
	return v.errs.Err()
}

func newValidation(rs *RuleSet) *validation {
	return &validation{rs: rs, rule: -1, hash: newHasher(rs), routes: map[string]uint32{}, windows: map[string]bool{}, zones: map[string]*time.Location{}}
}

func (v *validation) set() {
	rs := v.rs
	switch rs.Order {
	case "", PrefixFirst, PriorityFirst:
	default:
		v.fault("order", "%q is not one of prefix-first, priority-first", rs.Order)
	}
	for _, name := range sortedKeys(rs.Lists) {
		v.list(name, rs.Lists[name])
	}
	for _, id := range sortedKeys(rs.Destinations) {
		v.destination(id, rs.Destinations[id])
	}
	v.rates()
	v.failover("failover", rs.Failover)
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
		v.check(r)
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
const maxFaults = 1000

type validation struct {
	rs    *RuleSet
	rule  int    // the one at hand, -1 for none: paths are below it
	id    string // of the rule at hand
	errs  callmodel.FieldErrors
	progs predicates
	recur recurrences
	// routes are those that were found faultless, as canonical JSON.
	routes map[string]uint32
	// routeOf is the number of each rule's route.
	routeOf []uint32
	hash    *hasher
	windows map[string]bool // those that were found faultless
	zones   map[string]*time.Location
	buf     []byte
}

// fault notes what is wrong at path, which is below the rule at hand, if there
// is one. Paths are made only here: most rules have no fault.
func (v *validation) fault(path, format string, args ...any) {
	if len(v.errs) >= maxFaults {
		return
	}
	msg := fmt.Sprintf(format, args...)
	if callmodel.ValidID(v.id) { // another could hold line ends, or what turns text round
		msg = "rule " + v.id + ": " + msg
	}
	path = v.below(path)
	v.errs = append(v.errs, callmodel.FieldError{Path: path, Line: lineOf(v.rs.lines, path), Message: msg})
}

// below is path from the set's top.
func (v *validation) below(path string) string {
	if v.rule < 0 {
		return path
	}
	return fmt.Sprintf("rules[%d].%s", v.rule, path)
}

// lineOf is the line of path, or of the nearest thing around it.
func lineOf(lines map[string]int, path string) int {
	for path != "" {
		if n, ok := lines[path]; ok {
			return n
		}
		i := strings.LastIndexAny(path, ".[")
		if i < 0 {
			break
		}
		path = path[:i]
	}
	return 0
}

func (v *validation) check(r *Rule) {
	if !callmodel.ValidID(r.ID) {
		v.fault("id", "%q must be 1 to 128 letters, digits, '.', '_' or '-', the first a letter or digit, without \"..\"", r.ID)
	}
	switch m := &r.Match.To; {
	case r.Default && !m.IsZero():
		v.fault("default", "a default rule takes every callee; leave match.to out")
	case !r.Default && m.IsZero():
		v.fault("match.to", "is missing, so the rule would take every call; give a prefix, or say default: true")
	}
	v.numbers("match.to", &r.Match.To)
	v.numbers("match.from", &r.Match.From)
	if r.Priority < -MaxRulePriority || r.Priority > MaxRulePriority {
		v.fault("priority", "must be %d to %d, is %d", -MaxRulePriority, MaxRulePriority, r.Priority)
	}
	v.conditions(&r.Match)
	v.faultlessRoute(r)
	v.failover("failover", r.Failover)
}

// faultlessRoute checks each different route once: a million rules share a few.
func (v *validation) faultlessRoute(r *Rule) {
	key := v.hash.rule(r)
	if r.Failover != nil {
		key = append(key, marshal(r.Failover)...) // a plan has both
	}
	i, ok := v.routes[string(key)]
	if !ok {
		before := len(v.errs)
		v.route("route", r.Route)
		if len(v.errs) > before || before >= maxFaults {
			return
		}
		i = uint32(len(v.routes))
		v.routes[string(key)] = i
	}
	v.routeOf = append(v.routeOf, i)
}
