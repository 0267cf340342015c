package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/cmd/apiclient"
	"github.com/switchtape/switchtape/cmd/internal/cli"
	"github.com/switchtape/switchtape/cmd/internal/service"
	"github.com/switchtape/switchtape/storage/calldb"
)

type jobsAdd struct {
	jobsOptions
	apiOptions
	Kind     string `arg:"" help:"The kind: verify, transcode, export, rewrap or command."`
	Key      string `help:"The job's own among those of its kind: the same key again gives the same job." required:"" placeholder:"KEY"`
	Payload  string `help:"What to do, as JSON in the form of the kind; @FILE reads it from a file, - from standard input." required:"" placeholder:"JSON"`
	Call     string `help:"The call that it is about." placeholder:"ID"`
	Tenant   string `help:"Whose job it is, with --db. Default: default." placeholder:"TENANT"`
	Queue    string `help:"Which workers do it. Default: default." placeholder:"QUEUE"`
	Priority int    `help:"0 to 9: higher first, among the tenant's jobs." default:"0"`
}

// Help shows the payload of each kind.
func (*jobsAdd) Help() string {
	return `The payload of each kind, by an example:

    verify: {"recording":{"call_id":"call-1"}}
    transcode: {"recording":{"call_id":"call-1"},"outputs":[{"codec":"mp3","layout":"mono"}]}
    export: {"call_id":"call-1"}
    rewrap: {"recording":{"call_id":"call-1"}}
    command: {"command":"transcribe","recording":{"call_id":"call-1"}}

A recording is named by its call_id, with a recording_id if the call has several, or by the job_id that made it. A command is one of the worker's: --command transcribe=/opt/stt/run.`
}

// added is what is said of a job that was enqueued.
type added struct {
	JobID   callmodel.JobID `json:"job_id"`
	Kind    string          `json:"kind"`
	Key     string          `json:"key"`
	Created bool            `json:"created"`
}

func (c *jobsAdd) Run(ctx context.Context, s cli.Streams) error {
	payload, err := c.payload(os.Stdin)
	if err != nil {
		return err
	}
	if c.API != "" {
		return c.ask(ctx, s, payload)
	}
	kinds, err := service.Enqueued()
	if err != nil {
		return err
	}
	r := ledger.Request{
		Kind: c.Kind, TenantID: cmp.Or(callmodel.TenantID(c.Tenant), service.DefaultTenant), CallID: callmodel.CallID(c.Call), Key: c.Key,
		Payload: payload, Queue: c.Queue, Priority: c.Priority, Actor: actor(),
	}
	if err := kinds.Check(&r); err != nil {
		return err
	}
	return c.with(ctx, func(ctx context.Context, db *calldb.DB) error {
		id, created, err := db.Enqueue(ctx, r)
		if err != nil {
			return err
		}
		return c.say(s, added{JobID: id, Kind: c.Kind, Key: c.Key, Created: created})
	})
}

// payload is the job's, from where the flag says.
func (c *jobsAdd) payload(stdin io.Reader) (json.RawMessage, error) {
	b := []byte(c.Payload)
	var err error
	if name, ok := strings.CutPrefix(c.Payload, "@"); ok {
		b, err = os.ReadFile(name) //nolint:gosec // the user's own
	} else if c.Payload == "-" {
		b, err = io.ReadAll(io.LimitReader(stdin, ledger.MaxPayload+1))
	}
	if err != nil {
		return nil, fmt.Errorf("--payload: %w", err)
	}
	if !json.Valid(b) {
		return nil, cli.Usagef("--payload is not JSON")
	}
	return b, nil
}

// ask is Run with an API.
func (c *jobsAdd) ask(ctx context.Context, s cli.Streams, payload json.RawMessage) error {
	if err := (&jobsWhich{Tenant: c.Tenant}).onlyLedger(c.DB); err != nil {
		return err
	}
	api, err := c.client()
	if err != nil {
		return err
	}
	var doc map[string]any
	if err := json.Unmarshal(payload, &doc); err != nil {
		return cli.Usagef("--payload must be a JSON object")
	}
	job, _, err := answered[added](api.AddJobWithResponse(ctx, apiclient.JobRequest{
		Kind: c.Kind, Key: c.Key, Payload: doc, CallId: given(c.Call), Queue: given(c.Queue), Priority: &c.Priority,
	}))
	if err != nil {
		return err
	}
	return c.say(s, job)
}

func (c *jobsAdd) say(s cli.Streams, job added) error {
	if c.JSON {
		return s.JSON(job)
	}
	note := ""
	if !job.Created {
		note = "  it was there already"
	}
	s.Printf("%s%s\n", job.JobID, note)
	return nil
}
