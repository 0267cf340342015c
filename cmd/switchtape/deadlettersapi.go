package main

import (
	"context"

	"github.com/switchtape/switchtape/callmodel/deadletter"
	"github.com/switchtape/switchtape/cmd/apiclient"
	"github.com/switchtape/switchtape/cmd/internal/cli"
)

// ofAPI is the client of the API, which has its key's tenant's dead letters alone.
func (o *lettersOptions) ofAPI(tenant string) (*apiclient.ClientWithResponses, error) {
	switch {
	case o.DB != "":
		return nil, errBoth()
	case tenant != "":
		return nil, cli.Usagef("--tenant is of --db: an API has the dead letters of its key's tenant")
	}
	return o.client()
}

// ask is Run with an API.
func (c *lettersList) ask(ctx context.Context, s cli.Streams) error {
	api, err := c.ofAPI(c.Tenant)
	if err != nil {
		return err
	}
	limit := min(c.Limit, maxAsked)
	page, _, err := answered[deadletter.Page](api.ListDeadLettersWithResponse(ctx, &apiclient.ListDeadLettersParams{
		State: given(apiclient.DeadLetterStateFilter(c.State)), After: given(c.After), Limit: &limit,
	}))
	if err != nil {
		return err
	}
	return c.print(s, &page)
}

// ask is Run with an API.
func (c *lettersShow) ask(ctx context.Context, s cli.Streams) error {
	api, err := c.ofAPI("")
	if err != nil {
		return err
	}
	l, _, err := answered[deadletter.Letter](api.GetDeadLetterWithResponse(ctx, c.ID))
	if err != nil {
		return ofLetter(c.ID, err)
	}
	return c.print(s, &l)
}

// ask is Run with an API.
func (c *lettersReplay) ask(ctx context.Context, s cli.Streams) error {
	if len(c.LegsOf) > 0 {
		return cli.Usagef("--legs-of is of --db: an API has its own")
	}
	api, err := c.ofAPI(c.Tenant)
	if err != nil {
		return err
	}
	return c.each(s, c.IDs, func(id deadletter.ID) (deadletter.Letter, error) {
		l, _, err := answered[deadletter.Letter](api.ReplayDeadLetterWithResponse(ctx, string(id)))
		return l, err
	})
}

// ask is Run with an API.
func (c *lettersDiscard) ask(ctx context.Context, s cli.Streams) error {
	api, err := c.ofAPI("")
	if err != nil {
		return err
	}
	return c.each(s, c.IDs, func(id deadletter.ID) (deadletter.Letter, error) {
		l, _, err := answered[deadletter.Letter](api.DiscardDeadLetterWithResponse(ctx, string(id)))
		return l, err
	})
}
