package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/e164/normalize"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/cmd/internal/cli"
	"github.com/switchtape/switchtape/cmd/internal/cli/progress"
	"github.com/switchtape/switchtape/cmd/internal/service"
	"github.com/switchtape/switchtape/recording/exporthttp"
	"github.com/switchtape/switchtape/recording/task/dataexport"
	"github.com/switchtape/switchtape/storage/calldb"
)

type exportCommand struct {
	Call   exportCall   `cmd:"" help:"Export a call: its record, events, jobs, recordings in all versions, and what the audit log and webhooks have of it."`
	Number exportNumber `cmd:"" help:"Export everything about a number, as for an access request: its calls with all their parts, and its users."`
	Tenant exportTenant `cmd:"" help:"Export all data of a tenant."`
}

// exportOptions say where an export is made, and where it goes.
type exportOptions struct {
	keysOptions
	service.EncryptionOptions

	Bucket       string `help:"Bucket of the recordings: s3:// or file:///path. With a database and --out." placeholder:"URL"`
	BackupBucket string `help:"The workers' backup bucket, to be read, too." placeholder:"URL"`
	Out          string `help:"Export now, to this file, which ends in .zip and must not exist yet, or to this directory; one that was stopped goes on in its directory. With an API: wait for the export and fetch it. Default: a worker makes it." type:"path" placeholder:"FILE|DIR"`
	PartBytes    int64  `help:"How large a zip becomes before the next one begins. Default: 1 GiB; of a file: any size."`
	KeepDays     int    `help:"For how many days an export that a worker makes is kept. Default: 7."`
	Key          string `help:"Makes it idempotent: the same export asked for again under the key is the same. Default: one is made." placeholder:"KEY"`
}

type exportCall struct {
	exportOptions
	ID string `arg:"" help:"The call."`
}

func (c *exportCall) Run(ctx context.Context, s cli.Streams) error {
	return c.export(ctx, s, dataexport.Payload{Of: dataexport.OfCall, CallID: callmodel.CallID(c.ID)})
}

type exportNumber struct {
	exportOptions
	Number string    `arg:"" help:"The number, in E.164 or as it is dialled in the region."`
	Region string    `help:"Country in which the number is dialled, as ISO 3166-1 alpha-2. Default: the tenant's defaults.region, and an API's own." placeholder:"CC"`
	Since  time.Time `help:"Only calls made then or later, as 2026-01-31T15:04:05Z." placeholder:"TIME" optional:""`
	Until  time.Time `help:"Only calls made before." placeholder:"TIME" optional:""`
}

func (c *exportNumber) Run(ctx context.Context, s cli.Streams) error {
	p := dataexport.Payload{Of: dataexport.OfNumber, Number: c.Number, Since: c.Since, Until: c.Until}
	region := strings.ToUpper(c.Region)
	if c.API != "" { // which knows the tenant's region
		return c.ask(ctx, s, &p, region)
	}
	if region == "" {
		if err := c.with(ctx, func(ctx context.Context, db *calldb.DB) error {
			t, err := db.Tenant(ctx, c.owner())
			region = t.Defaults.Region
			return err
		}); err != nil && !errors.Is(err, callmodel.ErrNotFound) {
			return err
		}
	}
	n, err := normalize.Parse(c.Number, region)
	if err != nil {
		return cli.Usagef("%v; give it in E.164, or its --region", err)
	}
	p.Number = n.Value
	return c.export(ctx, s, p)
}

type exportTenant struct{ exportOptions }

func (c *exportTenant) Run(ctx context.Context, s cli.Streams) error {
	return c.export(ctx, s, dataexport.Payload{Of: dataexport.OfTenant})
}

// export makes the export, or has it made.
func (o *exportOptions) export(ctx context.Context, s cli.Streams, p dataexport.Payload) error {
	if o.API != "" {
		return o.ask(ctx, s, &p, "")
	}
	p.PartBytes, p.KeepDays = o.PartBytes, o.KeepDays
	if err := p.Validate(); err != nil {
		return cli.Usagef("%v", err)
	}
	switch {
	case o.Out != "" && o.Bucket == "":
		return cli.Usagef("missing flags: --bucket=URL, where the recordings are; without --out a worker makes the export")
	case o.Out != "":
		return o.now(ctx, s, &p)
	}
	return o.with(ctx, func(ctx context.Context, db *calldb.DB) error {
		payload, err := json.Marshal(p)
		if err != nil {
			return err
		}
		id, created, err := db.Enqueue(ctx, ledger.Request{
			Kind: dataexport.Kind, TenantID: o.owner(), CallID: p.CallID, Key: cmp.Or(o.Key, exporthttp.NewKey()), Payload: payload, Actor: actor(),
		})
		if err != nil {
			return err
		}
		if o.JSON {
			return s.JSON(struct {
				ID      callmodel.JobID `json:"id"`
				Created bool            `json:"created"`
			}{id, created})
		}
		s.Printf("%s  a worker makes it; see switchtape jobs show %s\n", id, id)
		return nil
	})
}

// zipped reports whether the export is to be one file.
func (o *exportOptions) zipped() bool { return strings.EqualFold(filepath.Ext(o.Out), ".zip") }

