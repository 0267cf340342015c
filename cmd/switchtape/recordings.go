package main

import (
	"cmp"
	"context"
	"math"
	"strings"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/callmodel/retention"
	"github.com/switchtape/switchtape/cmd/apiclient"
	"github.com/switchtape/switchtape/cmd/internal/cli"
	"github.com/switchtape/switchtape/recording/erasure"
	"github.com/switchtape/switchtape/storage/calldb"
)

type recordingsCommand struct {
	Erase    recordingsErase    `cmd:"" help:"Delete recordings for good, with all that there is of them: objects, older versions, copies, legs. What was where stays."`
	Redact   recordingsRedact   `cmd:"" help:"Redact ranges of a recording, of all parties or of some, and delete what it was before."`
	Erasures recordingsErasures `cmd:"" help:"Show what was deleted of a recording: what was where, when it was gone, for whom and why; and what is asked for and not done, with what it waits for."`
}

// orders enqueues a job that deletes.
type orders struct {
	timedOptions
	apiOptions
	Reason string `help:"Why, for the audit log." required:""`
}

// ordered is a job that was enqueued.
type ordered struct {
	JobID   callmodel.JobID `json:"job_id"`
	Kind    string          `json:"kind"`
	Key     string          `json:"key"`
	Created bool            `json:"created"`
}

func (o *orders) print(s cli.Streams, id string, done *ordered) error {
	if o.JSON {
		return s.JSON(done)
	}
	s.Printf("%s  %s by job %s\n", id, done.Kind, done.JobID)
	return nil
}

// enqueue enqueues what make makes of the recording's job, unless it is held.
func (o *orders) enqueue(ctx context.Context, db *calldb.DB, id string, order func(*ledger.Job) (ledger.Request, error)) (done ordered, err error) {
	j, err := db.Job(ctx, callmodel.JobID(id))
	if err == nil && j.Kind != record.Kind {
		err = callmodel.Errorf(callmodel.CodeInvalid, "it is of the kind %s, and makes no recording", j.Kind)
	}
	if err != nil {
		return done, err
	}
	held, err := db.HeldBy(ctx, retention.Recording{TenantID: j.TenantID, CallID: j.CallID, RecordingID: callmodel.RecordingID(j.Key)})
	if err != nil {
		return done, err
	}
	if held != nil {
		return done, held
	}
	r, err := order(&j)
	if err != nil {
		return done, err
	}
	done.Kind, done.Key = r.Kind, r.Key
	done.JobID, done.Created, err = db.Enqueue(ctx, r)
	return done, err
}

// ofRecording says of which recording the error is.
func ofRecording(id string, err error) error {
	return callmodel.Errorf(callmodel.CodeOf(err), "the recording of job %s: %w", id, err)
}

type recordingsErase struct {
	orders
	IDs []string `arg:"" name:"job" help:"The jobs that made the recordings."`
}

func (c *recordingsErase) Run(ctx context.Context, s cli.Streams) error {
	var api *apiclient.ClientWithResponses
	if c.API != "" {
		if c.DB != "" {
			return errBoth()
		}
		var err error
		if api, err = c.client(); err != nil {
			return err
		}
		for _, id := range c.IDs {
			done, _, err := answered[ordered](api.EraseRecordingWithResponse(ctx, id, apiclient.ReasonRequest{Reason: c.Reason}))
			if err != nil {
				return ofRecording(id, err)
			}
			if err := c.print(s, id, &done); err != nil {
				return err
			}
		}
		return nil
	}
	return c.with(ctx, func(ctx context.Context, db *calldb.DB) error {
		for _, id := range c.IDs {
			done, err := c.enqueue(ctx, db, id, func(j *ledger.Job) (ledger.Request, error) { return erasure.Job(j, c.Reason, actor()) })
			if err != nil {
				return ofRecording(id, err)
			}
			if err := c.print(s, id, &done); err != nil {
				return err
			}
		}
		return nil
	})
}

type recordingsRedact struct {
	orders
	ID    string   `arg:"" name:"job" help:"The job that made the recording."`
	Range []string `help:"A range of the call, as 61s-74.5s. May be given again." placeholder:"FROM-TO" required:""`
	Legs  []string `help:"The parties to redact. Default: all." placeholder:"NAME"`
	With  string   `help:"What takes its place: silence or tone." enum:"silence,tone" default:"silence"`
}

// redactions are the ranges that were asked for.
func (c *recordingsRedact) redactions() (list []record.Redaction, err error) {
	for _, s := range c.Range {
		from, to, _ := strings.Cut(s, "-")
		r := record.Redaction{Legs: c.Legs, With: c.With}
		if r.From, err = time.ParseDuration(from); err == nil {
			r.To, err = time.ParseDuration(to)
		}
		if err != nil {
			return nil, cli.Usagef("--range %s: give the beginning and the end, as 61s-74.5s", s)
		}
		list = append(list, r)
	}
	return list, nil
}

