package main

import (
	"context"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/cmd/internal/cli"
	"github.com/switchtape/switchtape/recording/recordinghttp"
	"github.com/switchtape/switchtape/storage/calldb"
)

type jobsQueues struct {
	jobsOptions
	apiOptions
	Tenant string `help:"Count only jobs of this tenant." placeholder:"TENANT"`
	Limit  int    `help:"At most so many queues, up to 1000: those whose jobs wait longest first, and those without jobs last." default:"100"`
}

func (c *jobsQueues) Run(ctx context.Context, s cli.Streams) error {
	if c.API != "" {
		return c.ask(ctx, s)
	}
	return c.with(ctx, func(ctx context.Context, db *calldb.DB) error {
		queues, err := recordinghttp.QueuesOf(ctx, db, ledger.QueueFilter{TenantID: callmodel.TenantID(c.Tenant), Limit: c.Limit}, "")
		if err != nil {
			return err
		}
		return c.printQueues(s, queues)
	})
}

func (c *jobsQueues) printQueues(s cli.Streams, queues []recordinghttp.Queue) error {
	if c.JSON {
		return s.JSON(struct {
			Queues []recordinghttp.Queue `json:"queues"`
		}{queues})
	}
	t := tabwriter.NewWriter(s.Out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "QUEUE\tKIND\tWAITING\tDUE\tRUNNING\tOLDEST\tWORKERS\t")
	for i := range queues {
		q := &queues[i]
		note, kind := servers(q), q.Kind
		if q.Unserved {
			note = "nobody serves it"
		}
		if kind == "" {
			kind = "-"
		}
		oldest := time.Duration(q.OldestDueS * float64(time.Second)).Round(time.Second)
		fmt.Fprintf(t, "%s\t%s\t%d\t%d\t%d\t%s\t%d\t%s\n", q.Queue, kind, q.Waiting, q.Due, q.Running, oldest, q.Workers, note)
	}
	return t.Flush()
}

// servers says who serves the queue, and since when.
func servers(q *recordinghttp.Queue) string {
	const most = 3
	var text []string
	for _, by := range q.ServedBy[:min(len(q.ServedBy), most)] {
		text = append(text, by.Name+" since "+by.Since.UTC().Format(time.RFC3339))
	}
	if more := q.Workers - len(text); more > 0 && len(text) > 0 {
		text = append(text, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(text, ", ")
}

type jobsMove struct {
	jobsOptions
	apiOptions
	From   string `help:"The queue that they wait in." placeholder:"QUEUE" required:""`
	To     string `help:"The queue that they are to wait in." placeholder:"QUEUE" required:""`
	Tenant string `help:"Only jobs of this tenant." placeholder:"TENANT"`
	Kind   string `help:"Only jobs of this kind: record, for recordings." placeholder:"KIND"`
	State  string `help:"Only jobs in this state: queued or quarantined. Default: both." enum:"queued,quarantined," default:""`
	Limit  int    `help:"At most so many." default:"10000"`
	DryRun bool   `help:"Only say which they are."`
}

func (c *jobsMove) Run(ctx context.Context, s cli.Streams) error {
	if c.Limit < 1 {
		return cli.Usagef("--limit must be 1 or more")
	}
	if c.API != "" {
		return c.ask(ctx, s)
	}
	return c.with(ctx, func(ctx context.Context, db *calldb.DB) error {
		done, err := recordinghttp.MoveMany(ctx, db, ledger.Filter{
			Queue: c.From, TenantID: callmodel.TenantID(c.Tenant), Kind: c.Kind, State: ledger.State(c.State), Limit: c.Limit,
		}, c.To, actor(), c.DryRun)
		if err == nil || len(done.Jobs) > 0 {
			c.printChanged(s, done, "moved")
		}
		return err
	})
}
