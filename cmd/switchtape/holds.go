package main

import (
	"context"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/retention"
	"github.com/switchtape/switchtape/cmd/apiclient"
	"github.com/switchtape/switchtape/cmd/internal/cli"
	"github.com/switchtape/switchtape/cmd/internal/service"
	"github.com/switchtape/switchtape/recording/recordinghttp"
	"github.com/switchtape/switchtape/storage/calldb"
)

type holdsCommand struct {
	Place holdsPlace `cmd:"" help:"Place a legal hold: until it is lifted nothing of what it is on is deleted or redacted."`
	List  holdsList  `cmd:"" help:"List legal holds, in the order in which they were placed."`
	Lift  holdsLift  `cmd:"" help:"Lift a legal hold. It stays in the list, with who lifted it and why."`
}

// ofTenant are the options of what is one tenant's.
type ofTenant struct {
	timedOptions
	apiOptions
	Tenant string `help:"The tenant, in a database. Default: default. An API's is its key's." placeholder:"TENANT"`
}

// tenant is whose it is in a database.
func (o *ofTenant) tenant() callmodel.TenantID {
	if o.Tenant == "" {
		return service.DefaultTenant
	}
	return callmodel.TenantID(o.Tenant)
}

// ofAPI is the client of the API, whose key says the tenant.
func (o *ofTenant) ofAPI() (*apiclient.ClientWithResponses, error) {
	switch {
	case o.DB != "":
		return nil, errBoth()
	case o.Tenant != "":
		return nil, cli.Usagef("--tenant is of --db: an API's is its key's")
	}
	return o.client()
}

type holdsPlace struct {
	ofTenant
	Scope   string `arg:"" enum:"recording,call,user,number,tenant" help:"What it is on: recording, call, user, number or tenant."`
	Subject string `arg:"" optional:"" help:"Its id, or the number in E.164 with a plus, or an extension or short number of 2 to 6 digits; nothing of a tenant."`
	Reason  string `help:"Why, for the audit log." required:""`
}

func (c *holdsPlace) Run(ctx context.Context, s cli.Streams) error {
	if c.API != "" {
		api, err := c.ofAPI()
		if err != nil {
			return err
		}
		body := apiclient.HoldRequest{Scope: apiclient.HoldScope(c.Scope), Subject: given(c.Subject), Reason: c.Reason}
		h, _, err := answered[retention.Hold](api.PlaceHoldWithResponse(ctx, body))
		if err != nil {
			return err
		}
		return c.print(s, &h)
	}
	return c.with(ctx, func(ctx context.Context, db *calldb.DB) error {
		h, err := db.PlaceHold(ctx, retention.Hold{TenantID: c.tenant(), Scope: retention.HoldScope(c.Scope), Subject: c.Subject, Reason: c.Reason}, actor())
		if err != nil {
			return err
		}
		return c.print(s, &h)
	})
}

func (o *ofTenant) print(s cli.Streams, h *retention.Hold) error {
	if o.JSON {
		return s.JSON(h)
	}
	s.Printf("%s  %s  placed %s by %s: %s\n", h.ID, h.On(), h.PlacedAt.Format(time.RFC3339), h.PlacedBy, h.Reason)
	if h.Warning != "" {
		s.Printf("  warning: %s\n", h.Warning)
	}
	if h.Lifted() {
		s.Printf("  lifted %s by %s: %s\n", h.LiftedAt.Format(time.RFC3339), h.LiftedBy, h.LiftReason)
	}
	return nil
}

type holdsList struct {
	ofTenant
	Scope   string `help:"Only those on such things: recording, call, user, number or tenant." enum:"recording,call,user,number,tenant," default:""`
	Subject string `help:"Only those on this: an id, or a number." placeholder:"SUBJECT"`
	Lifted  bool   `help:"Those that were lifted, too."`
	Limit   int    `help:"At most so many, up to 500." default:"100"`
	After   string `help:"Continue behind this one." placeholder:"ID"`
}

func (c *holdsList) Run(ctx context.Context, s cli.Streams) error {
	limit := min(c.Limit, maxAsked)
	if c.API != "" {
		api, err := c.ofAPI()
		if err != nil {
			return err
		}
		q := apiclient.ListHoldsParams{Scope: given(apiclient.HoldScopeFilter(c.Scope)), Subject: given(c.Subject), After: given(c.After), Limit: &limit}
		if c.Lifted {
			q.Lifted = given(apiclient.ListHoldsParamsLifted("true"))
		}
		page, _, err := answered[recordinghttp.HoldPage](api.ListHoldsWithResponse(ctx, &q))
		if err != nil {
			return err
		}
		return c.printList(s, page.Holds)
	}
	return c.with(ctx, func(ctx context.Context, db *calldb.DB) error {
		holds, err := db.Holds(ctx, retention.HoldFilter{
			TenantID: c.tenant(), Scope: retention.HoldScope(c.Scope), Subject: c.Subject, Lifted: c.Lifted, Limit: limit, After: retention.HoldID(c.After),
		})
		if err != nil {
			return err
		}
		return c.printList(s, holds)
	})
}

func (c *holdsList) printList(s cli.Streams, holds []retention.Hold) error {
	if c.JSON {
		return s.JSON(recordinghttp.HoldPage{Holds: holds})
	}
	for i := range holds {
		if err := c.print(s, &holds[i]); err != nil {
			return err
		}
	}
	return nil
}

type holdsLift struct {
	ofTenant
	ID     string `arg:"" help:"The hold."`
	Reason string `help:"Why, for the audit log." required:""`
}

func (c *holdsLift) Run(ctx context.Context, s cli.Streams) error {
	if c.API != "" {
		api, err := c.ofAPI()
		if err != nil {
			return err
		}
		h, _, err := answered[retention.Hold](api.LiftHoldWithResponse(ctx, c.ID, apiclient.ReasonRequest{Reason: c.Reason}))
		if err != nil {
			return err
		}
		return c.print(s, &h)
	}
	return c.with(ctx, func(ctx context.Context, db *calldb.DB) error {
		h, err := db.LiftHold(ctx, retention.Lift{TenantID: c.tenant(), ID: retention.HoldID(c.ID), Actor: actor(), Reason: c.Reason})
		if err != nil {
			return callmodel.Errorf(callmodel.CodeOf(err), "hold %s: %w", c.ID, err)
		}
		return c.print(s, &h)
	})
}
