package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/cmd/apiclient"
	"github.com/switchtape/switchtape/cmd/internal/cli"
	"github.com/switchtape/switchtape/cmd/internal/cli/progress"
	"github.com/switchtape/switchtape/cmd/internal/service"
	"github.com/switchtape/switchtape/recording"
	"github.com/switchtape/switchtape/recording/audio"
	"github.com/switchtape/switchtape/recording/codec"
	"github.com/switchtape/switchtape/recording/intake/spool"
	"github.com/switchtape/switchtape/storage/calldb"
)

type adoptCommand struct {
	databaseOptions
	apiOptions
	service.EncryptionOptions

	Dir      string            `arg:"" help:"Directory with the legs of calls, as a telephone server left them; or the bucket (URL) with finished recordings, as --bucket of the API that is to serve them." placeholder:"DIR|URL"`
	Prefix   string            `help:"Of a bucket only what is below this." placeholder:"DIR/"`
	Legs     string            `help:"The directory that the workers take legs from: DIR is in it, or is it. Default: DIR." type:"existingdir" placeholder:"DIR"`
	Pattern  string            `help:"How the files are named: asterisk, freeswitch, fusionpbx, rtpengine, vicidial, or a pattern like {call}-{leg:in|out}.wav. Default: it is learned from the names." placeholder:"PATTERN"`
	Tenant   string            `help:"Whose the calls are. With --api the key's." default:"default" placeholder:"TENANT"`
	Tenants  map[string]string `help:"Whose they are by what stands for {tenant} in the names." placeholder:"NAME=TENANT" mapsep:"none"`
	Queue    string            `help:"Queue of the jobs: the host whose workers have the legs." default:"default" placeholder:"HOST"`
	Software string            `name:"host-software" help:"Name and version of the software that left them, like 'Asterisk 20.9.1': known faults are counted by it." placeholder:"NAME"`
	Zone     string            `help:"Time zone of the times in names." default:"UTC" placeholder:"ZONE"`
	Codec    string            `help:"Codec of the recordings." default:"mp3" enum:"mp3,wav,mulaw,alaw,flac"`
	Layout   string            `help:"Their layout: mono, stereo or multichannel. Default: what fits the number of legs." enum:"mono,stereo,multichannel," default:""`
	Yes      bool              `help:"Have the recordings made. Without it nothing is done."`
}

// adoption is what adopt --json prints.
type adoption struct {
	Naming  string          `json:"naming"`
	Calls   []adoptedCall   `json:"calls"`
	LeftOut []spool.LeftOut `json:"left_out"`
	// Adopted says that the calls have jobs now, and not only could have.
	Adopted bool `json:"adopted"`
}

// adoptedCall is a call that has a recording made, or could.
type adoptedCall struct {
	TenantID    callmodel.TenantID    `json:"tenant_id"`
	CallID      callmodel.CallID      `json:"call_id"`
	RecordingID callmodel.RecordingID `json:"recording_id"`
	StartedAt   time.Time             `json:"started_at"`
	Legs        []record.LegSpec      `json:"legs,omitempty"`
	Manifest    string                `json:"manifest,omitempty"` // of a recording that Switchtape has made
	JobID       callmodel.JobID       `json:"job_id,omitempty"`
}

// adopter is where the jobs are put.
type adopter interface {
	// has reports whether the recording has a job already.
	has(ctx context.Context, f *spool.Found) (bool, error)
	// put has it made; created is false if it had a job already.
	put(ctx context.Context, f *spool.Found) (id callmodel.JobID, created bool, err error)
	// jobs is a jobsPage.
	jobs(ctx context.Context, tenant callmodel.TenantID, after callmodel.JobID) ([]ledger.Job, callmodel.JobID, error)
}

// Run says what recordings can be made of the directory, and with --yes has them made.
func (c *adoptCommand) Run(ctx context.Context, s cli.Streams) error {
	if strings.Contains(c.Dir, "://") {
		return c.adoptBucket(ctx, s)
	}
	var err error
	if c.Dir, err = filepath.Abs(c.Dir); err != nil {
		return err
	}
	if c.Prefix != "" {
		return cli.Usagef("--prefix is of a bucket; name the directory itself")
	}
	o, err := c.options()
	if err != nil {
		return err
	}
	found, err := spool.SurveyDir(ctx, c.Dir, &o, audioOf(recording.BuiltinCodecs()))
	if faults, given := errors.AsType[callmodel.FieldErrors](err); given {
		return cli.Usagef("the files are named as %s: %w", cmp.Or(c.Pattern, found.Naming), faults)
	}
	if err != nil {
		return err
	}
	if len(found.Candidates) > 0 {
		return inDoubt(c.Dir, found.Candidates)
	}
	if c.Pattern != "" {
		found.Naming = c.Pattern
	}
	switch {
	case c.DB != "" && c.API != "":
		return errBoth()
	case c.API != "":
		api, err := c.client()
		if err != nil {
			return err
		}
		return c.adopt(ctx, s, &found, apiAdopter{api})
	case c.DB != "":
		return c.with(ctx, func(ctx context.Context, db *calldb.DB) error { return c.adopt(ctx, s, &found, dbAdopter{db}) })
	case c.Yes:
		return cli.Usagef("--yes needs --db or --api, to put the jobs in")
	}
	return c.adopt(ctx, s, &found, nil)
}

