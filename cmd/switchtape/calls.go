package main

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/cmd/apiclient"
	"github.com/switchtape/switchtape/cmd/internal/cli"
)

type callsCommand struct {
	List  callsList  `cmd:"" help:"List calls, newest first."`
	Show  callsShow  `cmd:"" help:"Show one call, with its events and recordings."`
	Route callsRoute `cmd:"" help:"Decide where a call would go, and say why; nothing is stored."`
}

// apiOnlyOptions are those of commands that ask an API and no database.
type apiOnlyOptions struct {
	apiOptions
	JSON bool `help:"Print JSON." name:"json"`
}

// Validate is called by the parser.
func (o *apiOnlyOptions) Validate() error {
	if o.API == "" {
		return cli.Usagef("missing flags: --api=URL")
	}
	return nil
}

type callsList struct {
	apiOnlyOptions
	State          string            `help:"Only calls in this state: routed, ringing, answered, ended, failed or rejected." enum:"routed,ringing,answered,ended,failed,rejected," default:"" placeholder:"STATE"`
	Number         string            `help:"Only calls from or to this number." placeholder:"N"`
	Region         string            `help:"Country in which the number is dialled, as ISO 3166-1 alpha-2." placeholder:"CC"`
	Direction      string            `help:"Only calls of this direction: inbound, outbound or internal." enum:"inbound,outbound,internal," default:"" placeholder:"D"`
	Trunk          string            `help:"Only calls that came in by this trunk." placeholder:"T"`
	Metadata       map[string]string `help:"Only calls with this metadata; may be repeated." placeholder:"K=V"`
	Recording      string            `help:"Only calls whose recordings stand so: none, missing, pending, completed, degraded, absent or quarantined." enum:"none,missing,pending,completed,degraded,absent,quarantined," default:"" placeholder:"STATE"`
	IdempotencyKey string            `help:"The call that was made with this key." placeholder:"KEY"`
	Since          time.Time         `help:"Only calls made then or later, as 2026-01-31T15:04:05Z." placeholder:"TIME" optional:""`
	Until          time.Time         `help:"Only calls made before." placeholder:"TIME" optional:""`
	pageOptions
}

func (c *callsList) Run(ctx context.Context, s cli.Streams) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	p := &apiclient.ListCallsParams{
		State: given(apiclient.CallStateFilter(c.State)), Number: given(c.Number), Region: given(c.Region),
		Direction: given(apiclient.ListCallsParamsDirection(c.Direction)), Trunk: given(c.Trunk), Metadata: pairs(c.Metadata),
		Recording: given(apiclient.ListCallsParamsRecording(c.Recording)), IdempotencyKey: given(c.IdempotencyKey),
		Since: givenTime(c.Since), Until: givenTime(c.Until), Limit: &c.Limit, Cursor: given(c.Cursor),
	}
	page, raw, err := answered[struct {
		Calls []calls.Call
		Next  string
	}](api.ListCallsWithResponse(ctx, p))
	if err != nil || c.JSON {
		return printRaw(s, raw, err)
	}
	for i := range page.Calls {
		call := &page.Calls[i]
		s.Printf("%s  %-8s  %s  %s -> %s  %s\n", call.ID, call.State, call.CreatedAt.Format(time.RFC3339), call.From.Number, call.To.Number, recordingStates(call))
	}
	printNext(s, page.Next)
	return nil
}

// pairs are key=value, as the API takes them, in order.
func pairs(m map[string]string) *[]string {
	if len(m) == 0 {
		return nil
	}
	var list []string
	for _, k := range slices.Sorted(maps.Keys(m)) {
		list = append(list, k+"="+m[k])
	}
	return &list
}

func recordingStates(c *calls.Call) string {
	var out strings.Builder
	for i := range c.Recordings {
		out.WriteString(" " + c.Recordings[i].State)
	}
	return out.String()
}

// printRaw prints an answer as it came.
func printRaw(s cli.Streams, raw json.RawMessage, err error) error {
	if err != nil {
		return err
	}
	return s.JSON(raw)
}

type callsShow struct {
	apiOnlyOptions
	ID string `arg:"" help:"The call."`
}

func (c *callsShow) Run(ctx context.Context, s cli.Streams) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	call, raw, err := answered[calls.Call](api.GetCallWithResponse(ctx, c.ID))
	if err != nil || c.JSON {
		return printRaw(s, raw, err)
	}
	s.Printf("call %s\n  state    %s\n  from     %s\n  to       %s\n  created  %s\n", call.ID, call.State, call.From.Number, call.To.Number, call.CreatedAt.Format(time.RFC3339))
	if d := call.Decision; d != nil {
		s.Printf("  rule     %s (rule set %s)\n", d.Rule, d.RuleSet)
		for i := range d.Destinations {
			mark := " "
			if i == call.Attempt {
				mark = "*"
			}
			s.Printf("  %s %d. %s  %s\n", mark, i+1, d.Destinations[i].ID, d.Destinations[i].URI)
		}
	}
	for i := range call.Recordings {
		r := &call.Recordings[i]
		s.Printf("  recording %s  %s  job %s  %s\n", r.RecordingID, r.State, r.JobID, r.Link)
	}
	events, _, err := answered[struct{ Events []calls.Event }](api.ListCallEventsWithResponse(ctx, c.ID))
	if err != nil {
		return err
	}
	for i := range events.Events {
		s.Printf("  %s  %s\n", events.Events[i].At.Format(time.RFC3339Nano), events.Events[i].Type)
	}
	return nil
}

type callsRoute struct {
	apiOnlyOptions
	From       string            `help:"The caller's number, or anonymous." placeholder:"N"`
	To         string            `help:"The callee's number." required:"" placeholder:"N"`
	Region     string            `help:"Country in which the numbers are dialled, as ISO 3166-1 alpha-2." placeholder:"CC"`
	At         time.Time         `help:"When the call is made. Default: now." placeholder:"TIME" optional:""`
	Priority   int               `help:"The call's priority, 0 to 9."`
	Type       string            `help:"The call's type: voice, video, fax or emergency." placeholder:"TYPE"`
	Direction  string            `help:"The call's direction: inbound, outbound or internal." placeholder:"D"`
	Trunk      string            `help:"The id of the trunk that the call came in by." placeholder:"T"`
	Metadata   map[string]string `help:"Metadata of the call; may be repeated." placeholder:"K=V"`
	Capability []string          `help:"A codec or other tag that the call offers; may be repeated." placeholder:"TAG"`
	CallID     string            `help:"The call's id; it draws among weighted destinations." placeholder:"ID"`
}

func (c *callsRoute) Run(ctx context.Context, s cli.Streams) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	p := &apiclient.TryRouteParams{
		From: given(c.From), To: c.To, Region: given(c.Region), At: givenTime(c.At), Priority: given(c.Priority),
		Type: given(apiclient.CallTypeFilter(c.Type)), Direction: given(apiclient.CallDirectionFilter(c.Direction)),
		Trunk: given(c.Trunk), Metadata: pairs(c.Metadata), CallId: given(c.CallID),
	}
	if len(c.Capability) > 0 {
		p.Capability = &c.Capability
	}
	out, raw, err := answered[routeOutput](api.TryRouteWithResponse(ctx, p))
	if err != nil {
		return err
	}
	if c.JSON {
		err = s.JSON(raw)
	} else {
		printRoute(s, &out)
	}
	if err == nil && out.NoRoute {
		return cli.Silent()
	}
	return err
}
