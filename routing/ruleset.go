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
	Rules        []Rule                     `json:"rules"`

	lines map[string]int // where each path stands in the file it was parsed from
}

// DestinationSpec is a place that calls can be sent to.
type DestinationSpec struct {
	URI string `json:"uri"` // "sip:trunk-a.example.com"
	// Strip removes so many leading digits of the callee's number, 0 to 15.
	Strip int `json:"strip,omitempty"`
	// Prepend is put before what is left: digits, '*', '#', and a leading '+'.
	// When a number is rewritten at all, its own plus is dropped; prepend "+"
	// to keep it.
	Prepend string `json:"prepend,omitempty"`
}

// Rule sends the calls it matches to its destinations.
type Rule struct {
	ID string `json:"id"`
	// Default marks the rule that catches what no other takes.
	Default bool `json:"default,omitempty"`
	// Priority ranks rules against each other; higher wins. -1000 to 1000.
	Priority int   `json:"priority,omitempty"`
	Match    Match `json:"match,omitzero"`
	// Route is the tiers, each of one or more weighted targets.
	Route [][]Target `json:"route"`
}

// Match is what a rule asks of a call. Every condition that is given must
// hold; a list holds if any of its values does.
type Match struct {
	To        NumberMatch           `json:"to,omitzero"`
	From      NumberMatch           `json:"from,omitzero"`
	Tenant    []callmodel.TenantID  `json:"tenant,omitempty"`
	Type      []callmodel.CallType  `json:"type,omitempty"`
	Direction []callmodel.Direction `json:"direction,omitempty"`
	// CallPriority bounds the call's own priority (0 to 9), both ends included.
	CallPriority *PriorityRange `json:"call_priority,omitempty"`
	When         *Windows       `json:"when,omitempty"`
}

// NumberMatch is a condition on a number. Prefixes and numbers start with a
// plus for E.164 ("+1212"); without one they match short codes as dialled.
type NumberMatch struct {
	Prefix []string `json:"prefix,omitempty"`
	Exact  []string `json:"exact,omitempty"`
}

// IsZero reports that the condition is not given.
func (m NumberMatch) IsZero() bool { return len(m.Prefix) == 0 && len(m.Exact) == 0 }

// PriorityRange bounds a call's priority.
type PriorityRange struct {
	Min int `json:"min"`
	Max int `json:"max"`
}

// Windows is when a rule holds.
type Windows struct {
	// TimeZone is an IANA name: "Europe/Berlin". Daylight saving is its own.
	TimeZone string `json:"timezone"`
	// Weekly lists times of the week: "mon-fri 08:00-18:00", "sat,sun 10:00-14:00",
	// "fri 22:00-02:00" (into the next day). The end is not included.
	Weekly []string `json:"weekly"`
}

