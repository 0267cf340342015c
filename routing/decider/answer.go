package decider

import (
	"errors"
	"fmt"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/routing"
)

// question is the body of a request.
type question struct {
	TenantID     callmodel.TenantID `json:"tenant_id"`
	CallID       callmodel.CallID   `json:"call_id"`
	From         string             `json:"from"`
	FromAsGiven  bool               `json:"from_as_given,omitempty"`
	To           string             `json:"to"`
	ToPostDial   string             `json:"to_post_dial,omitempty"`
	ToParams     string             `json:"to_params,omitempty"`
	Type         calls.Type         `json:"type"`
	Direction    calls.Direction    `json:"direction,omitempty"`
	Priority     int                `json:"priority"`
	Trunk        string             `json:"trunk,omitempty"`
	Capabilities []string           `json:"capabilities,omitempty"`
	Metadata     map[string]string  `json:"metadata,omitempty"`
	At           time.Time          `json:"at"`
}

func questionOf(r *calls.Request) question {
	return question{
		TenantID: r.TenantID, CallID: r.CallID, From: r.From, To: r.To, Type: r.Type, Direction: r.Direction,
		FromAsGiven: r.FromAsGiven, ToPostDial: r.ToPostDial, ToParams: r.ToParams,
		Priority: r.Priority, Trunk: r.Trunk, Capabilities: r.Capabilities, Metadata: r.Metadata, At: r.At.UTC(),
	}
}

// reply is the body of an answer.
type reply struct {
	Rule         string          `json:"rule,omitempty"`
	Destinations []place         `json:"destinations,omitempty"`
	Failover     *calls.Failover `json:"failover,omitempty"`
	NoRoute      bool            `json:"no_route,omitempty"`
	Reason       string          `json:"reason,omitempty"`
}

type place struct {
	ID            string        `json:"id"`
	URI           string        `json:"uri"`
	Number        string        `json:"number,omitempty"`
	Caller        string        `json:"caller,omitempty"`
	CallerPrivacy calls.Privacy `json:"caller_privacy,omitempty"`
}

const maxText = 256

// parseReply reads an answer strictly.
func parseReply(body []byte) (*reply, error) {
	var r reply
	if err := callmodel.DecodeJSON(body, &r); err != nil {
		return nil, err
	}
	return &r, r.check()
}

// check reports every fault of the answer at once.
func (r *reply) check() error {
	var e callmodel.FieldErrors
	if len(r.Rule) > maxText || len(r.Reason) > maxText {
		e.Add("rule", "rule and reason may have %d bytes", maxText)
	}
	switch n := len(r.Destinations); {
	case r.NoRoute && (n > 0 || r.Failover != nil):
		e.Add("no_route", "goes with neither destinations nor failover")
	case !r.NoRoute && (n == 0 || n > routing.MaxTargets):
		e.Add("destinations", "must be 1 to %d, are %d", routing.MaxTargets, n)
		return e
	}
	seen := make(map[string]bool, len(r.Destinations))
	for i := range r.Destinations {
		d := &r.Destinations[i]
		p := fmt.Sprintf("destinations[%d]", i)
		if !callmodel.ValidID(d.ID) || seen[d.ID] {
			e.Add(p+".id", "is no id, or another destination's")
		}
		seen[d.ID] = true
		if err := routing.CheckURI(d.URI); err != nil || len(d.URI) > maxText {
			e.Add(p+".uri", "is not a sip:, sips: or tel: URI of at most %d bytes", maxText)
		}
		if d.Number != "" && !routing.Dialable(d.Number) {
			e.Add(p+".number", "is not a number to dial")
		}
		if d.Caller != "" && d.Caller != calls.AnonymousCaller && !routing.Dialable(d.Caller) {
			e.Add(p+".caller", "is neither a number nor anonymous")
		}
		if d.CallerPrivacy != calls.PrivacyNone && d.CallerPrivacy != calls.PrivacyID {
			e.Add(p+".caller_privacy", "is not \"id\"")
		}
	}
	if r.Failover != nil {
		var faults callmodel.FieldErrors
		_ = errors.As(r.Failover.Validate(), &faults)
		e.AddAll("failover", faults)
	}
	return e.Err()
}

// namesCallers reports whether the answer is for one caller only.
func (r *reply) namesCallers() bool {
	for i := range r.Destinations {
		if r.Destinations[i].Caller != "" {
			return true
		}
	}
	return false
}

// decision returns the answer as a decision for the call.
func (r *reply) decision(req *calls.Request, source calls.DecisionSource) calls.Decision {
	d := calls.Decision{Source: source, Rule: r.Rule, Failover: r.Failover, Destinations: make([]calls.Destination, len(r.Destinations))}
	for i, p := range r.Destinations {
		out := calls.Destination{ID: p.ID, URI: p.URI, Number: p.Number, Caller: p.Caller, CallerPrivacy: p.CallerPrivacy}
		if out.Number == "" {
			out.Number = req.To
		}
		if out.Caller == "" {
			out.Caller = req.From
		}
		if req.From == calls.AnonymousCaller || out.Caller == calls.AnonymousCaller {
			out.CallerPrivacy = calls.PrivacyID
		}
		d.Destinations[i] = out
	}
	return d
}
