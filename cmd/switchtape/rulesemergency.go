package main

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/callmodel/e164"
	"github.com/switchtape/switchtape/callmodel/e164/normalize"
	"github.com/switchtape/switchtape/cmd/internal/cli"
	"github.com/switchtape/switchtape/cmd/internal/service"
	"github.com/switchtape/switchtape/routing"
)

type rulesEmergencyCommand struct {
	File         string   `arg:"" help:"Rule set: YAML, JSON or lines of JSON, by gzip or not." type:"path"`
	Region       []string `help:"Country in which the numbers are dialled, as ISO 3166-1 alpha-2; may be repeated. Default: every one, and none." placeholder:"CC"`
	Tenant       []string `help:"The tenant that calls; may be repeated. Default: those that rules name, and another." placeholder:"T"`
	Emergency    []string `help:"SIP URIs that the service has for emergency calls, as switchtape-api's --emergency." placeholder:"URI"`
	At           string   `help:"When the calls are made. Default: at every half hour of the week from now on." placeholder:"RFC3339"`
	AllowChanged bool     `help:"Don't fail for digits that a destination with emergency: true changes."`
	JSON         bool     `help:"Print every call as JSON." name:"json"`

	service.NumberingOptions
}

// The outcomes of an emergency call.
const (
	emergencyOK      = "ok"
	emergencyChanged = "changed"
	emergencyRefused = "refused"
)

// emergencyWay is where one emergency call goes.
type emergencyWay struct {
	Region        string              `json:"region"` // "" for none
	Number        string              `json:"number"`
	Tenant        callmodel.TenantID  `json:"tenant"`
	OutsidePrefix string              `json:"outside_prefix,omitempty"`
	Dialled       string              `json:"dialled"`
	Rule          string              `json:"rule"` // "" for the service's own destinations
	Destinations  []calls.Destination `json:"destinations"`
	Outcome       string              `json:"outcome"`
	Reason        string              `json:"reason,omitempty"`
	At            time.Time           `json:"at,omitzero"` // when it is not ok
}

// emergencyOutput is what rules emergency --json prints.
type emergencyOutput struct {
	File    string         `json:"file"`
	OK      int            `json:"ok"`
	Changed int            `json:"changed"`
	Refused int            `json:"refused"`
	Calls   []emergencyWay `json:"calls"`
	// TenantsLeftOut counts those that rules name and that were not tried.
	TenantsLeftOut int `json:"tenants_left_out,omitempty"`
}

func (c *rulesEmergencyCommand) Run(ctx context.Context, s cli.Streams) error {
	numbering, err := c.Numbering()
	if err != nil {
		return &cli.UsageError{Err: err}
	}
	own, err := service.EmergencyDestinations(c.Emergency)
	if err != nil {
		return &cli.UsageError{Err: err}
	}
	times, err := c.times()
	if err != nil {
		return err
	}
	regions := make([]string, 0, len(c.Region))
	for _, r := range c.Region {
		if r = strings.ToUpper(r); !normalize.ValidRegion(r) {
			return cli.Usagef("--region: %q is not a known ISO 3166-1 code; give two letters, like DE", r)
		}
		regions = append(regions, r)
	}
	if len(regions) == 0 {
		regions = append([]string{""}, e164.EmergencyRegions()...)
	}
	rs, router, err := loadRules(c.File)
	if err != nil {
		return err
	}
	out := emergencyOutput{File: c.File, Calls: []emergencyWay{}}
	w := waysOut{router: router, own: own, times: times}
	for _, tenant := range c.tenants(rs, &out) {
		w.tenant, w.numbering = tenant, numbering(tenant)
		for _, region := range regions {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			for _, number := range w.numbering.EmergencyNumbers(region) {
				for _, prefix := range append([]string{""}, w.numbering.OutsidePrefixes...) {
					out.add(w.find(region, number, prefix))
				}
			}
		}
	}
	if c.JSON {
		err = s.JSON(out)
	} else {
		printEmergency(s, &out)
	}
	if err == nil && (out.Refused > 0 || out.Changed > 0 && !c.AllowChanged) {
		return cli.Silent()
	}
	return err
}

func (o *emergencyOutput) add(w emergencyWay) {
	switch w.Outcome {
	case emergencyOK:
		o.OK++
	case emergencyChanged:
		o.Changed++
	default:
		o.Refused++
	}
	o.Calls = append(o.Calls, w)
}

// times are when the calls are made.
func (c *rulesEmergencyCommand) times() ([]time.Time, error) {
	at, err := instantFlag("--at", c.At)
	if err != nil || c.At != "" {
		return []time.Time{at}, err
	}
	const step, week = 30 * time.Minute, 7 * 24 * time.Hour
	var list []time.Time
	for d := time.Duration(0); d < week; d += step {
		list = append(list, at.UTC().Truncate(step).Add(d))
	}
	return list, nil
}