// now makes the export in this process.
func (o *exportOptions) now(ctx context.Context, s cli.Streams, p *dataexport.Payload) (err error) {
	var stores service.Stores
	defer func() { err = errors.Join(err, stores.Close()) }()
	if err := stores.OpenBucket(ctx, buckets(), service.BucketOptions{Bucket: o.Bucket, BackupBucket: o.BackupBucket, EncryptionOptions: o.EncryptionOptions}, nil); err != nil {
		return err
	}
	r := &dataexport.Request{TenantID: o.owner(), Key: cmp.Or(o.Key, "export"), Attempt: "1", Payload: *p, Flat: true}
	return o.databaseOptions.with(ctx, func(ctx context.Context, db *calldb.DB) error {
		to, err := o.place(ctx, db, r)
		if err != nil {
			return err
		}
		bar := progress.New(s, "exporting", progress.Bytes, progress.Unknown)
		done, err := dataexport.NewExporter(db, nil, stores.Objects).Export(ctx, &drawnPlace{to, bar}, r)
		bar.Done()
		if err != nil && !o.zipped() {
			err = errors.Join(err, callmodel.Errorf(callmodel.CodeOf(err), "run again with the same --out: it goes on where it was stopped"))
		}
		if err != nil {
			return err
		}
		if err := db.Audit(ctx, callmodel.AuditEvent{
			TenantID: r.TenantID, Actor: actor(), Action: exporthttp.AuditFetched, Subject: cmp.Or(string(p.CallID), r.Key),
			Detail: map[string]string{"of": p.Of, "sha256": done.Index.SHA256, "way": "command"},
		}); err != nil {
			return err
		}
		if o.JSON {
			return s.JSON(done)
		}
		if done.Status == record.StatusAbsent {
			s.Printf("%s: %s\n", done.Status, done.Reason)
			return nil
		}
		printExported(s, string(done.Status), &done.Counts, done.Bytes, done.Missing)
		for i := range done.Parts {
			s.Printf("%s  %d bytes  sha256 %s\n", done.Parts[i].URL, done.Parts[i].Bytes, done.Parts[i].SHA256)
		}
		return nil
	})
}

// drawnPlace draws how much is put there.
type drawnPlace struct {
	*dataexport.Dir

	bar *progress.Bar
}

func (p *drawnPlace) PutNamed(ctx context.Context, name string, m record.ObjectMeta, write func(io.Writer) error) (record.ObjectInfo, error) {
	return p.Dir.PutNamed(ctx, name, m, func(w io.Writer) error { return write(p.bar.Writer(w)) })
}

// place is where the export goes. A directory keeps what was asked for, so that the export
// goes on as it began.
func (o *exportOptions) place(ctx context.Context, db *calldb.DB, r *dataexport.Request) (*dataexport.Dir, error) {
	var err error
	if r.AsOf, err = db.Now(ctx); err != nil {
		return nil, err
	}
	if o.zipped() {
		if r.Payload.PartBytes == 0 {
			r.Payload.PartBytes = dataexport.MaxPartBytes
		}
		return dataexport.NewFile(o.Out), nil
	}
	to, err := dataexport.NewDir(o.Out)
	if err != nil {
		return nil, err
	}
	const name = "request.json"
	var began dataexport.Request
	in, err := to.Open(ctx, name)
	if errors.Is(err, fs.ErrNotExist) {
		_, err := to.PutNamed(ctx, name, record.ObjectMeta{}, func(w io.Writer) error { return json.NewEncoder(w).Encode(r) })
		return to, err
	}
	if err != nil {
		return nil, err
	}
	err = json.NewDecoder(in).Decode(&began)
	if err = errors.Join(err, in.Close()); err != nil {
		return nil, callmodel.Errorf(callmodel.CodeConflict, "%s can't be read: %w", filepath.Join(o.Out, name), err)
	}
	asked := *r
	asked.AsOf = began.AsOf
	if x, y := mustJSON(asked), mustJSON(began); x != y {
		return nil, callmodel.Errorf(callmodel.CodeConflict, "%s has another export, begun at %s: choose another directory", o.Out, began.AsOf.Format(time.RFC3339))
	}
	r.AsOf = began.AsOf
	return to, nil
}

// mustJSON is v as JSON, of types that always have one.
func mustJSON(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

func printExported(s cli.Streams, status string, n *dataexport.Counts, bytes int64, missing map[string]int64) {
	s.Printf("%s: %d calls, %d recordings, %d of their files, %d jobs, %d users, %d audit lines, %d deliveries; %d bytes\n",
		status, n.Calls, n.Recordings, n.Objects, n.Jobs, n.Users, n.AuditLines, n.Deliveries, bytes)
	for _, why := range sortedKeys(missing) {
		s.Printf("missing: %d %s\n", missing[why], why)
	}
}

func sortedKeys(m map[string]int64) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// fileMode is of what is fetched: people's data is their own.
const fileMode fs.FileMode = 0o600

// save writes what a server sends to a file that must not exist yet.
func save(path string, body io.Reader) (err error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, fileMode) //nolint:gosec // the operator has named it
	if errors.Is(err, fs.ErrExist) {
		return callmodel.Errorf(callmodel.CodeConflict, "%s is there already, and isn't overwritten: choose another --out, or remove it first", path)
	}
	if err != nil {
		return err
	}
	_, err = io.Copy(f, body)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		err = errors.Join(err, os.Remove(path))
	}
	return err
}
