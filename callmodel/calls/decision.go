package calls

import (
	"encoding/json"
	"math"
	"time"

	"github.com/switchtape/switchtape/callmodel"
)

// DecisionSource is who decided.
type DecisionSource string

// The sources of a decision.
const (
	SourceRules     DecisionSource = "rules"     // the active rule set
	SourceDecider   DecisionSource = "decider"   // an external decision service
	SourceCache     DecisionSource = "cache"     // its last answer, while it was not to be had
	SourceEmergency DecisionSource = "emergency" // the emergency lane's own configuration
)

// FallbackNoRoute is the Fallback of the decision about an emergency call that no
// rule takes where no emergency destination is configured. The call's Cause is
// [EmergencyNoRoute] then: it is taken all the same, and has no destinations.
const FallbackNoRoute = "emergency_no_route"

// Decision is where a call goes, and why.
type Decision struct {
	Source DecisionSource `json:"source"`
	// Fallback says why the decision service's answer was not used, when one is
	// configured and the source is the cache or the rules: "timeout",
	// "breaker_open" and the like. [FallbackNoRoute] for an emergency call that has
	// nowhere to go.
	Fallback string `json:"fallback,omitempty"`
	// Rule is the id of the rule that won; "" when no rule did.
	Rule string `json:"rule"`
	// RuleSet is the content hash of the rule set, so that the decision can be
	// explained and replayed later.
	RuleSet string `json:"ruleset"`
	// Canary says that the rule set was not the active one but the version on
	// trial.
	Canary bool `json:"canary,omitempty"`
	// Destinations are to be tried in this order.
	Destinations []Destination `json:"destinations"`
	// Reject is the cause with which the rule refuses the call, and nil of a call that it
	// routes. It may be shared by decisions: don't change it.
	Reject *Cause `json:"reject,omitempty"`
	// PostDial and Params are what stood behind the callee's number and is no part of
	// it: see [Party]. No destination's Number has them.
	PostDial string `json:"post_dial,omitempty"`
	Params   string `json:"params,omitempty"`
	// LeftOut are the rule's destinations that are not to be tried, and why.
	LeftOut []LeftOut `json:"left_out,omitempty"`
	// Failover says after which causes the next destination is tried. nil: as
	// [Cause.Retryable] says. It may be shared by decisions: don't change it.
	Failover *Failover `json:"failover,omitempty"`
}

// Destination is one place to send the call to.
type Destination struct {
	ID     string `json:"id"`
	URI    string `json:"uri"`    // "sip:trunk-a.example.com"
	Number string `json:"number"` // the callee's number in the form this destination wants
	// Caller is the number to give as the caller's, in the form this destination
	// wants, or [AnonymousCaller].
	Caller string `json:"caller,omitempty"`
	// CallerPrivacy says whether the callee may be shown the caller.
	CallerPrivacy Privacy `json:"caller_privacy,omitempty"`
	// Cost is what a call of the assumed length costs there, where a rate is known.
	Cost Cost `json:"cost,omitzero"`
	// Attributes and Headers are those that the rule set gives the destination, for who
	// sets the call up. They may be shared by decisions: don't change them.
	Attributes map[string]string `json:"attributes,omitempty"`
	Headers    map[string]string `json:"headers,omitempty"`
}

// AnonymousCaller is the caller's number of a call whose caller is not to be known.
const AnonymousCaller = "anonymous"

// Privacy is what a caller asked, or was configured, to keep to itself.
type Privacy string

// The privacies, named as in SIP's Privacy header.
const (
	PrivacyNone Privacy = ""   // the caller may be shown
	PrivacyID   Privacy = "id" // the caller's identity is withheld (RFC 3325 section 9.3)
)

// Cost is the expected cost of a call.
type Cost struct {
	Amount   callmodel.Amount `json:"amount"`
	Currency string           `json:"currency"` // ISO 4217
	Length   time.Duration    `json:"seconds"`  // the length that was assumed, in whole seconds
	Prefix   string           `json:"prefix"`   // of the rate that applies
}

// costJSON is a Cost as JSON has it.
type costJSON struct {
	Amount   callmodel.Amount `json:"amount"`
	Currency string           `json:"currency"`
	Seconds  float64          `json:"seconds"`
	Prefix   string           `json:"prefix"`
}

// MarshalJSON writes the length as a number of seconds.
func (c Cost) MarshalJSON() ([]byte, error) {
	return json.Marshal(costJSON{c.Amount, c.Currency, c.Length.Seconds(), c.Prefix})
}

// UnmarshalJSON reads what MarshalJSON writes.
func (c *Cost) UnmarshalJSON(b []byte) error {
	in := costJSON{c.Amount, c.Currency, c.Length.Seconds(), c.Prefix}
	err := json.Unmarshal(b, &in)
	*c = Cost{in.Amount, in.Currency, time.Duration(math.Round(in.Seconds * float64(time.Second))), in.Prefix}
	return err
}

// LeftReason is why a destination is not to be tried.
type LeftReason string

// The reasons.
const (
	LeftDown       LeftReason = "down"       // it fails, and others don't
	LeftConcurrent LeftReason = "concurrent" // it carries as many calls as it may
	LeftCPS        LeftReason = "cps"        // it was given as many calls this second as it may
	LeftNoRate     LeftReason = "no_rate"    // its tier requires a rate, and it has none for the number
	// LeftMargin is of one that costs more than the price of the call less the margin that
	// its tier asks for, or there is no such price.
	LeftMargin LeftReason = "margin"
)

// LeftOut is a destination of the rule that is not to be tried.
type LeftOut struct {
	ID     string     `json:"id"`
	Reason LeftReason `json:"reason"`
}
