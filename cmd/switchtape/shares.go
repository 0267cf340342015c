package main

import (
	"context"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/shares"
	"github.com/switchtape/switchtape/cmd/apiclient"
	"github.com/switchtape/switchtape/cmd/internal/cli"
	"github.com/switchtape/switchtape/recording"
	"github.com/switchtape/switchtape/recording/sharehttp"
	"github.com/switchtape/switchtape/storage/calldb"
)

type sharesCommand struct {
	Create sharesCreate `cmd:"" help:"Share a recording, or a part of it, and print the link, which is shown this once."`
	List   sharesList   `cmd:"" help:"List a tenant's shares, and how often they were opened."`
	Revoke sharesRevoke `cmd:"" help:"Revoke a share: from the next request on it opens nothing."`
}

type sharesCreate struct {
	keysOptions
	Job         string        `arg:"" help:"The job that made the recording."`
	From        time.Duration `help:"Where the part begins, from the recording's beginning, as 1m2.5s." placeholder:"TIME"`
	To          time.Duration `help:"Where it ends. Default: at the recording's end." placeholder:"TIME"`
	Output      *string       `help:"Name of the output to share. Default: the first that can be heard." placeholder:"NAME"`
	Codec       string        `help:"Codec of the output to share." placeholder:"CODEC"`
	Expires     time.Duration `help:"For how long it can be opened." default:"168h"`
	MaxOpenings int64         `help:"How often it can be opened. 0: as often as anybody likes." default:"0"`
	Description string        `help:"For people: what for."`
	ShareURL    string        `help:"With a database: the servers' --share-url." placeholder:"URL" name:"share-url"`
}

func (c *sharesCreate) Run(ctx context.Context, s cli.Streams) error {
	in := &sharehttp.Asked{
		JobID: callmodel.JobID(c.Job), Output: c.Output, Codec: c.Codec, FromMS: c.From.Milliseconds(), ToMS: c.To.Milliseconds(),
		ExpiresInS: int64(c.Expires / time.Second), MaxOpenings: c.MaxOpenings, Description: c.Description,
	}
	made, err := c.make(ctx, in)
	if err != nil {
		return err
	}
	if c.JSON {
		return s.JSON(made)
	}
	s.Printf("%s  %s\n", made.Share.ID, made.URL)
	return nil
}

// make makes the share, in the database or by the API.
func (c *sharesCreate) make(ctx context.Context, in *sharehttp.Asked) (made sharehttp.WithLink, err error) {
	if c.API != "" {
		api, tenant, err := c.ofAPI()
		if err != nil {
			return made, err
		}
		made, _, err = answered[sharehttp.WithLink](api.CreateShareWithResponse(ctx, apiclient.NewShare{
			JobId: c.Job, Output: in.Output, Codec: given(in.Codec), FromMs: given(in.FromMS), ToMs: given(in.ToMS),
			ExpiresInS: given(in.ExpiresInS), MaxOpenings: given(in.MaxOpenings), Description: given(in.Description),
		}, tenant))
		return made, err
	}
	if c.ShareURL == "" {
		return made, cli.Usagef("missing flags: --share-url=URL, below which the servers open links")
	}
	err = c.with(ctx, func(ctx context.Context, db *calldb.DB) (err error) {
		made, err = sharehttp.Make(ctx, db, db, recording.BuiltinCodecs(), c.owner(), in, actor())
		made.URL = sharehttp.LinkOf(c.ShareURL, made.Token)
		return err
	})
	return made, err
}

type sharesList struct {
	keysOptions
	Job   string `help:"Only those of the recording that this job made." placeholder:"JOB"`
	Limit int    `help:"At most so many, up to 500." default:"100"`
	After string `help:"Continue behind this one." placeholder:"ID"`
}

func (c *sharesList) Run(ctx context.Context, s cli.Streams) error {
	limit := max(1, min(c.Limit, maxAsked))
	page := sharehttp.Page{}
	var err error
	if c.API != "" {
		var api *apiclient.ClientWithResponses
		var tenant apiclient.RequestEditorFn
		if api, tenant, err = c.ofAPI(); err != nil {
			return err
		}
		page, _, err = answered[sharehttp.Page](api.ListSharesWithResponse(ctx, &apiclient.ListSharesParams{
			Limit: &limit, After: given(c.After), JobId: given(c.Job),
		}, tenant))
	} else {
		err = c.with(ctx, func(ctx context.Context, db *calldb.DB) (err error) {
			page.Shares, err = db.Shares(ctx, c.owner(), shares.Filter{JobID: callmodel.JobID(c.Job), After: c.After, Limit: limit})
			if n := len(page.Shares); err == nil && n == limit {
				page.Next = page.Shares[n-1].ID
			}
			return err
		})
	}
	if err != nil {
		return err
	}
	if c.JSON {
		return s.JSON(page)
	}
	for i := range page.Shares {
		h := &page.Shares[i]
		s.Printf("%s  %-8s  job %s  %v to %v  opened %d  until %s  %s\n", h.ID, h.State, h.JobID, h.From, h.To, h.Openings, h.ExpiresAt.Format(time.RFC3339), h.Description)
	}
	if page.Next != "" {
		s.Printf("there are more: --after %s\n", page.Next)
	}
	return nil
}

type sharesRevoke struct {
	keysOptions
	ID string `arg:"" help:"The share."`
}

func (c *sharesRevoke) Run(ctx context.Context, s cli.Streams) error {
	var h shares.Share
	var err error
	if c.API != "" {
		var api *apiclient.ClientWithResponses
		var tenant apiclient.RequestEditorFn
		if api, tenant, err = c.ofAPI(); err != nil {
			return err
		}
		h, _, err = answered[shares.Share](api.RevokeShareWithResponse(ctx, c.ID, tenant))
	} else {
		err = c.with(ctx, func(ctx context.Context, db *calldb.DB) (err error) {
			h, err = db.RevokeShare(ctx, c.owner(), c.ID, actor())
			return err
		})
	}
	if err != nil {
		return callmodel.Errorf(callmodel.CodeOf(err), "share %s: %w", c.ID, err)
	}
	if c.JSON {
		return s.JSON(h)
	}
	s.Printf("%s is %s\n", h.ID, h.State)
	return nil
}
