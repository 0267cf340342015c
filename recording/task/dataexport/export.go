package dataexport

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strconv"
	"strings"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/outbox"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording/task"
)

// Names of an export's files, for people.
const (
	indexName = "index.json"
	pageName  = "index.html"
)

// PartName is the name for people of the part of that number, from 1.
func PartName(n int) string { return fmt.Sprintf("part-%04d.zip", n) }

// noteName is the name of what is kept beside the part.
func noteName(n int) string { return fmt.Sprintf("part-%04d.json", n) }

// Exporter makes exports. It may be used by any number of goroutines.
type Exporter struct {
	source  Source
	ledger  Ledger
	objects Objects
}

// NewExporter makes exports of the data of s and the recordings in o. l gets the jobs that
// delete them; nil where exports are made without a job.
func NewExporter(s Source, l Ledger, o Objects) *Exporter {
	return &Exporter{source: s, ledger: l, objects: o}
}

// Prefix is below what the objects of an export are: in the tenant's part of the bucket,
// so that no tenant of whatever name has another's.
func Prefix(t callmodel.TenantID, key string) string {
	return string(t) + "/exports/" + key + "/"
}

// Request is an export to be made.
type Request struct {
	TenantID callmodel.TenantID
	// Key names the export: a valid id. The objects of an export of the same key are
	// those of an attempt before.
	Key string
	// Attempt tells apart what several attempts write: a valid id.
	Attempt string
	AsOf    time.Time
	// ExpiresAt is when it is deleted; zero: nobody deletes it.
	ExpiresAt time.Time
	Payload   Payload
	// AtOnce is after how many bytes an attempt ends with a RetryAfterError, of which the
	// next one goes on, so that none takes as long as an attempt may, nor keeps others
	// waiting. 0: it makes all.
	AtOnce int64
	// Flat leaves the prefix out of the names: the place has nothing but this export.
	Flat bool
}

func (r *Request) name(of string) string {
	if r.Flat {
		return of
	}
	return Prefix(r.TenantID, r.Key) + of
}

// Kind is the kind of the jobs that make exports, in the same bucket as the recordings. e
// may be nil where such jobs are only enqueued.
func (e *Exporter) Kind(to Place) task.Kind {
	if e == nil {
		return task.Of[Payload](Kind, nil)
	}
	return task.Of(Kind, func(ctx context.Context, j *task.Job, p Payload) (any, error) {
		r := &Request{
			TenantID: j.TenantID, Key: j.Key, Attempt: strconv.FormatInt(j.Token, 10), AsOf: j.CreatedAt, ExpiresAt: j.CreatedAt.Add(p.keep()), Payload: p,
			AtOnce: attemptBytes,
		}
		if e.ledger != nil { // before there is anything to delete
			if err := e.expire(ctx, r); err != nil {
				return nil, err
			}
		}
		done, err := e.Export(ctx, to, r)
		if err != nil {
			return nil, err
		}
		return outcome(&done, r)
	})
}

// event is the body of the event that an export is there.
type event struct {
	Type     string             `json:"type"`
	TenantID callmodel.TenantID `json:"tenant_id"`
	CallID   callmodel.CallID   `json:"call_id,omitempty"`
	At       time.Time          `json:"at"`
	Export   eventExport        `json:"export"`
}

type eventExport struct {
	ID  callmodel.JobID `json:"id"`
	Key string          `json:"key"`
	Of  string          `json:"of"`

	Status    record.Status    `json:"status"`
	Reason    string           `json:"reason,omitempty"`
	Parts     int              `json:"parts"`
	Bytes     int64            `json:"bytes"`
	SHA256    string           `json:"sha256"` // of the index, which has those of the parts
	Counts    Counts           `json:"counts"`
	Missing   map[string]int64 `json:"missing,omitempty"`
	ExpiresAt time.Time        `json:"expires_at,omitzero"`
}