// inDoubt asks for the naming where which files are one call is in doubt.
func inDoubt(place string, candidates []string) error {
	return cli.Usagef("which files in %s are one call is in doubt; give --pattern, which may be\n  %s", place, strings.Join(candidates, "\n  "))
}

// options are those of the survey.
func (c *adoptCommand) options() (o spool.Options, err error) {
	if c.Pattern != "" {
		if o.Patterns, err = spool.Patterns(c.Pattern); err != nil {
			return o, cli.Usagef("--pattern: %w", err)
		}
	}
	if o.Zone, err = time.LoadLocation(c.Zone); err != nil {
		return o, cli.Usagef("--zone: %q is not a time zone, as Europe/Berlin", c.Zone)
	}
	if c.Legs != "" {
		place := service.SpoolPlace{Legs: c.Legs}
		if _, o.Below, err = place.Below(c.Dir); err != nil {
			return o, cli.Usagef("%s %w", c.Dir, err)
		}
	}
	o.Tenant, o.Queue, o.HostSoftware = callmodel.TenantID(c.Tenant), c.Queue, c.Software
	o.Tenants = map[string]callmodel.TenantID{}
	for name, tenant := range c.Tenants {
		o.Tenants[name] = callmodel.TenantID(tenant)
	}
	o.Outputs = []record.OutputSpec{{Codec: record.Codec(c.Codec), Layout: record.Layout(c.Layout)}}
	return o, nil
}

