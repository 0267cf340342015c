package main

import (
	"context"
	"errors"
	"io/fs"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/cmd/internal/cli"
	"github.com/switchtape/switchtape/cmd/internal/cli/progress"
	"github.com/switchtape/switchtape/cmd/internal/service"
	"github.com/switchtape/switchtape/storage"
)

type encryptionRewrap struct {
	service.EncryptionOptions

	Bucket      string `help:"Bucket of the recordings; their backup bucket is another to be gone through." required:"" placeholder:"URL"`
	Tenant      string `help:"Only this tenant's recordings." placeholder:"ID"`
	After       string `help:"Only what is behind this key: where a run was stopped." placeholder:"KEY"`
	Concurrency int    `help:"Objects at once." default:"4"`
	JSON        bool   `help:"Print JSON." name:"json"`
}

// rewrapReport is what encryption rewrap --json prints.
type rewrapReport struct {
	Rewrapped int64 `json:"rewrapped"` // objects that have a new header
	Current   int64 `json:"current"`   // that had it already
	Plain     int64 `json:"plain"`     // that aren't encrypted, and stay so
	Bytes     int64 `json:"bytes"`     // of those that were written again
	// Failed are objects that are as they were, at most maxRewrapFailures; Failures counts all.
	Failures int64           `json:"failures"`
	Failed   []rewrapFailure `json:"failed"`
	// Last is a key before which all were gone through.
	Last string `json:"last"`
}

type rewrapFailure struct {
	Key   string `json:"key"`
	Error string `json:"error"`
}

// maxRewrapFailures bounds what is listed of failures.
const maxRewrapFailures = 100

// Run goes through the bucket, and fails if an object has kept its recipients that should
// have others.
func (c *encryptionRewrap) Run(ctx context.Context, s cli.Streams) error {
	switch {
	case c.EncryptKeys == "":
		return cli.Usagef("missing flags: --encrypt-keys=FILE")
	case c.Concurrency < 1 || c.Concurrency > 64:
		return cli.Usagef("--concurrency: must be 1 to 64, is %d", c.Concurrency)
	case c.Tenant != "" && !callmodel.ValidID(c.Tenant):
		return cli.Usagef("--tenant: %q is no tenant's id", c.Tenant)
	}
	store, err := buckets().OpenRecordings(ctx, c.Bucket, c.EncryptionOptions)
	if err != nil {
		return err
	}
	defer store.Close() //nolint:errcheck // what was put there is there
	run := &rewrapRun{store: store, report: rewrapReport{Failed: []rewrapFailure{}, Last: c.After}}
	run.bar = progress.New(s, "re-wrapping", "objects", progress.Unknown)
	err = run.all(ctx, c)
	run.bar.Done()
	if c.JSON {
		err = errors.Join(err, s.JSON(run.report))
	} else {
		run.print(s)
	}
	if err == nil && run.report.Failures > 0 {
		return cli.Silent()
	}
	return err
}

type rewrapRun struct {
	store *storage.Store
	bar   *progress.Bar

	mu     sync.Mutex
	report rewrapReport
}

// all goes through the bucket page by page, so that Last is behind all that is done.
func (r *rewrapRun) all(ctx context.Context, c *encryptionRewrap) error {
	for token := ""; ; {
		page, err := r.store.ListPage(ctx, token)
		if err != nil {
			return err
		}
		if err := r.page(ctx, c, page.Objects); err != nil {
			return err
		}
		if token = page.Next; token == "" {
			return nil
		}
	}
}

// page does the objects of one page.
func (r *rewrapRun) page(ctx context.Context, c *encryptionRewrap, objects []record.Listed) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(c.Concurrency)
	last := r.report.Last
	for _, o := range objects {
		if !o.Current || o.Deleted || o.Key <= c.After || c.Tenant != "" && !strings.HasPrefix(o.Key, c.Tenant+"/") {
			continue
		}
		last = o.Key
		group.Go(func() error { return r.one(ctx, o.Key, o.Bytes) })
	}
	err := group.Wait()
	if err == nil {
		r.report.Last = last
	}
	return err
}

// one re-wraps an object. Only what would meet the others, too, ends the run.
func (r *rewrapRun) one(ctx context.Context, key string, bytes int64) error {
	done, err := r.store.Rewrap(ctx, key)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.bar.Add(1)
	if _, away := errors.AsType[*callmodel.BucketAwayError](err); away || ctx.Err() != nil {
		return err
	}
	switch {
	case errors.Is(err, fs.ErrNotExist): // it was deleted meanwhile
	case err != nil:
		if r.report.Failures++; len(r.report.Failed) < maxRewrapFailures {
			r.report.Failed = append(r.report.Failed, rewrapFailure{key, err.Error()})
		}
	case done == record.RewrapDone:
		r.report.Rewrapped++
		r.report.Bytes += bytes
	case done == record.RewrapCurrent:
		r.report.Current++
	default:
		r.report.Plain++
	}
	return nil
}

func (r *rewrapRun) print(s cli.Streams) {
	for _, f := range r.report.Failed {
		s.Printf("kept  %s  %s\n", f.Key, f.Error)
	}
	s.Printf("%d objects re-wrapped (%d bytes), %d had their recipients already, %d are plain, %d are left as they were\n",
		r.report.Rewrapped, r.report.Bytes, r.report.Current, r.report.Plain, r.report.Failures)
	if r.report.Last != "" {
		s.Printf("the last key is %s\n", r.report.Last)
	}
}