// outcome is the result with its event and its audit line. Neither has the number: who is
// told of events needn't know whom somebody asks about.
func outcome(done *Exported, r *Request) (ledger.Outcome, error) {
	result, err := json.Marshal(done)
	if err != nil {
		return ledger.Outcome{}, callmodel.Permanent(fmt.Errorf("encode an export's result: %w", err))
	}
	return ledger.Outcome{Result: result, Effects: func(c ledger.Commit) (ledger.Effects, error) {
		body, err := json.Marshal(event{
			Type: outbox.ExportCompleted, TenantID: c.TenantID, CallID: r.Payload.CallID, At: c.At,
			Export: eventExport{
				ID: c.JobID, Key: c.Key, Of: r.Payload.Of, Status: done.Status, Reason: done.Reason, Parts: len(done.Parts), Bytes: done.Bytes,
				SHA256: done.Index.SHA256, Counts: done.Counts, Missing: done.Missing, ExpiresAt: done.ExpiresAt,
			},
		})
		if err != nil {
			return ledger.Effects{}, err
		}
		detail := map[string]string{
			"kind": Kind, "key": c.Key, "of": r.Payload.Of, "status": string(done.Status), "parts": strconv.Itoa(len(done.Parts)),
			"bytes": strconv.FormatInt(done.Bytes, 10), "calls": strconv.FormatInt(done.Counts.Calls, 10), "index_sha256": done.Index.SHA256,
		}
		if r.Payload.CallID != "" {
			detail["call_id"] = string(r.Payload.CallID)
		}
		key := outbox.ExportCompleted + ":" + string(c.JobID)
		if c.Retries > 0 {
			key += fmt.Sprintf(".%d", c.Retries)
		}
		return ledger.Effects{
			Event:  &callmodel.OutboxEvent{Key: key, TenantID: c.TenantID, Type: outbox.ExportCompleted, Subject: string(c.JobID), Body: body},
			Detail: detail,
		}, nil
	}}, nil
}

// Export makes the export, or what is left of it after an attempt that was stopped. What
// an attempt stores isn't part of the export until it is noted, create-only: of two that
// run at the same time the slower one ends with a RetryAfterError. The error of a bucket
// that is away is Objects' or Place's own.
func (e *Exporter) Export(ctx context.Context, to Place, r *Request) (Exported, error) {
	a := &about{
		Format: format, Export: r.Key, TenantID: r.TenantID, Of: r.Payload.Of, CallID: r.Payload.CallID, Number: r.Payload.Number,
		Since: r.Payload.Since, Until: r.Payload.Until, AsOf: r.AsOf, ExpiresAt: r.ExpiresAt, Notes: notes(r.Payload.Of),
	}
	parts, last, err := noted(ctx, to, r)
	if err != nil {
		return Exported{}, err
	}
	w := &walk{source: e.source, objects: e.objects, tenant: r.TenantID, p: &r.Payload, asOf: r.AsOf}
	if w.begin(); last != nil {
		w.at = last.Next
	}
	for first := len(parts); last == nil || !w.done(); {
		if r.AtOnce > 0 && len(parts) > first && (bytesOf(parts[first:]) >= r.AtOnce || len(parts)-first >= attemptParts) {
			return Exported{}, callmodel.RetryAfter(callmodel.Errorf(callmodel.CodeConflict, "the export %s goes on: %d parts are stored", r.Key, len(parts)), time.Second)
		}
		if last == nil {
			last = &note{Missing: map[string]int64{}}
		}
		if err := e.part(ctx, to, r, a, w, len(parts)+1, last); err != nil {
			return Exported{}, err
		}
		parts = append(parts, last.Part)
	}
	done := exported(a, parts, last)
	if c := &done.Counts; r.Payload.Of != OfTenant && c.Calls+c.Recordings+c.Jobs+c.Users == 0 {
		return Exported{Status: record.StatusAbsent, Reason: "the tenant has no such call, and no recording of one: nothing was found", AsOf: r.AsOf}, nil
	}
	return done, e.finish(ctx, to, r, a, &done)
}