// adopt prints what was found, and puts the jobs at the place if that is asked for. With
// none it is not known which calls have recordings.
func (c *adoptCommand) adopt(ctx context.Context, s cli.Streams, found *spool.Survey, at adopter) (err error) {
	a := adoption{Naming: found.Naming, Calls: []adoptedCall{}, LeftOut: found.LeftOut, Adopted: c.Yes}
	if a.LeftOut == nil {
		a.LeftOut = []spool.LeftOut{}
	}
	var recorded map[int]callmodel.RecordingID
	if at != nil && len(found.Calls) > 0 {
		if recorded, err = recordedOtherwise(ctx, found.Calls, at.jobs); err != nil {
			return err
		}
	}
	bar := progress.New(s, "adopting", "calls", int64(len(found.Calls)))
	defer bar.Done()
	var failed error
	for i := range found.Calls {
		bar.Add(1)
		f := &found.Calls[i]
		if other := recorded[i]; other != "" {
			a.leave(f, "already recorded: it is a leg of the recording "+string(other)+", whose names were read by another pattern")
			continue
		}
		var id callmodel.JobID
		known := false
		switch {
		case at == nil:
		case c.Yes:
			id, known, err = at.put(ctx, f)
			known = !known
		default:
			known, err = at.has(ctx, f)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		switch {
		case err != nil:
			failed = fmt.Errorf("call %s: %w", f.Spec.CallID, err)
			a.leave(f, "it could not be adopted: "+err.Error())
		case known:
			a.leave(f, "already adopted")
		default:
			a.Calls = append(a.Calls, adoptedCall{
				TenantID: f.Spec.TenantID, CallID: f.Spec.CallID, RecordingID: f.Spec.RecordingID,
				StartedAt: f.Spec.StartedAt, Legs: f.Spec.Legs, JobID: id,
			})
		}
		if away(err) {
			return failed // it is the same with all others; run again, it goes on
		}
	}
	bar.Done()
	if c.JSON {
		err = s.JSON(a)
	} else {
		c.print(s, &a)
	}
	if failed != nil {
		return failed
	}
	return err
}

// away reports whether the error is about where the jobs are put, not about one of them.
func away(err error) bool {
	var fields callmodel.FieldErrors
	refused, answered := errors.AsType[*apiclient.RefusedError](err)
	switch {
	case err == nil || errors.As(err, &fields):
		return false
	case answered:
		return refused.Answered != http.StatusUnprocessableEntity
	}
	return true
}

// leave notes why no recording is made of a call's files.
func (a *adoption) leave(f *spool.Found, why string) {
	for _, file := range f.Files {
		a.LeftOut = append(a.LeftOut, spool.LeftOut{File: file, Reason: why})
	}
}

func (c *adoptCommand) print(s cli.Streams, a *adoption) {
	if a.Naming == "" {
		s.Printf("no naming fits the files in %s; see --pattern\n", c.Dir)
	} else {
		s.Printf("named as %s\n", a.Naming)
	}
	for i := range a.Calls {
		call := &a.Calls[i]
		s.Printf("%s  %s/%s", call.StartedAt.Format(time.RFC3339), call.TenantID, call.CallID)
		for _, l := range call.Legs {
			for _, seg := range l.Segments {
				s.Printf("  %s=%q", l.Name, seg.URI)
			}
		}
		s.Printf("\n")
	}
	for _, l := range a.LeftOut {
		s.Printf("left out  %q: %s\n", l.File, l.Reason)
	}
	if a.Adopted {
		s.Printf("%d calls adopted, %d files left out\n", len(a.Calls), len(a.LeftOut))
		return
	}
	s.Printf("%d calls would be adopted, %d files left out; nothing was done: see --yes\n", len(a.Calls), len(a.LeftOut))
}

// audioOf tells of a file what the codecs make of it.
func audioOf(registry *codec.Registry) spool.Audio {
	return func(_ context.Context, f *os.File, raw *record.RawFormat) (time.Duration, error) {
		info, err := f.Stat()
		if err != nil {
			return 0, err
		}
		src, _, err := registry.Decode(f, codec.Hint{Size: info.Size(), Raw: raw})
		if err != nil {
			return 0, err
		}
		sized, ok := src.(audio.Sized)
		if !ok || src.Format().SampleRate <= 0 {
			return 0, nil
		}
		seconds := float64(max(sized.Frames(), 0)) / float64(src.Format().SampleRate)
		return time.Duration(seconds * float64(time.Second)), nil
	}
}

// dbAdopter puts jobs in a database.
type dbAdopter struct{ db *calldb.DB }

func (d dbAdopter) has(ctx context.Context, f *spool.Found) (bool, error) {
	jobs, err := d.db.Jobs(ctx, ledger.Filter{Kind: record.Kind, TenantID: f.Spec.TenantID, CallID: f.Spec.CallID, Limit: 1000})
	return hasJob(jobs, f), err
}

func (d dbAdopter) put(ctx context.Context, f *spool.Found) (callmodel.JobID, bool, error) {
	job := f.Job
	job.Actor = actor()
	return d.db.Enqueue(ctx, job)
}

func hasJob(jobs []ledger.Job, f *spool.Found) bool {
	for i := range jobs {
		if jobs[i].Key == f.Job.Key {
			return true
		}
	}
	return false
}

// apiAdopter has an API put them in its ledger. The calls are its key's tenant's.
type apiAdopter struct {
	api *apiclient.ClientWithResponses
}

func (a apiAdopter) has(ctx context.Context, f *spool.Found) (bool, error) {
	limit := maxAsked
	page, _, err := answered[struct{ Jobs []ledger.Job }](a.api.ListJobsWithResponse(ctx, &apiclient.ListJobsParams{
		CallId: given(string(f.Spec.CallID)), Limit: &limit,
	}))
	return hasJob(page.Jobs, f), err
}

func (a apiAdopter) put(ctx context.Context, f *spool.Found) (callmodel.JobID, bool, error) {
	spec := f.Spec
	spec.TenantID, spec.LegsBelow = "", "" // both are the API's to say
	body, err := json.Marshal(spec)
	if err != nil {
		return "", false, err
	}
	var members map[string]any
	if err := json.Unmarshal(body, &members); err != nil {
		return "", false, err
	}
	delete(members, "tenant_id")
	members["queue"], members["priority"] = f.Job.Queue, f.Job.Priority
	if body, err = json.Marshal(members); err != nil {
		return "", false, err
	}
	done, _, err := answered[struct {
		JobID   callmodel.JobID `json:"job_id"`
		Created bool            `json:"created"`
	}](a.api.CreateRecordingWithBodyWithResponse(ctx, "application/json", bytes.NewReader(body)))
	if refused, ok := errors.AsType[*apiclient.RefusedError](err); ok && refused.Code == apiclient.CodeConflict {
		return "", false, nil // it is made already, of the files that were there then
	}
	return done.JobID, done.Created, err
}