// outward is the range in milliseconds, as the client writes numbers: never shorter than it is.
func outward(from, to time.Duration) (fromMS, toMS float32) {
	begin, end := math.Floor(float64(from)/1e6), math.Ceil(float64(to)/1e6)
	if fromMS = float32(begin); float64(fromMS) > begin {
		fromMS = math.Nextafter32(fromMS, 0)
	}
	if toMS = float32(end); float64(toMS) < end {
		toMS = math.Nextafter32(toMS, math.MaxFloat32)
	}
	return fromMS, toMS
}

func (c *recordingsRedact) Run(ctx context.Context, s cli.Streams) error {
	list, err := c.redactions()
	if err != nil {
		return err
	}
	if c.API != "" {
		if c.DB != "" {
			return errBoth()
		}
		api, err := c.client()
		if err != nil {
			return err
		}
		body := apiclient.RedactRequest{Reason: c.Reason}
		for _, r := range list {
			from, to := outward(r.From, r.To)
			one := apiclient.Redaction{FromMs: &from, ToMs: to, With: given(apiclient.RedactionWith(r.With))}
			if len(r.Legs) > 0 {
				one.Legs = &r.Legs
			}
			body.Redactions = append(body.Redactions, one)
		}
		done, _, err := answered[ordered](api.RedactRecordingWithResponse(ctx, c.ID, body))
		if err != nil {
			return ofRecording(c.ID, err)
		}
		return c.print(s, c.ID, &done)
	}
	return c.with(ctx, func(ctx context.Context, db *calldb.DB) error {
		done, err := c.enqueue(ctx, db, c.ID, func(j *ledger.Job) (ledger.Request, error) {
			order, err := erasure.RedactionJob(j, list, c.Reason, actor())
			if err == nil {
				err = erasure.CheckRedaction(ctx, db, j, list)
			}
			return order, err
		})
		if err != nil {
			return ofRecording(c.ID, err)
		}
		return c.print(s, c.ID, &done)
	})
}

type recordingsErasures struct {
	timedOptions
	apiOptions
	ID string `arg:"" name:"job" help:"The job that made the recording."`
}

// erasures is the answer of an API.
type erasures struct {
	Erasures []retention.Erasure `json:"erasures"`
	Orders   []erasure.Order     `json:"orders"`
}

func (c *recordingsErasures) Run(ctx context.Context, s cli.Streams) error {
	if c.API != "" {
		if c.DB != "" {
			return errBoth()
		}
		api, err := c.client()
		if err != nil {
			return err
		}
		list, _, err := answered[erasures](api.ListErasuresWithResponse(ctx, c.ID))
		if err != nil {
			return ofRecording(c.ID, err)
		}
		return c.print(s, &list)
	}
	return c.with(ctx, func(ctx context.Context, db *calldb.DB) error {
		j, err := db.Job(ctx, callmodel.JobID(c.ID))
		if err != nil {
			return ofRecording(c.ID, err)
		}
		list, err := db.Erasures(ctx, j.TenantID, callmodel.RecordingID(j.Key))
		if err != nil {
			return err
		}
		orders, err := erasure.Orders(ctx, db, &j)
		if err != nil {
			return err
		}
		return c.print(s, &erasures{list, orders})
	})
}

// encryptedWord tells an object whose bytes are encrypted.
func encryptedWord(o *retention.Object) string {
	if o.Encrypted {
		return " encrypted"
	}
	return ""
}

// hashless says why an object has no hash.
func hashless(o *retention.Object) string {
	switch {
	case o.Mark:
		return "none: the mark of a deletion"
	case o.NotRead != "":
		return "none: " + o.NotRead
	}
	return "none"
}

func (c *recordingsErasures) print(s cli.Streams, list *erasures) error {
	if c.JSON {
		return s.JSON(list)
	}
	for i := range list.Erasures {
		e := &list.Erasures[i]
		s.Printf("%s  %s  begun %s for %s: %s\n", e.Kind, e.State, e.BegunAt.Format(time.RFC3339), e.Actor, e.Reason)
		for k := range e.Objects {
			o := &e.Objects[k]
			s.Printf("  %s/%s  %d bytes%s  version %q  sha256 %s", o.Bucket, o.Key, o.Bytes, encryptedWord(o), o.Version, cmp.Or(o.SHA256, hashless(o)))
			if n := o.Ledger; n != nil && (n.SHA256 != o.SHA256 || n.Bytes != o.Bytes) {
				s.Printf("  the ledger: %d bytes  sha256 %s", n.Bytes, n.SHA256)
			}
			s.Printf("\n")
		}
		for k := range e.Legs {
			s.Printf("  leg %s  %d files %s  sha256 %s\n", e.Legs[k].Name, e.Legs[k].Files, e.Legs[k].End, e.Legs[k].SHA256)
		}
		if e.State == retention.Done {
			s.Printf("  gone since %s\n", e.DoneAt.Format(time.RFC3339))
		}
	}
	for i := range list.Orders {
		o := &list.Orders[i]
		s.Printf("%s  %s  job %s of %s for %s: %s\n", o.Kind, o.State, o.JobID, o.OrderedAt.Format(time.RFC3339), o.Actor, o.Reason)
		if o.Error != "" {
			s.Printf("  %s\n", o.Error)
		}
		s.Printf("  %s\n", o.Help)
	}
	return nil
}
