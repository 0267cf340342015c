package main

import (
	"context"
	"os/user"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/cmd/internal/cli"
	"github.com/switchtape/switchtape/storage/calldb"
)

type jobsCommand struct {
	List       jobsList       `cmd:"" help:"List jobs, oldest first."`
	Add        jobsAdd        `cmd:"" help:"Have a job done: verify, transcode, export, rewrap or command."`
	Show       jobsShow       `cmd:"" help:"Show one job."`
	Retry      jobsRetry      `cmd:"" help:"Put jobs back in the queue that are quarantined, absent or degraded, or of which their kind says that more can come. What was made stays until a later version loses nothing of it."`
	Queues     jobsQueues     `cmd:"" help:"List the queues that jobs wait or run in or that workers serve, by whom and since when."`
	Move       jobsMove       `cmd:"" help:"Move waiting and quarantined jobs to another queue."`
	Quarantine jobsQuarantine `cmd:"" help:"Set a queued or running job aside."`
}

type jobsOptions struct{ timedOptions }

type jobsList struct {
	jobsOptions
	apiOptions
	jobsWhich
	State string `help:"Only jobs in this state: queued, running, done or quarantined." enum:"queued,running,done,quarantined," default:""`
	Limit int    `help:"At most so many, up to 1000." default:"100"`
	After string `help:"Continue behind this job." placeholder:"ID"`
}

func (c *jobsList) Run(ctx context.Context, s cli.Streams) error {
	if c.API != "" {
		return c.ask(ctx, s)
	}
	return c.with(ctx, func(ctx context.Context, db *calldb.DB) error {
		f := c.filter()
		f.State, f.Limit, f.After = ledger.State(c.State), c.Limit, callmodel.JobID(c.After)
		jobs, err := db.Jobs(ctx, f)
		if err != nil {
			return err
		}
		return c.printList(s, jobs)
	})
}

func (c *jobsList) printList(s cli.Streams, jobs []ledger.Job) error {
	if c.JSON {
		if jobs == nil {
			jobs = []ledger.Job{}
		}
		return s.JSON(struct {
			Jobs []ledger.Job `json:"jobs"`
		}{jobs})
	}
	for i := range jobs {
		j := &jobs[i]
		s.Printf("%s  %-11s  %s  %s  attempts %d  %s\n", j.ID, j.State, j.CreatedAt.Format(time.RFC3339), about(j), j.Attempts, notes(j))
	}
	return nil
}

// about is what the job is about: the call of a recording; of another kind of job
// the kind and the key, too.
func about(j *ledger.Job) string {
	if j.Kind == record.Kind {
		return string(j.TenantID) + "/" + string(j.CallID)
	}
	return string(j.TenantID) + "/" + string(j.CallID) + " (" + j.Kind + " " + j.Key + ")"
}

// notes is what else there is to say of a job in a line: that its recording is
// there already, and why it isn't done.
func notes(j *ledger.Job) string {
	if !j.Published {
		return j.LastError
	}
	note := "published"
	if j.State == ledger.Queued {
		note += ", again at " + j.RunAt.Format(time.RFC3339)
	}
	if j.LastError != "" {
		note += ": " + j.LastError
	}
	return note
}

type jobsShow struct {
	jobsOptions
	apiOptions
	ID string `arg:"" help:"The job."`
}

func (c *jobsShow) Run(ctx context.Context, s cli.Streams) error {
	if c.API != "" {
		return c.ask(ctx, s)
	}
	return c.with(ctx, func(ctx context.Context, db *calldb.DB) error { return c.print(ctx, s, db, c.ID) })
}

func (o *jobsOptions) print(ctx context.Context, s cli.Streams, db *calldb.DB, id string) error {
	j, err := db.Job(ctx, callmodel.JobID(id))
	if err != nil {
		return callmodel.Errorf(callmodel.CodeOf(err), "job %s: %w", id, err)
	}
	return o.printJob(s, j)
}

func (o *jobsOptions) printJob(s cli.Streams, j ledger.Job) error {
	if o.JSON {
		return s.JSON(j)
	}
	s.Printf("job %s\n  state       %s\n  queue       %s, priority %d\n  call        %s\n  attempts    %d\n",
		j.ID, j.State, j.Queue, j.Priority, about(&j), j.Attempts)
	if j.LastError != "" {
		s.Printf("  last error  %s\n", j.LastError)
	}
	if j.State == ledger.Queued {
		s.Printf("  not before  %s\n", j.RunAt.Format(time.RFC3339))
	}
	if j.Published && j.Kind == record.Kind {
		s.Printf("  published   the recording below is on the call; %s\n", map[ledger.State]string{
			ledger.Queued:      "a longer one takes its place once its legs are whole",
			ledger.Running:     "a longer one takes its place once its legs are whole",
			ledger.Quarantined: "it stays there, and a retry looks at its legs again",
		}[j.State])
	}
	printOutcome(s, &j)
	return nil
}

// printOutcome prints what the job came to so far, in the form of its kind.
func printOutcome(s cli.Streams, j *ledger.Job) {
	if j.Result == nil {
		return
	}
	if r, err := record.ResultOf(j); j.Kind == record.Kind && err == nil {
		printResult(s, r)
		return
	}
	s.Printf("  result      %s\n", j.Result)
}

type jobsQuarantine struct {
	jobsOptions
	apiOptions
	ID     string `arg:"" help:"The job."`
	Reason string `help:"Why, for the audit log." required:""`
}

func (c *jobsQuarantine) Run(ctx context.Context, s cli.Streams) error {
	if c.API != "" {
		return c.ask(ctx, s)
	}
	return c.with(ctx, func(ctx context.Context, db *calldb.DB) error {
		if err := db.Quarantine(ctx, callmodel.JobID(c.ID), actor(), c.Reason); err != nil {
			return callmodel.Errorf(callmodel.CodeOf(err), "job %s: %w", c.ID, err)
		}
		return c.print(ctx, s, db, c.ID)
	})
}

// actor is who the audit log says it was.
func actor() string {
	if u, err := user.Current(); err == nil && u.Username != "" {
		return u.Username
	}
	return "operator"
}
