package main

import (
	"context"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/cmd/internal/cli"
	"github.com/switchtape/switchtape/recording/recordinghttp"
	"github.com/switchtape/switchtape/storage/calldb"
)

// jobsWhich selects jobs by what they came to.
type jobsWhich struct {
	Status string    `help:"Only jobs that came to this: completed, completed_degraded, absent or quarantined." enum:"completed,completed_degraded,absent,quarantined," default:""`
	Code   string    `help:"Only jobs with this defect or reason, as leg_missing or no_media." placeholder:"CODE"`
	Queue  string    `help:"Only jobs of this queue." placeholder:"HOST"`
	Tenant string    `help:"Only jobs of this tenant." placeholder:"TENANT"`
	Kind   string    `help:"Only jobs of this kind: record, for recordings, verify, transcode, export, rewrap, command, or one of a program's own." placeholder:"KIND"`
	Since  time.Time `help:"Only jobs enqueued then or later, as 2026-01-31T15:04:05Z." placeholder:"TIME" optional:""`
	Until  time.Time `help:"Only jobs enqueued before." placeholder:"TIME" optional:""`
}

func (w *jobsWhich) filter() ledger.Filter {
	return ledger.Filter{
		Status: w.Status, Code: w.Code, Queue: w.Queue, TenantID: callmodel.TenantID(w.Tenant), Kind: w.Kind, Since: w.Since, Until: w.Until,
	}
}

type jobsRetry struct {
	jobsOptions
	apiOptions
	jobsWhich
	IDs    []string `arg:"" optional:"" name:"id" help:"The jobs; none: those that the flags select, of which --status or --code is needed."`
	Limit  int      `help:"At most so many of those that the flags select." default:"1000"`
	DryRun bool     `help:"Only say which they are."`
}

func (c *jobsRetry) Run(ctx context.Context, s cli.Streams) error {
	selected := c.jobsWhich != jobsWhich{}
	switch {
	case len(c.IDs) > 0 && selected:
		return cli.Usagef("give ids, or flags that select jobs, not both")
	case len(c.IDs) == 0 && c.Status == "" && c.Code == "":
		return cli.Usagef("say which jobs: by their ids, or by --status or --code")
	case c.Limit < 1:
		return cli.Usagef("--limit must be 1 or more")
	}
	if c.API != "" {
		return c.ask(ctx, s)
	}
	return c.with(ctx, func(ctx context.Context, db *calldb.DB) error {
		if len(c.IDs) == 0 {
			f := c.filter()
			f.Limit = c.Limit
			done, err := recordinghttp.RetryMany(ctx, db, f, actor(), c.DryRun)
			if err == nil || len(done.Jobs) > 0 {
				c.printChanged(s, done, "put back")
			}
			return err
		}
		done := recordinghttp.Changed{Jobs: []callmodel.JobID{}, DryRun: c.DryRun}
		for _, id := range c.IDs {
			if err := c.retry(ctx, db, callmodel.JobID(id)); err != nil {
				if len(done.Jobs) > 0 {
					c.printChanged(s, done, "put back")
				}
				return callmodel.Errorf(callmodel.CodeOf(err), "job %s: %w", id, err)
			}
			done.Jobs = append(done.Jobs, callmodel.JobID(id))
		}
		if len(c.IDs) == 1 && !c.DryRun {
			return c.print(ctx, s, db, c.IDs[0])
		}
		c.printChanged(s, done, "put back")
		return nil
	})
}

// retry puts the job back, or looks whether it is there.
func (c *jobsRetry) retry(ctx context.Context, db *calldb.DB, id callmodel.JobID) error {
	if c.DryRun {
		_, err := db.Job(ctx, id)
		return err
	}
	return db.Retry(ctx, id, actor())
}

func (o *jobsOptions) printChanged(s cli.Streams, m recordinghttp.Changed, did string) {
	if o.JSON {
		_ = s.JSON(m) // as every print to a closed pipe
		return
	}
	for _, id := range m.Jobs {
		s.Printf("%s\n", id)
	}
	if m.DryRun {
		did = "would be " + did
	}
	s.Printf("%d %s\n", len(m.Jobs), did)
	if m.More {
		s.Printf("there are more; raise --limit, or run it again\n")
	}
}