// Target is one destination of a tier.
type Target struct {
	To string `json:"to"` // the destination's id
	// Weight is its share of the tier's calls in relation to the others', 1 to
	// 1000000. 0 means 1.
	Weight int `json:"weight,omitempty"`
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

func (v *validation) destination(id string, d DestinationSpec) {
	p := "destinations." + id
	if !callmodel.ValidID(id) {
		v.fault(p, "the id must be letters, digits, '.', '_' or '-'")
	}
	scheme, rest, ok := strings.Cut(d.URI, ":")
	switch {
	case d.URI == "":
		v.fault(p+".uri", "is missing; give where to send the call, like \"sip:trunk-a.example.com\"")
	case !ok || rest == "" || scheme != "sip" && scheme != "sips" && scheme != "tel":
		v.fault(p+".uri", "%q is not a sip:, sips: or tel: URI", d.URI)
	case strings.ContainsAny(d.URI, " \t\r\n<>\""):
		v.fault(p+".uri", "%q holds white space or quotes", d.URI)
	}
	if d.Strip < 0 || d.Strip > e164.MaxDigits {
		v.fault(p+".strip", "must be 0 to %d digits, is %d", e164.MaxDigits, d.Strip)
	}
	if bad := strings.Trim(strings.TrimPrefix(d.Prepend, "+"), "0123456789*#"); bad != "" || len(d.Prepend) > 16 {
		v.fault(p+".prepend", "%q must be at most 16 of the digits, '*' and '#', with an optional leading '+'", d.Prepend)
	}
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
}

func (v *validation) numbers(p string, m NumberMatch) {
	for i, s := range m.Prefix {
		if why := badPrefix(s); why != "" {
			v.fault(fmt.Sprintf("%s.prefix[%d]", p, i), "%q %s", s, why)
		}
	}
	for i, s := range m.Exact {
		if !e164.Valid(s) && !e164.Short(s) {
			v.fault(fmt.Sprintf("%s.exact[%d]", p, i), "%q is neither E.164 with a plus nor a short code", s)
		}
	}
}

func badPrefix(s string) string {
	digits := strings.TrimPrefix(s, "+")
	switch {
	case s == "":
		return "is empty; a rule for every callee says default: true instead"
	case s == "+":
		return ""
	case !e164.Digits(digits):
		return "must be digits, with a leading plus for international numbers"
	case s[0] == '+' && digits[0] == '0':
		return "starts with +0, which no country code does"
	case s[0] == '+' && len(digits) > e164.MaxDigits:
		return "is longer than any number"
	case s[0] != '+' && len(digits) > e164.MaxShortDigits:
		return "has no plus, and is too long for a short code; write international prefixes with a plus"
	}
	return ""
}

func (v *validation) conditions(p string, m *Match) {
	for i, t := range m.Tenant {
		if !callmodel.ValidID(string(t)) {
			v.fault(fmt.Sprintf("%s.tenant[%d]", p, i), "%q is not a tenant id", t)
		}
	}
	for i, t := range m.Type {
		if !slices.Contains(callmodel.CallTypes(), t) {
			v.fault(fmt.Sprintf("%s.type[%d]", p, i), "%q is not one of voice, video, fax, emergency", t)
		}
	}
	for i, d := range m.Direction {
		if directionBit(d) == 0 {
			v.fault(fmt.Sprintf("%s.direction[%d]", p, i), "%q is not one of inbound, outbound, internal", d)
		}
	}
	if c := m.CallPriority; c != nil {
		if c.Min < callmodel.MinPriority || c.Max > callmodel.MaxPriority || c.Min > c.Max {
			v.fault(p+".call_priority", "must be min ≤ max within %d to %d, is %d to %d",
				callmodel.MinPriority, callmodel.MaxPriority, c.Min, c.Max)
		}
	}
	if m.When != nil {
		v.windows(p+".when", m.When)
	}
}

func (v *validation) windows(p string, w *Windows) {
	if _, err := loadZone(w.TimeZone); err != nil {
		v.fault(p+".timezone", "%s", err)
	}
	if len(w.Weekly) == 0 {
		v.fault(p+".weekly", "is empty; give times like \"mon-fri 08:00-18:00\", or leave match.when out")
	}
	for i, s := range w.Weekly {
		var week weekBits
		if err := week.add(s); err != nil {
			v.fault(fmt.Sprintf("%s.weekly[%d]", p, i), "%s", err)
		}
	}
}

func (v *validation) route(p string, tiers [][]Target) {
	if len(tiers) == 0 || len(tiers) > MaxTiers {
		v.fault(p, "must have 1 to %d tiers, has %d", MaxTiers, len(tiers))
	}
	used := map[string]string{}
	for i, tier := range tiers {
		tp := fmt.Sprintf("%s[%d]", p, i)
		if len(tier) == 0 || len(tier) > MaxTargets {
			v.fault(tp, "must have 1 to %d destinations, has %d", MaxTargets, len(tier))
		}
		for j, t := range tier {
			gp := fmt.Sprintf("%s[%d]", tp, j)
			if _, ok := v.rs.Destinations[t.To]; !ok {
				v.fault(gp+".to", "no destination %q is defined", t.To)
			}
			if first, dup := used[t.To]; dup {
				v.fault(gp+".to", "%q stands in %s already; a destination is tried once", t.To, first)
			}
			used[t.To] = gp
			if t.Weight < 0 || t.Weight > MaxWeight {
				v.fault(gp+".weight", "must be 1 to %d, is %d", MaxWeight, t.Weight)
			}
		}
	}
}
