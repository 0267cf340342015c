package main

import (
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"path/filepath"
	"slices"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/cmd/internal/cli"
	"github.com/switchtape/switchtape/cmd/internal/cli/progress"
	"github.com/switchtape/switchtape/recording"
	"github.com/switchtape/switchtape/recording/intake/adopt"
	"github.com/switchtape/switchtape/recording/intake/spool"
	"github.com/switchtape/switchtape/storage"
	"github.com/switchtape/switchtape/storage/calldb"
)

// sampleOfNames is of how many objects the naming is learned.
const sampleOfNames = 10_000

// adoptBucket is Run for a bucket of finished recordings.
func (c *adoptCommand) adoptBucket(ctx context.Context, s cli.Streams) error {
	switch {
	case c.API != "":
		return cli.Usagef("a bucket is adopted with --db: an API takes legs alone")
	case c.Yes && c.DB == "":
		return cli.Usagef("--yes needs --db, to put the recordings in")
	case c.Legs != "" || c.Layout != "":
		return cli.Usagef("--legs and --layout are of directories: the recordings of a bucket stay as they are")
	}
	store, err := buckets().OpenRecordings(ctx, c.Dir, c.EncryptionOptions)
	if err != nil {
		return err
	}
	defer store.Close() //nolint:errcheck // what was put there is there
	if c.DB == "" {
		return c.adoptObjects(ctx, s, store, nil)
	}
	return c.with(ctx, func(ctx context.Context, db *calldb.DB) error { return c.adoptObjects(ctx, s, store, db) })
}

// adoptObjects goes through the bucket. l is nil where nothing is known of what is
// adopted.
func (c *adoptCommand) adoptObjects(ctx context.Context, s cli.Streams, store *storage.Store, l adopt.Ledger) error {
	zone, err := time.LoadLocation(c.Zone)
	if err != nil {
		return cli.Usagef("--zone: %q is not a time zone, as Europe/Berlin", c.Zone)
	}
	naming := c.Pattern
	if naming == "" {
		if naming, err = c.learnObjects(ctx, store, zone); err != nil {
			return err
		}
	}
	o := &adopt.Options{
		Tenant: callmodel.TenantID(c.Tenant), Tenants: map[string]callmodel.TenantID{}, Zone: zone, Codecs: recording.BuiltinCodecs(), Actor: actor(),
		Modified: func(ctx context.Context, key string) (time.Time, error) {
			h, err := store.Stat(ctx, key)
			return h.ModTime, err
		},
	}
	if u, bad := url.Parse(c.Dir); bad == nil && u.Scheme == "file" {
		o.Dir = filepath.FromSlash(u.Path)
	}
	for name, tenant := range c.Tenants {
		o.Tenants[name] = callmodel.TenantID(tenant)
	}
	if naming != "" {
		if o.Patterns, err = spool.Patterns(naming); err != nil {
			return cli.Usagef("--pattern: %w", err)
		}
	}
	if len(c.Tenants) > 0 && len(o.Patterns) > 0 && !slices.ContainsFunc(o.Patterns, func(p spool.Pattern) bool { return p.HasTenant() }) {
		return cli.Usagef("--tenants: objects that are named as %s don't say whose they are; give a --pattern with {tenant}, or --tenant", naming)
	}
	out := &adoptedObjects{s: s, json: c.JSON}
	out.begin(naming)
	bar := &progress.Bar{}
	if !s.Interactive() { // the lines that come show how far it is
		bar = progress.New(s, "adopting", "objects", progress.Unknown)
	}
	err = adopt.New(store, l, o).Run(ctx, c.Prefix, c.Yes, func(f adopt.Found) error {
		bar.Add(1)
		return out.add(f)
	})
	bar.Done()
	return errors.Join(err, out.end(c.Yes))
}

// learnObjects tells how the first objects are named.
func (c *adoptCommand) learnObjects(ctx context.Context, store *storage.Store, zone *time.Location) (string, error) {
	var names []string
	err := store.List(ctx, c.Prefix, func(key string, _ int64) bool {
		names = append(names, key[len(c.Prefix):])
		return len(names) < sampleOfNames
	})
	if doubts := spool.Candidates(names, zone); err == nil && len(doubts) > 0 {
		return "", inDoubt(c.Dir, doubts)
	}
	return spool.Learn(names, zone), err
}

// adoptedObjects prints what becomes of objects while they are gone through: calls as they
// come, and what was left out at the end.
type adoptedObjects struct {
	s       cli.Streams
	json    bool
	calls   int
	leftOut []spool.LeftOut
}

func (a *adoptedObjects) begin(naming string) {
	switch {
	case a.json:
		name, _ := json.Marshal(naming) // a string
		a.s.Printf("{\n  \"naming\": %s,\n  \"calls\": [", name)
	case naming == "":
		a.s.Printf("no naming fits the objects; see --pattern\n")
	default:
		a.s.Printf("named as %s\n", naming)
	}
}

// add prints a call, or keeps what is left out.
func (a *adoptedObjects) add(f adopt.Found) error {
	if f.LeftOut != "" {
		a.leftOut = append(a.leftOut, spool.LeftOut{File: f.Key, Reason: f.LeftOut})
		return nil
	}
	a.calls++
	if !a.json {
		a.s.Printf("%s  %s/%s  %q\n", f.StartedAt.Format(time.RFC3339), f.TenantID, f.CallID, f.Key)
		return nil
	}
	call := adoptedCall{TenantID: f.TenantID, CallID: f.CallID, RecordingID: f.RecordingID, StartedAt: f.StartedAt, JobID: f.JobID}
	if f.Own {
		call.Manifest = f.Key
	} else {
		call.Legs = []record.LegSpec{record.NewLeg("call", f.Key)}
	}
	b, err := json.MarshalIndent(call, "    ", "  ")
	if err != nil {
		return err
	}
	comma := ","
	if a.calls == 1 {
		comma = ""
	}
	a.s.Printf("%s\n    %s", comma, b)
	return nil
}

func (a *adoptedObjects) end(done bool) error {
	if a.json {
		left := a.leftOut
		if left == nil {
			left = []spool.LeftOut{}
		}
		b, err := json.MarshalIndent(left, "  ", "  ")
		if err != nil {
			return err
		}
		a.s.Printf("\n  ],\n  \"left_out\": %s,\n  \"adopted\": %t\n}\n", b, done)
		return nil
	}
	for _, l := range a.leftOut {
		a.s.Printf("left out  %q: %s\n", l.File, l.Reason)
	}
	if done {
		a.s.Printf("%d recordings adopted, %d objects left out\n", a.calls, len(a.leftOut))
	} else {
		a.s.Printf("%d recordings would be adopted, %d objects left out; nothing was done: see --yes\n", a.calls, len(a.leftOut))
	}
	return nil
}
