package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"

	"github.com/switchtape/switchtape/cmd/internal/cli"
	"github.com/switchtape/switchtape/cmd/internal/cli/progress"
	"github.com/switchtape/switchtape/cmd/internal/service"
	"github.com/switchtape/switchtape/recording/reconcile"
	"github.com/switchtape/switchtape/storage/calldb"
)

type verifyCommand struct {
	databaseOptions
	service.ReconcileOptions
	service.RecordOptions
	service.EncryptionOptions

	Bucket       string `help:"Bucket of the recordings: s3:// or file:///path." placeholder:"URL"`
	BackupBucket string `help:"The workers' backup bucket, to be compared, too." placeholder:"URL"`

	Dir    string `help:"Directory of this comparison's own, which keeps how far it has come: run again with it, it goes on. Default: one that is deleted, so that it begins again." type:"path" placeholder:"DIR"`
	Again  bool   `help:"Begin again, whatever the directory says."`
	Repair bool   `help:"Mend what can be mended. Nothing is deleted by it, and it may be repeated."`
	Kinds  bool   `help:"List the kinds of mismatches with their remedies, and do nothing else."`
}

// Run compares, prints what it has found, and fails if there is something left, or if
// something was to be read and there was no key for it.
func (c *verifyCommand) Run(ctx context.Context, s cli.Streams) error {
	switch {
	case c.Kinds:
		return c.kinds(s)
	case c.Bucket == "":
		return cli.Usagef("missing flags: --bucket=URL")
	case c.Again && c.Dir == "":
		return cli.Usagef("--again needs --dir: without it every comparison begins again")
	}
	dir := c.Dir
	if dir == "" {
		var err error
		if dir, err = os.MkdirTemp("", "switchtape-verify-*"); err != nil {
			return err
		}
		defer os.RemoveAll(dir) //nolint:errcheck // what is left there is nobody's
	} else if c.Again {
		if err := reconcile.Forget(dir); err != nil {
			return err
		}
	}
	var stores service.Stores
	defer stores.Close() //nolint:errcheck // what was put there is there
	if err := stores.OpenBucket(ctx, buckets(), service.BucketOptions{Bucket: c.Bucket, BackupBucket: c.BackupBucket, EncryptionOptions: c.EncryptionOptions}, nil); err != nil {
		return err
	}
	o, err := c.Options(c.RecordOptions)
	if err != nil {
		return err
	}
	bucket, backup := stores.Compared()
	o.Repair, o.Actor, o.Backup = c.Repair, actor(), backup
	var r reconcile.Report
	bar := progress.New(s, "comparing", "rows and objects", progress.Unknown)
	o.Kept = func(r reconcile.Report) {
		bar.Set(r.Calls+r.Jobs+r.Objects+r.BackupKeys+r.Versions+r.Legs, progress.Unknown)
	}
	err = c.with(ctx, func(ctx context.Context, db *calldb.DB) (err error) {
		r, err = reconcile.Run(ctx, db, bucket, dir, o)
		return err
	})
	bar.Done()
	if err != nil && c.Dir != "" {
		err = fmt.Errorf("%w; run again, it goes on where it was stopped (%s)", err, dir)
	}
	if err != nil {
		return err
	}
	if c.JSON {
		err = printVerified(s, &r, dir)
	} else {
		err = c.print(s, &r, dir)
	}
	if err == nil && (r.Left() > 0 || r.NotRead > 0) {
		return cli.Silent()
	}
	return err
}

// printVerified prints the report as JSON, with what was found one by one: it may be more
// than there is memory for.
func printVerified(s cli.Streams, r *reconcile.Report, dir string) error {
	b, err := json.MarshalIndent(r, "  ", "  ")
	if err != nil {
		return err
	}
	s.Printf("{\n  \"report\": %s,\n  \"mismatches\": [", b)
	comma := ""
	err = reconcile.Findings(dir, func(f reconcile.Finding) error {
		b, err := json.MarshalIndent(f, "    ", "  ")
		if err != nil {
			return err
		}
		s.Printf("%s\n    %s", comma, b)
		comma = ","
		return nil
	})
	s.Printf("\n  ]\n}\n")
	return err
}

func (c *verifyCommand) print(s cli.Streams, r *reconcile.Report, dir string) error {
	err := reconcile.Findings(dir, func(f reconcile.Finding) error {
		what := "found   "
		if f.Repaired {
			what = "repaired"
		}
		s.Printf("%s  %-18s", what, f.Kind)
		for _, part := range []string{string(f.TenantID), string(f.CallID), string(f.JobID)} {
			if part != "" {
				s.Printf("  %s", part)
			}
		}
		if f.Key != "" {
			s.Printf("  %q", f.Key)
		}
		if f.Bucket != "" {
			s.Printf("  in %s", f.Bucket)
		}
		s.Printf("  %s", f.Detail)
		if f.Unrepaired != "" {
			s.Printf("; not repaired: %s", f.Unrepaired)
		}
		s.Printf("\n")
		return nil
	})
	for _, kind := range slices.Sorted(maps.Keys(r.Found)) {
		i, infoErr := reconcile.InfoOf(kind)
		err = errors.Join(err, infoErr)
		s.Printf("%s: %d found, %d repaired\n  %s\n  %s\n", kind, r.Found[kind], r.Repaired[kind], i.Meaning, i.Remedy)
	}
	if r.InBackup > 0 && r.Backup == "" {
		s.Printf("%d recordings are in the backup bucket, which wasn't compared: give --backup-bucket\n", r.InBackup)
	}
	if r.NotRead > 0 {
		s.Printf("%d objects were not read: no key. Their sizes are right; of their bytes nothing is known: give --encrypt-keys that have keys for them. The first: %s\n", r.NotRead, r.NoKey)
	}
	s.Printf("%d calls, %d jobs (%d of them wait), %d objects, %d in the backup, %d earlier versions, %d legs: %d mismatches left\n",
		r.Calls, r.Jobs, r.Waiting, r.Objects, r.BackupKeys, r.Versions+r.Earlier, r.Legs, r.Left())
	return err
}

func (c *verifyCommand) kinds(s cli.Streams) error {
	if c.JSON {
		return s.JSON(struct {
			Kinds []reconcile.KindInfo `json:"kinds"`
		}{reconcile.Kinds()})
	}
	for _, i := range reconcile.Kinds() {
		repaired := ""
		if i.Repaired {
			repaired = " (--repair)"
		}
		s.Printf("%s%s\n  %s\n  %s\n", i.Kind, repaired, i.Meaning, i.Remedy)
	}
	return nil
}
