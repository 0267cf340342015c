package routing

import (
	"cmp"
	"context"
	"strconv"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
)

// Live knows the state of destinations at this moment. *trunk.Group is one.
type Live interface {
	// Status returns the state of a destination by its id, the zero Status for one
	// that it doesn't know. A decision asks once for each destination. Status must
	// neither wait nor allocate, and any number of goroutines may call it at once.
	Status(destination string) Status
}

// Status is the state of a destination at this moment. The zero value takes calls.
type Status struct {
	Health Health
	// ProbeShare is how many of 1000 calls a probing destination takes.
	ProbeShare uint16
	// Quality ranks the destinations of a tier that is ordered by quality:
	// higher first, equal by weight.
	Quality int16
	// Full says why the destination has no room for the call: LeftConcurrent or
	// LeftCPS. "" if it has room.
	Full calls.LeftReason
}

// Health says whether a destination works.
type Health uint8

// The healths.
const (
	Up      Health = iota // it works, or nothing is known
	Probing               // it failed; a share of the calls finds out whether it works again
	Down                  // it fails; it is left out unless nothing else is left
)

func (h Health) String() string {
	switch h {
	case Probing:
		return "probing"
	case Down:
		return "down"
	default:
		return "up"
	}
}

var (
	// ErrNoCapacity is returned when every destination of the winning rule is
	// full, or down and full. Its code is callmodel.CodeNoCapacity.
	ErrNoCapacity error = &callmodel.Error{
		Code:    callmodel.CodeNoCapacity,
		Message: "every destination of the rule carries as many calls as it may; try again later",
	}
	// ErrNoRate is returned when the winning rule requires rates and none of its
	// destinations has one for the number. Its code is callmodel.CodeNoRoute.
	ErrNoRate error = &callmodel.Error{
		Code:    callmodel.CodeNoRoute,
		Message: "a rule matches the call and requires a rate, but none of its destinations has one for the number",
	}
)

// ErrNoMargin is returned when every destination of the winning rule that has a rate costs
// more than the price of the call less the margin. Its code is callmodel.CodeNoRoute.
var ErrNoMargin error = &callmodel.Error{
	Code:    callmodel.CodeNoRoute,
	Message: "a rule matches the call, but none of its destinations leaves the margin that it asks for",
}

// RejectError is the error of a call that a rule refuses: see [Rule.Reject]. The error of
// Route wraps it, and has the code callmodel.CodeNoRoute; the decision has the rule and
// the cause.
type RejectError struct{ Cause calls.Cause }

// Error says with which cause the call is refused.
func (e *RejectError) Error() string {
	cause := ""
	if e.Cause.SIP != 0 {
		cause = " SIP " + strconv.Itoa(e.Cause.SIP)
	}
	if e.Cause.Q850 != 0 {
		cause += " Q.850 " + strconv.Itoa(e.Cause.Q850)
	}
	if e.Cause.Text != "" {
		cause += ": " + e.Cause.Text
	}
	return "a rule refuses the call, with" + cause
}

func refusal(cause calls.Cause) error {
	err := &RejectError{cause}
	return &callmodel.Error{Code: callmodel.CodeNoRoute, Message: err.Error(), Err: err}
}

// Decider is another service that decides where calls go. Package decider has
// one that asks over HTTP.
type Decider interface {
	// Decide returns the service's answer, or its last good answer while it gives
	// none (Source says which). An error of callmodel.CodeNoRoute is the service's
	// refusal and final. After any other error, a [*FallbackError] if possible, the
	// rules decide. Decide must return in time for the call. It is never called for
	// emergency calls.
	Decide(ctx context.Context, req *calls.Request) (calls.Decision, error)
}

// FallbackError says why a Decider, or another service that a call waits for, has no
// answer.
type FallbackError struct {
	// Service is what was asked; "" means the decision service.
	Service string
	// Reason is a word for metrics and the decision's Fallback: "timeout".
	Reason string
	Err    error
}

func (e *FallbackError) Error() string {
	return "the " + cmp.Or(e.Service, "decision service") + " has no answer (" + e.Reason + "): " + e.Err.Error()
}

func (e *FallbackError) Unwrap() error { return e.Err }

// RouteLive is [Router.RouteInto] with regard to the moment: it leaves out full
// destinations, and those that are down unless nothing else is left, and orders the
// tiers by quality. It returns [ErrNoCapacity] when all are full. For emergency
// calls it does what Route does.
// The decision depends on nothing but the request and what live says.
func (r *Router) RouteLive(req *calls.Request, live Live, d *calls.Decision) error {
	return r.decide(req, live, d, nil)
}

// decide is what all Route methods share. trace may be nil.
func (r *Router) decide(req *calls.Request, live Live, d *calls.Decision, trace *[]DestinationVerdict) error {
	s := search{r: r, req: req}
	if s.lacksTime() {
		*d = s.undecided(d)
		return ErrNoTime
	}
	s.run()
	return s.decide(live, d, trace)
}

// decide fills in the decision after the search.
func (s *search) decide(live Live, d *calls.Decision, trace *[]DestinationVerdict) error {
	*d = s.undecided(d)
	if s.best < 0 {
		return ErrNoRoute
	}
	return s.r.answer(&s.r.index.postings[s.best], s.req, live, d, trace)
}

// lacksTime reports whether the call lacks the time that a decision needs.
func (s *search) lacksTime() bool { return s.req.At.IsZero() && !emergencyCall(s.req) }

// undecided returns a decision for nothing yet, which reuses the room of d.
func (s *search) undecided(d *calls.Decision) calls.Decision {
	return calls.Decision{
		Source: calls.SourceRules, RuleSet: s.r.hash, Destinations: d.Destinations[:0], LeftOut: d.LeftOut[:0],
		PostDial: s.req.ToPostDial, Params: s.req.ToParams,
	}
}

// answer fills in the decision for the winning posting.
func (r *Router) answer(x *posting, req *calls.Request, live Live, d *calls.Decision, trace *[]DestinationVerdict) error {
	d.Rule = r.ids[x.rule+1 : x.rule+1+x.idBytes()]
	p := &r.plans[x.plan]
	if p.reject != nil {
		d.Reject = p.reject
		return p.refusal
	}
	d.Failover = p.failover
	c := chooser{r: r, req: req, live: live, d: d, trace: trace, call: hashString(string(req.CallID)), at: req.At.Unix()}
	if emergencyCall(req) {
		c.live, c.emergency = nil, true
	}
	c.plan(p)
	if len(d.Destinations) == 0 && c.down > 0 {
		c.restartWithDown()
		c.plan(p)
	}
	switch {
	case len(d.Destinations) > 0:
		return nil
	case c.full > 0:
		return ErrNoCapacity
	case c.dear:
		return ErrNoMargin
	default:
		return ErrNoRate
	}
}

func emergencyCall(req *calls.Request) bool {
	return req.Emergency || req.Type == calls.TypeEmergency
}
