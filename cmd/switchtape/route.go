package main

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/callmodel/e164/normalize"
	"github.com/switchtape/switchtape/cmd/internal/cli"
	"github.com/switchtape/switchtape/cmd/internal/service"
	"github.com/switchtape/switchtape/routing"
)

type routeCommand struct {
	Rules      string            `help:"Rule set: YAML, JSON or lines of JSON, by gzip or not." type:"path" required:"" placeholder:"FILE"`
	From       string            `help:"The caller's number, or anonymous." required:"" placeholder:"N"`
	To         string            `help:"The callee's number." required:"" placeholder:"N"`
	Region     string            `help:"Country in which the numbers are dialled, as ISO 3166-1 alpha-2; needed for national numbers." placeholder:"CC"`
	Tenant     string            `help:"The tenant." default:"default" placeholder:"T"`
	At         string            `help:"When the call is made. Default: now." placeholder:"RFC3339"`
	Priority   int               `help:"The call's priority, 0 to 9." default:"0"`
	Type       string            `help:"The call's type: ${enum}." enum:"voice,video,fax,emergency" default:"voice"`
	Direction  string            `help:"The call's direction: inbound, outbound or internal." placeholder:"D"`
	Trunk      string            `help:"The id of the trunk that the call came in by." placeholder:"T"`
	Metadata   map[string]string `help:"Metadata of the call; may be repeated." placeholder:"K=V"`
	Capability []string          `help:"A codec or other tag that the call offers; may be repeated." placeholder:"TAG"`
	CallID     string            `help:"The call's id; it draws among weighted destinations." default:"call-1" placeholder:"ID"`
	Explain    bool              `help:"Say of every rule considered why it won or lost."`
	JSON       bool              `help:"Print the decision as JSON." name:"json"`

	service.NumberingOptions
}

// routeOutput is what route --json prints.
type routeOutput struct {
	Decision     calls.Decision    `json:"decision"`
	NoRoute      bool              `json:"no_route,omitempty"`
	Request      routeRequest      `json:"request"`
	Considered   []routing.Verdict `json:"considered,omitempty"`
	OtherCallees int               `json:"other_callees,omitempty"`

	Destinations []routing.DestinationVerdict `json:"destinations,omitempty"`
}

type routeRequest struct {
	From      string `json:"from"`
	To        string `json:"to"`
	At        string `json:"at"`
	Emergency bool   `json:"emergency,omitempty"`
}

func (c *routeCommand) Run(_ context.Context, s cli.Streams) error {
	body, err := service.ReadRules(c.Rules)
	if err != nil {
		return fmt.Errorf("rules: %w", err)
	}
	router, err := routing.CompileText(body)
	if err != nil {
		return fmt.Errorf("rules in %s: %w", c.Rules, err)
	}
	req, err := c.request()
	if err != nil {
		return err
	}
	x := router.Explain(&req)
	if x.Decision.Destinations == nil {
		x.Decision.Destinations = []calls.Destination{}
	}
	out := routeOutput{
		Decision: x.Decision, NoRoute: x.NoRoute,
		Request: routeRequest{From: req.From, To: req.To, At: req.At.Format(time.RFC3339), Emergency: req.Emergency},
	}
	if c.Explain {
		out.Considered, out.OtherCallees, out.Destinations = x.Considered, x.OtherCallees, x.Destinations
	}
	if c.JSON {
		err = s.JSON(out)
	} else {
		printRoute(s, &out)
	}
	if err == nil && out.NoRoute {
		return cli.Silent()
	}
	return err
}

func (c *routeCommand) request() (calls.Request, error) {
	numbering, err := c.Numbering()
	if err != nil {
		return calls.Request{}, &cli.UsageError{Err: err}
	}
	known := numbering(callmodel.TenantID(c.Tenant))
	var faults callmodel.FieldErrors
	region := strings.ToUpper(c.Region)
	from, asGiven := calls.AnonymousCaller, false
	if !normalize.Withheld(c.From) {
		n, err := known.Parse(c.From, region)
		if from = n.Value; err != nil {
			from, asGiven = c.From, true // as in the service, no caller refuses a call
		}
	}
	to, err := known.Parse(c.To, region)
	if err != nil {
		faults.Add("--to", "%s", err)
	}
	at := time.Now()
	if c.At != "" {
		var err error
		if at, err = time.Parse(time.RFC3339, c.At); err != nil {
			faults.Add("--at", "%q is not a time like 2026-01-31T15:04:05Z", c.At)
		}
	}
	req := calls.Request{
		TenantID: callmodel.TenantID(c.Tenant), CallID: callmodel.CallID(c.CallID), From: from, To: to.Value,
		FromAsGiven: asGiven, ToPostDial: to.PostDial, ToParams: to.Params,
		Type: calls.Type(c.Type), Direction: calls.Direction(c.Direction), Priority: c.Priority, At: at, Emergency: to.Emergency,
		Trunk: c.Trunk, Metadata: c.Metadata, Capabilities: c.Capability,
	}
	if err := cmp.Or(faults.Err(), req.Validate()); err != nil {
		return req, &cli.UsageError{Err: err}
	}
	return req, nil
}

func printRoute(s cli.Streams, o *routeOutput) {
	switch {
	case o.Decision.Reject != nil:
		refused := routing.RejectError{Cause: *o.Decision.Reject}
		s.Printf("rule %s takes a call from %s to %s at %s: %s\n", o.Decision.Rule, o.Request.From, o.Request.To, o.Request.At, refused.Error())
	case o.NoRoute && o.Decision.Rule != "":
		s.Printf("rule %s matches a call from %s to %s at %s, and requires a rate that none of its destinations has\n",
			o.Decision.Rule, o.Request.From, o.Request.To, o.Request.At)
	case o.NoRoute:
		s.Printf("no rule matches a call from %s to %s at %s\n", o.Request.From, o.Request.To, o.Request.At)
	default:
		s.Printf("rule %s (rule set %s)\n", o.Decision.Rule, o.Decision.RuleSet)
	}
	for i, d := range o.Decision.Destinations {
		s.Printf("  %d. %s  %s  as %s%s\n", i+1, d.ID, d.URI, d.Number, callerAndCost(&d))
	}
	for _, v := range o.Destinations {
		s.Printf("    %s (tier %d): %s\n", v.ID, v.Tier, v.Reason)
	}
	for _, v := range o.Considered {
		mark := " "
		if v.Won {
			mark = "*"
		}
		s.Printf("  %s %s: %s\n", mark, v.Rule, v.Reason)
	}
	if o.OtherCallees > 0 {
		s.Printf("    and %d rules for other callees\n", o.OtherCallees)
	}
}

// callerAndCost is what there is to say of a destination besides its number.
func callerAndCost(d *calls.Destination) string {
	out := ""
	if d.Caller != "" {
		out = "  from " + d.Caller
	}
	if d.CallerPrivacy != calls.PrivacyNone {
		out += " (withheld)"
	}
	if d.Cost.Currency != "" {
		out += fmt.Sprintf("  %s %s for %d s", d.Cost.Amount, d.Cost.Currency, d.Cost.Length/time.Second)
	}
	return out
}
