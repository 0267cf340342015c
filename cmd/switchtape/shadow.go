package main

import (
	"context"
	"fmt"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/cmd/internal/cli"
	"github.com/switchtape/switchtape/cmd/internal/service"
	"github.com/switchtape/switchtape/recording/shadow"
	"github.com/switchtape/switchtape/storage"
	"github.com/switchtape/switchtape/storage/calldb"
)

type shadowCommand struct {
	databaseOptions
	service.EncryptionOptions

	Bucket  string             `help:"Bucket of the recordings: s3:// or file:///path." placeholder:"URL" required:""`
	Legs    string             `help:"Where the legs still are: a directory, or a bucket URL." placeholder:"DIR|URL" required:""`
	Tenant  callmodel.TenantID `help:"Take this tenant's recordings only." placeholder:"ID"`
	Since   time.Time          `help:"Take recordings whose jobs were enqueued since then." placeholder:"RFC3339"`
	Until   time.Time          `help:"And before then." placeholder:"RFC3339"`
	Limit   int                `help:"Take so many recordings at most." default:"100"`
	TempDir string             `help:"Where they are made, one at a time. Default: the system's temporary directory." type:"path" placeholder:"DIR"`
}

// shadowed is a recording that was made again.
type shadowed struct {
	JobID       callmodel.JobID       `json:"job_id"`
	CallID      callmodel.CallID      `json:"call_id"`
	RecordingID callmodel.RecordingID `json:"recording_id"`
	Software    string                `json:"software,omitempty"` // that made it
	shadow.Report

	ElapsedMS int64 `json:"elapsed_ms"`
	AudioMS   int64 `json:"audio_ms"`
}

// shadowReport is what shadow --json prints.
type shadowReport struct {
	Software   string     `json:"software"` // this program
	Same       int        `json:"same"`
	Differs    int        `json:"differs"`
	Skipped    int        `json:"skipped"`
	ElapsedMS  int64      `json:"elapsed_ms"` // of those that were made
	AudioMS    int64      `json:"audio_ms"`
	Recordings []shadowed `json:"recordings"` // those that are the same are only counted
}

// Run makes recordings again that are done, and fails if one comes otherwise, or none could
// be compared.
func (c *shadowCommand) Run(ctx context.Context, s cli.Streams) error {
	if c.Limit < 1 {
		return cli.Usagef("--limit: must be at least 1, is %d", c.Limit)
	}
	store, err := buckets().OpenRecordings(ctx, c.Bucket, c.EncryptionOptions)
	if err != nil {
		return err
	}
	defer store.Close() //nolint:errcheck // nothing is put there
	legs, err := buckets().OpenLegs(ctx, c.Legs, 0)
	if err != nil {
		return err
	}
	defer legs.Close() //nolint:errcheck // only read from
	r := shadowReport{Software: cli.Software(), Recordings: []shadowed{}}
	if err := c.with(ctx, func(ctx context.Context, db *calldb.DB) error { return c.all(ctx, s, db, legs, store, &r) }); err != nil {
		return err
	}
	if c.JSON {
		err = s.JSON(r)
	} else {
		r.print(s)
	}
	switch {
	case err != nil:
		return err
	case r.Same+r.Differs == 0:
		return callmodel.Errorf(callmodel.CodeNotFound, "nothing could be compared: %d recordings were looked at, and the legs of none are in %s", r.Skipped, c.Legs)
	case r.Differs > 0:
		return cli.Silent()
	}
	return nil
}

// all goes through the recordings that are done.
func (c *shadowCommand) all(ctx context.Context, s cli.Streams, db *calldb.DB, legs service.Legs, store *storage.Store, r *shadowReport) error {
	const page = 100
	f := ledger.Filter{State: ledger.Done, Kind: record.Kind, TenantID: c.Tenant, Since: c.Since, Until: c.Until}
	for left := c.Limit; left > 0; {
		f.Limit = min(left, page)
		jobs, err := db.Jobs(ctx, f)
		if err != nil {
			return err
		}
		for i := range jobs {
			one, err := c.one(ctx, &jobs[i], legs, store)
			if err != nil {
				return fmt.Errorf("job %s: %w", jobs[i].ID, err)
			}
			r.add(one)
			if !c.JSON {
				one.print(s)
			}
		}
		left -= len(jobs)
		if len(jobs) < f.Limit {
			return nil
		}
		f.After = jobs[len(jobs)-1].ID
	}
	return nil
}

func (c *shadowCommand) one(ctx context.Context, j *ledger.Job, legs service.Legs, store *storage.Store) (shadowed, error) {
	one := shadowed{JobID: j.ID, CallID: j.CallID, RecordingID: callmodel.RecordingID(j.Key)}
	spec, err := record.SpecOf(j)
	if err != nil {
		return one, err
	}
	before, err := record.ResultOf(j)
	if err != nil {
		return one, err
	}
	if before == nil {
		before = &record.Result{Status: record.StatusAbsent}
	}
	one.Software = before.Software
	one.Report, err = shadow.Compare(ctx, legs, store, &spec, before, shadow.Options{TempDir: c.TempDir, Now: time.Now})
	one.ElapsedMS, one.AudioMS = one.Elapsed.Milliseconds(), one.Audio.Milliseconds()
	return one, err
}

func (r *shadowReport) add(one shadowed) {
	switch one.Status {
	case shadow.Same:
		r.Same++
	case shadow.Differs:
		r.Differs++
	case shadow.Skipped:
		r.Skipped++
	}
	if one.Status != shadow.Same {
		r.Recordings = append(r.Recordings, one)
	}
	if one.Status != shadow.Skipped {
		r.ElapsedMS += one.ElapsedMS
		r.AudioMS += one.AudioMS
	}
}

// print prints what isn't the same.
func (one *shadowed) print(s cli.Streams) {
	if one.Status == shadow.Same {
		return
	}
	s.Printf("%-8s recording %s of call %s, job %s", one.Status, one.RecordingID, one.CallID, one.JobID)
	if one.Why != "" {
		s.Printf(": %s", one.Why)
	}
	s.Printf("\n")
	for i := range one.Outputs {
		o := &one.Outputs[i]
		if o.Same {
			continue
		}
		s.Printf("         %s: %d bytes and %d frames by %s now, was %d and %d by %s", o.Codec, o.Now.Bytes, o.Now.Frames, o.Now.Encoder, o.Before.Bytes, o.Before.Frames, o.Before.Encoder)
		switch {
		case o.Problem != "":
			s.Printf("; %s", o.Problem)
		case o.MaxDifference > 0:
			s.Printf("; SNR %.1f dB, samples within %.1f of 32768", o.SNRdB, o.MaxDifference*32768)
		case o.Codec.Audio():
			s.Printf("; the same samples")
		}
		s.Printf("\n")
	}
}

func (r *shadowReport) print(s cli.Streams) {
	s.Printf("%d recordings are the same, %d differ, %d could not be made again", r.Same, r.Differs, r.Skipped)
	if r.ElapsedMS > 0 {
		s.Printf("; %.0f × realtime", float64(r.AudioMS)/float64(r.ElapsedMS))
	}
	s.Printf("\n")
}
