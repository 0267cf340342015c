package callmodel

// DecisionSource is who decided.
type DecisionSource string

// The sources of a decision.
const (
	SourceRules     DecisionSource = "rules"     // the active rule set
	SourceDecider   DecisionSource = "decider"   // an external decision service
	SourceCache     DecisionSource = "cache"     // its last answer, while it was not to be had
	SourceEmergency DecisionSource = "emergency" // the emergency lane's own configuration
)

// Decision is where a call goes, and why.
type Decision struct {
	Source DecisionSource `json:"source"`
	// Rule is the id of the rule that won; "" when no rule did.
	Rule string `json:"rule"`
	// RuleSet is the content hash of the rule set, so that the decision can be
	// explained and replayed later.
	RuleSet string `json:"ruleset"`
	// Destinations are to be tried in this order.
	Destinations []Destination `json:"destinations"`
}

// Destination is one place to send the call to.
type Destination struct {
	ID     string `json:"id"`
	URI    string `json:"uri"`    // "sip:trunk-a.example.com"
	Number string `json:"number"` // the callee's number in the form this destination wants
}
