package reconcile

import (
	"context"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
)

// legs merges the legs that the jobs name with the files that there are.
func (r *run) legs(ctx context.Context) error {
	if r.opts.Legs == nil {
		return nil
	}
	m, err := openRuns(r.dir, "legs", r.at.Legs).merge(legOrder(r.at.Leg))
	if err != nil {
		return err
	}
	defer m.Close() //nolint:errcheck // only read from
	want, err := newUpTo(m)
	if err != nil {
		return err
	}
	n := 0
	err = r.opts.Legs.Walk(ctx, r.at.Leg, func(leg Leg) error {
		at := legOrder(leg.Path)
		for !want.done && want.e.Key < at {
			if err := r.legGone(ctx, want); err != nil {
				return err
			}
		}
		claimed := false
		for !want.done && want.e.Key == at {
			claimed = true
			if err := want.advance(); err != nil {
				return err
			}
		}
		if !leg.Other {
			r.at.Report.Legs++
		}
		if age := r.now.Sub(leg.ModTime); !claimed && !leg.Other && age > r.opts.LegAge {
			f := Finding{Kind: LegUnclaimed, Key: leg.Path, Detail: fmt.Sprintf("no job names it; it is %v old", age.Round(1e9))}
			if err := r.found(ctx, f, nil); err != nil {
				return err
			}
		}
		r.at.Leg = leg.Path
		if n++; n%keepEvery == 0 {
			return r.keep()
		}
		return ctx.Err()
	})
	for err == nil && !want.done {
		err = r.legGone(ctx, want)
	}
	return err
}

// legGone is for the leg that is next among those that jobs name, of which nothing is there.
func (r *run) legGone(ctx context.Context, want *upTo) error {
	e := want.e
	if err := want.advance(); err != nil || !e.Must {
		return err
	}
	j, err := r.jobOf(ctx, callmodel.JobID(e.Job))
	if err != nil || j == nil || j.State != ledger.Queued && j.State != ledger.Quarantined {
		return err
	}
	if j.State == ledger.Queued && r.now.Sub(j.CreatedAt) <= r.opts.Overdue {
		return nil // it may still come
	}
	f := finding(LegGone, j)
	f.Key, f.Detail = strings.ReplaceAll(e.Key, "\x00", "/"), fmt.Sprintf("it isn't there, and the job is %s", j.State)
	return r.found(ctx, f, nil)
}

// FS is a directory of legs of which fsys is the content, as os.DirFS makes it. Hidden
// files and directories, whose names begin with a dot, are passed over.
func FS(fsys fs.FS) Legs { return legFiles{fsys} }

type legFiles struct{ fsys fs.FS }

func (l legFiles) Walk(ctx context.Context, after string, f func(Leg) error) error {
	from := legOrder(after)
	return fs.WalkDir(l.fsys, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return fmt.Errorf("reading the legs: %w", err)
		case ctx.Err() != nil:
			return ctx.Err()
		case name == ".":
			return nil
		case strings.HasPrefix(path.Base(name), "."):
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		case d.IsDir():
			// A directory that lies wholly before the place isn't read again.
			if at := legOrder(name); at < from && !strings.HasPrefix(from, at+"\x00") {
				return fs.SkipDir
			}
		}
		if legOrder(name) <= from {
			return nil
		}
		info, err := d.Info()
		if err == nil && d.Type()&fs.ModeSymlink != 0 {
			_, err = fs.Stat(l.fsys, name) // a link to nothing is nothing
		}
		if err != nil {
			return nil //nolint:nilerr // it was moved meanwhile
		}
		return f(Leg{Path: name, ModTime: info.ModTime(), Other: !info.Mode().IsRegular()})
	})
}