// anotherTenant stands for one that no rule names.
const anotherTenant = "default"

// maxTenants bounds the tenants that are tried without being asked for.
const maxTenants = 100

func (c *rulesEmergencyCommand) tenants(rs *routing.RuleSet, out *emergencyOutput) []callmodel.TenantID {
	var list []callmodel.TenantID
	for _, t := range c.Tenant {
		list = append(list, callmodel.TenantID(t))
	}
	if len(list) > 0 {
		return list
	}
	named := map[callmodel.TenantID]bool{}
	for i := range rs.Rules {
		for _, t := range rs.Rules[i].Match.Tenant {
			named[t] = true
		}
	}
	for _, s := range c.OutsidePrefix {
		if t, _, ok := strings.Cut(s, "="); ok {
			named[callmodel.TenantID(t)] = true
		}
	}
	delete(named, anotherTenant)
	list = slices.Sorted(maps.Keys(named))
	if len(list) > maxTenants {
		out.TenantsLeftOut = len(list) - maxTenants
		list = list[:maxTenants]
	}
	return append([]callmodel.TenantID{anotherTenant}, list...)
}

// waysOut decides emergency calls as the service does.
type waysOut struct {
	router    *routing.Router
	own       []calls.Destination // the service's
	times     []time.Time
	tenant    callmodel.TenantID
	numbering *normalize.Numbering
}

// find is where the call goes: the first of its times at which it is not ok, else
// the first.
func (w *waysOut) find(region, number, prefix string) emergencyWay {
	var first emergencyWay
	for i, at := range w.times {
		way := w.at(region, number, prefix, at)
		if way.Outcome != emergencyOK {
			way.At = at
			return way
		}
		if i == 0 {
			first = way
		}
	}
	return first
}

func (w *waysOut) at(region, number, prefix string, at time.Time) emergencyWay {
	way := emergencyWay{
		Region: region, Number: number, Tenant: w.tenant, OutsidePrefix: prefix, Dialled: prefix + number, Destinations: []calls.Destination{},
		Outcome: emergencyOK,
	}
	n, ok := w.numbering.Emergency(way.Dialled, region)
	if !ok {
		way.Outcome, way.Reason = emergencyRefused, "it is not recognised as an emergency number"
		return way
	}
	req := calls.Request{
		TenantID: w.tenant, CallID: "call-1", From: calls.AnonymousCaller, To: n.Value, Type: calls.TypeEmergency,
		Priority: calls.MaxPriority, Emergency: true, At: at,
	}
	route := w.router.Route
	if len(w.own) > 0 {
		route = w.router.RouteEmergency
	}
	d, err := route(&req)
	switch {
	case err == nil:
		way.Rule, way.Destinations = d.Rule, d.Destinations
	case len(w.own) > 0:
		for _, dest := range w.own {
			dest.Number = cmp.Or(dest.Number, n.Value)
			way.Destinations = append(way.Destinations, dest)
		}
	default:
		way.Outcome, way.Reason = emergencyRefused, err.Error()
	}
	for _, dest := range way.Destinations {
		if dest.Number != n.Value { // behind an outside line's prefix it may be another number's digits: 9 and 90
			way.Outcome, way.Reason = emergencyChanged, fmt.Sprintf("%s is sent %q", dest.ID, dest.Number)
		}
	}
	return way
}

func printEmergency(s cli.Streams, o *emergencyOutput) {
	for i := range o.Calls {
		w := &o.Calls[i]
		s.Printf("%-7s  %s  %s  tenant %s", w.Outcome, cmp.Or(w.Region, "--"), w.Dialled, w.Tenant)
		if len(w.Destinations) > 0 {
			s.Printf("  %s", cmp.Or(w.Rule, "(the service's own)"))
		}
		sep := ":"
		for _, d := range w.Destinations {
			s.Printf("%s %s as %s", sep, d.ID, d.Number)
			sep = ","
		}
		if w.Reason != "" {
			s.Printf("  (%s, at %s)", w.Reason, w.At.Format(time.RFC3339))
		}
		s.Printf("\n")
	}
	s.Printf("%s: %d ok, %d changed, %d refused", count(len(o.Calls), "emergency call"), o.OK, o.Changed, o.Refused)
	if o.TenantsLeftOut > 0 {
		s.Printf("; %s more are named by rules: see --tenant", count(o.TenantsLeftOut, "tenant"))
	}
	s.Printf("\n")
}