// What an attempt of a job makes at most: minutes of a slow bucket's time.
const (
	attemptBytes = 4 << 30
	attemptParts = 64
)

func bytesOf(parts []Part) (n int64) {
	for i := range parts {
		n += parts[i].Bytes
	}
	return n
}

// noted are the parts that an attempt before has stored; nil for none.
func noted(ctx context.Context, to Place, r *Request) (parts []Part, last *note, err error) {
	for {
		n := &note{}
		err := readNote(ctx, to, r.name(noteName(len(parts)+1)), n)
		if errors.Is(err, fs.ErrNotExist) {
			return parts, last, nil
		}
		if err != nil {
			return nil, nil, err
		}
		parts, last = append(parts, n.Part), n
	}
}

// maxNote bounds a note, in bytes.
const maxNote = 1 << 20

func readNote(ctx context.Context, to Place, name string, n *note) error {
	in, err := to.Open(ctx, name)
	if err != nil {
		return err
	}
	b, err := io.ReadAll(io.LimitReader(in, maxNote))
	if err = errors.Join(err, in.Close()); err != nil {
		return err
	}
	if err := json.Unmarshal(b, n); err != nil {
		return callmodel.Permanent(callmodel.Errorf(callmodel.CodeConflict, "the export's note %s can't be read: %w; delete what is below it, and export again", name, err))
	}
	return nil
}

// part stores the next part of the walk, notes it, and adds it to last.
func (e *Exporter) part(ctx context.Context, to Place, r *Request, a *about, w *walk, n int, last *note) error {
	name := strings.TrimSuffix(PartName(n), ".zip") + "." + r.Attempt + ".zip"
	if r.Flat {
		name = PartName(n)
	}
	var z *archive
	info, err := to.PutNamed(ctx, r.name(name), record.ObjectMeta{ContentType: "application/zip"}, func(out io.Writer) error {
		z = newArchive(out, r.AsOf)
		for !w.done() && !z.full(r.Payload.partBytes()) {
			u, err := w.next(ctx)
			if err == nil {
				err = z.add(ctx, e.objects, &u)
			}
			if err != nil {
				return err
			}
		}
		return z.finish(&partIndex{about: *a, Part: n})
	})
	if err != nil {
		return err
	}
	last.Part = Part{
		Stored: Stored{URL: info.URL, Object: r.name(name), Bytes: info.Bytes, SHA256: info.SHA256},
		Files:  int64(len(z.files)), Missing: int64(len(z.missing)),
	}
	last.Counts.add(&z.counts)
	for i := range z.missing {
		last.Missing[z.missing[i].Why]++
	}
	last.Next = w.at
	if _, err := put(ctx, to, r.name(noteName(n)), "application/json", func(out io.Writer) error { return writeJSON(out, last) }); err != nil {
		if callmodel.CodeOf(err) == callmodel.CodeConflict {
			return callmodel.RetryAfter(callmodel.Errorf(callmodel.CodeConflict, "another attempt at the export %s has stored part %d: %w", r.Key, n, err), 0)
		}
		return err
	}
	return nil
}

// finish stores the index of all parts.
func (e *Exporter) finish(ctx context.Context, to Place, r *Request, a *about, done *Exported) (err error) {
	index := &wholeIndex{about: *a, Parts: done.Parts, Bytes: done.Bytes, Counts: done.Counts, Missing: done.Missing}
	if done.Index, err = put(ctx, to, r.name(indexName), "application/json", func(w io.Writer) error { return writeJSON(w, index) }); err != nil {
		return err
	}
	done.Page, err = put(ctx, to, r.name(pageName), "text/html; charset=utf-8", func(w io.Writer) error { return writeWholePage(w, index) })
	return err
}

func put(ctx context.Context, to Place, name, contentType string, write func(io.Writer) error) (Stored, error) {
	info, err := to.PutNamed(ctx, name, record.ObjectMeta{ContentType: contentType}, write)
	return Stored{URL: info.URL, Object: name, Bytes: info.Bytes, SHA256: info.SHA256}, err
}
