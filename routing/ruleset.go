package routing

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/switchtape/switchtape/callmodel"
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
	Name         string                     `json:"name,omitempty"`
	Order        Order                      `json:"order,omitempty"` // "" means prefix-first
	Destinations map[string]DestinationSpec `json:"destinations"`
	// Currency is that of the rates, three capital letters of ISO 4217.
	Currency string `json:"currency,omitempty"`
	// Rates are the rate decks that destinations name.
	Rates map[string][]RateRow `json:"rates,omitempty"`
	// Failover says when the next destination is tried, for rules that don't say
	// it themselves. nil: as callmodel.Cause.Retryable says.
	Failover *callmodel.Failover `json:"failover,omitempty"`
	Rules    []Rule              `json:"rules"`

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
	Failover *callmodel.Failover `json:"failover,omitempty"`
}

// Limits of a rule set.
const (
	MaxRulePriority  = 1000
	MaxTiers         = 16
	MaxTargets       = 64 // of one tier
	MaxWeight        = 1_000_000
	maxPrefixSymbols = 1 + e164.MaxDigits
)

// Hash is the version's name: 32 hex digits of the SHA-256 of its canonical
// JSON. Equal rules have equal hashes, however they were laid out in a file.
func (rs *RuleSet) Hash() string {
	canonical := *rs
	if canonical.Order == "" {
		canonical.Order = PrefixFirst
	}
	canonical.Destinations, canonical.Rates = canonicalDestinations(rs.Destinations), canonicalRates(rs.Rates)
	b, err := json.Marshal(&canonical)
	if err != nil {
		return "" // unreachable: strings, numbers and lists always marshal
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:16])
}

// Validate reports every fault of the set at once, as [callmodel.FieldErrors],
// each with its path, the rule's id and, if it was parsed from a file, its
// line. Rules that are level and overlap are found by [Compile].
func (rs *RuleSet) Validate() error {
	v := &validation{rs: rs}
	switch rs.Order {
	case "", PrefixFirst, PriorityFirst:
	default:
		v.fault("order", "%q is not one of prefix-first, priority-first", rs.Order)
	}
	for _, id := range sortedKeys(rs.Destinations) {
		v.destination(id, rs.Destinations[id])
	}
	v.rates()
	v.failover("failover", rs.Failover)
	if len(rs.Rules) == 0 {
		v.fault("rules", "is empty; a set needs at least one rule")
	}
	seen := make(map[string]int, len(rs.Rules))
	for i := range rs.Rules {
		r := &rs.Rules[i]
		p := fmt.Sprintf("rules[%d]", i)
		if first, dup := seen[r.ID]; dup {
			v.fault(p+".id", "%q is the id of rules[%d] already", r.ID, first)
		} else {
			seen[r.ID] = i
		}
		v.rule(p, r)
	}
	return v.errs.Err()
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
	rs   *RuleSet
	id   string // of the rule at hand
	errs callmodel.FieldErrors
}

func (v *validation) fault(path, format string, args ...any) {
	if len(v.errs) >= maxFaults {
		return
	}
	msg := fmt.Sprintf(format, args...)
	if v.id != "" {
		msg = "rule " + v.id + ": " + msg
	}
	v.errs = append(v.errs, callmodel.FieldError{Path: path, Line: lineOf(v.rs.lines, path), Message: msg})
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

func (v *validation) rule(p string, r *Rule) {
	v.id = r.ID
	defer func() { v.id = "" }()
	if !callmodel.ValidID(r.ID) {
		v.fault(p+".id", "%q must be 1 to 128 letters, digits, '.', '_' or '-'", r.ID)
	}
	switch m := r.Match.To; {
	case r.Default && !m.IsZero():
		v.fault(p+".default", "a default rule takes every callee; leave match.to out")
	case !r.Default && m.IsZero():
		v.fault(p+".match.to", "is missing, so the rule would take every call; give a prefix, or say default: true")
	}
	v.numbers(p+".match.to", r.Match.To)
	v.numbers(p+".match.from", r.Match.From)
	if r.Priority < -MaxRulePriority || r.Priority > MaxRulePriority {
		v.fault(p+".priority", "must be %d to %d, is %d", -MaxRulePriority, MaxRulePriority, r.Priority)
	}
	v.conditions(p+".match", &r.Match)
	v.route(p+".route", r.Route)
	v.failover(p+".failover", r.Failover)
}
