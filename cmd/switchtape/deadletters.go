package main

import (
	"context"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/deadletter"
	"github.com/switchtape/switchtape/cmd/internal/cli"
	"github.com/switchtape/switchtape/cmd/internal/service"
	"github.com/switchtape/switchtape/recording/recordinghttp"
	"github.com/switchtape/switchtape/storage/calldb"
)

type deadLettersCommand struct {
	List    lettersList    `cmd:"" help:"List dead letters, oldest first."`
	Show    lettersShow    `cmd:"" help:"Show a dead letter, with what the message says."`
	Replay  lettersReplay  `cmd:"" help:"Take dead letters, through the same check as any message. However often it is done, there is one job of each."`
	Discard lettersDiscard `cmd:"" help:"Let dead letters go."`
}

type lettersOptions struct {
	timedOptions
	apiOptions
}

type lettersList struct {
	lettersOptions
	Tenant string `help:"Only this tenant's. Default: all, those of nobody included; with an API those of its key's tenant." placeholder:"TENANT"`
	State  string `help:"Only those in this state: waiting, replayed or discarded." enum:"waiting,replayed,discarded," default:""`
	Limit  int    `help:"At most so many, up to 500." default:"100"`
	After  string `help:"Continue behind this one." placeholder:"ID"`
}

func (c *lettersList) Run(ctx context.Context, s cli.Streams) error {
	if c.API != "" {
		return c.ask(ctx, s)
	}
	return c.with(ctx, func(ctx context.Context, db *calldb.DB) error {
		page, err := recordinghttp.LetterPage(ctx, db, deadletter.Filter{
			TenantID: callmodel.TenantID(c.Tenant), State: deadletter.State(c.State), After: deadletter.ID(c.After), Limit: min(c.Limit, maxAsked),
		})
		if err != nil {
			return err
		}
		return c.print(s, &page)
	})
}

func (c *lettersList) print(s cli.Streams, page *deadletter.Page) error {
	if c.JSON {
		return s.JSON(page)
	}
	for i := range page.Letters {
		l := &page.Letters[i]
		s.Printf("%s  %-9s  %s  %s  %s  %s\n", l.ID, l.State, l.At.Format(time.RFC3339), tenantOf(l), l.Code, l.Reason)
	}
	if page.Next != "" {
		s.Printf("there are more: --after %s\n", page.Next)
	}
	return nil
}

// tenantOf is whose the letter is.
func tenantOf(l *deadletter.Letter) string {
	if l.TenantID == "" {
		return "(nobody's)"
	}
	return string(l.TenantID)
}

type lettersShow struct {
	lettersOptions
	ID string `arg:"" help:"The dead letter."`
}

func (c *lettersShow) Run(ctx context.Context, s cli.Streams) error {
	if c.API != "" {
		return c.ask(ctx, s)
	}
	return c.with(ctx, func(ctx context.Context, db *calldb.DB) error {
		l, err := db.Letter(ctx, "", deadletter.ID(c.ID))
		if err != nil {
			return ofLetter(c.ID, err)
		}
		return c.print(s, &l)
	})
}

func (o *lettersOptions) print(s cli.Streams, l *deadletter.Letter) error {
	if o.JSON {
		return s.JSON(l)
	}
	s.Printf("dead letter %s\n  state    %s\n  tenant   %s\n  source   %s\n  message  %s\n  kind     %s\n  at       %s\n  reason   %s: %s\n",
		l.ID, l.State, tenantOf(l), l.Source, l.MessageID, l.Kind, l.At.Format(time.RFC3339), l.Code, l.Reason)
	if l.State != deadletter.Waiting {
		s.Printf("  settled  %s by %s\n", l.SettledAt.Format(time.RFC3339), l.SettledBy)
	}
	if l.JobID != "" {
		s.Printf("  job      %s\n", l.JobID)
	}
	cut := ""
	if l.Cut() {
		cut = ", of which the beginning is kept"
	}
	s.Printf("  bytes    %d%s\n%s\n", l.Bytes, cut, l.Body())
	return nil
}

// ofLetter says of which dead letter the error is.
func ofLetter(id string, err error) error {
	if err == nil {
		return nil
	}
	return callmodel.Errorf(callmodel.CodeOf(err), "dead letter %s: %w", id, err)
}

// each runs do for every id and prints what came of it. The first error ends it.
func (o *lettersOptions) each(s cli.Streams, ids []string, do func(id deadletter.ID) (deadletter.Letter, error)) error {
	for _, id := range ids {
		l, err := do(deadletter.ID(id))
		if err != nil {
			return ofLetter(id, err)
		}
		if o.JSON {
			err = s.JSON(&l)
		} else {
			s.Printf("%s  %s  %s\n", l.ID, l.State, l.JobID)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

type lettersReplay struct {
	lettersOptions
	service.LegOptions
	Tenant string   `help:"Whose those are that are nobody's." placeholder:"TENANT"`
	IDs    []string `arg:"" name:"id" help:"The dead letters."`
}

func (c *lettersReplay) Run(ctx context.Context, s cli.Streams) error {
	if c.API != "" {
		return c.ask(ctx, s)
	}
	if c.DB != "" && len(c.LegsOf) == 0 {
		return cli.Usagef("--legs-of is missing: say in which directories the tenants' legs are, as the services do: '*={tenant}', or '*=.' if all are one tenant's")
	}
	door, err := service.NewDoor(c.LegOptions, 1, nil)
	if err != nil {
		return err
	}
	return c.with(ctx, func(ctx context.Context, db *calldb.DB) error {
		return c.each(s, c.IDs, func(id deadletter.ID) (deadletter.Letter, error) {
			return door.Replay(ctx, db, db, "", callmodel.TenantID(c.Tenant), id, actor())
		})
	})
}

type lettersDiscard struct {
	lettersOptions
	IDs []string `arg:"" name:"id" help:"The dead letters."`
}

func (c *lettersDiscard) Run(ctx context.Context, s cli.Streams) error {
	if c.API != "" {
		return c.ask(ctx, s)
	}
	return c.with(ctx, func(ctx context.Context, db *calldb.DB) error {
		return c.each(s, c.IDs, func(id deadletter.ID) (deadletter.Letter, error) {
			return db.SettleLetter(ctx, deadletter.Settle{ID: id, State: deadletter.Discarded, Actor: actor()})
		})
	})
}
