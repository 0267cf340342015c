package routing

import (
	"strings"

	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/callmodel/e164"
	"github.com/switchtape/switchtape/routing/calendar"
	"github.com/switchtape/switchtape/routing/internal/rulefile"
)

// Order says how matching rules rank.
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
	Lists map[string][]string `json:"lists,omitempty"`
	// Calendars are times that several rules share, for when.calendar.
	Calendars    map[string]calendar.Windows `json:"calendars,omitempty"`
	Destinations map[string]DestinationSpec  `json:"destinations"`
	// Currency is the currency of the rates, three capital letters of ISO 4217.
	Currency string `json:"currency,omitempty"`
	// Limits are those of the calls of each tenant and from each inbound trunk.
	Limits *CallLimits `json:"limits,omitempty"`
	// TenantNumbers are the numbers of tenants, by the tenant's id; an entry is as in a
	// list. In the platform's own set they say whose call it is that comes in to a number
	// (see callservice.Service.TenantOf); in others they say nothing.
	TenantNumbers map[string][]string `json:"tenant_numbers,omitempty"`
	// Tests are calls and what is to become of them: see [Router.RunTests].
	Tests []Test `json:"tests,omitempty"`
	// Rates are the rate decks that destinations name.
	Rates map[string][]RateRow `json:"rates,omitempty"`
	// Failover says when the next destination is tried, for rules without a Failover
	// of their own. nil: as calls.Cause.Retryable says.
	Failover *calls.Failover `json:"failover,omitempty"`
	Rules    []Rule          `json:"rules"`

	lines *rulefile.Lines // of the file that it was parsed from
}

// Rule sends the calls it matches to its destinations.
type Rule struct {
	ID string `json:"id"`
	// Description is for people; it decides nothing. At most 1024 bytes.
	Description string `json:"description,omitempty"`
	// Enabled says whether the rule takes calls; nil means true. One that doesn't is
	// checked all the same.
	Enabled *bool `json:"enabled,omitempty"`
	// Default marks a rule for every callee that no other rule takes.
	Default bool `json:"default,omitempty"`
	// Priority ranks rules against each other; higher wins. -1000 to 1000.
	Priority int   `json:"priority,omitempty"`
	Match    Match `json:"match,omitzero"`
	// Route is the tiers, each of one or more targets.
	Route []Tier `json:"route,omitempty"`
	// Reject ends the calls that the rule takes with this cause, instead of a Route. It
	// never takes an emergency call.
	Reject *calls.Cause `json:"reject,omitempty"`
	// Limits say how many calls the rule takes; what is more is refused, and goes to no
	// other rule. nil: any number.
	Limits *Limits `json:"limits,omitempty"`
	// Failover replaces that of the set. nil: that of the set.
	Failover *calls.Failover `json:"failover,omitempty"`
}

// Windows returns the times of a condition: its own, or those of the calendar that it
// names. It returns w itself if there is no such calendar.
func (rs *RuleSet) Windows(w *calendar.Windows) *calendar.Windows {
	if w != nil && w.Calendar != "" {
		if named, ok := rs.Calendars[w.Calendar]; ok {
			return &named
		}
	}
	return w
}

// off reports whether the rule takes no calls.
func (r *Rule) off() bool { return r.Enabled != nil && !*r.Enabled }

// Limits of a rule set.
const (
	MaxDescription = 1024 // bytes
	MaxRejectText  = 128  // bytes
	// MaxRules bounds a rule set.
	MaxRules         = 50_000_000
	MaxRulePriority  = 1000
	MaxTiers         = 16
	MaxTargets       = 64 // of one tier
	MaxWeight        = 1_000_000
	maxPrefixSymbols = 1 + e164.MaxDigits
)

// MaxListEntries bounds one number list of a rule set.
const MaxListEntries = 10_000_000

// listEntry reads an entry of a number list: "+1212*" is a prefix, "+12125550100" is
// a number.
func listEntry(s string) (number string, prefix bool) { return strings.CutSuffix(s, "*") }
