package stored

import (
	"archive/zip"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"path"
	"slices"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording/task"
)

// KindExport is the kind of the jobs that pack a call.
const KindExport = "export"

// ExportPayload is what an export job is to pack.
type ExportPayload struct {
	CallID callmodel.CallID `json:"call_id"`
}

// Validate reports every fault of the payload, as FieldErrors.
func (p *ExportPayload) Validate() error {
	var e callmodel.FieldErrors
	e.CheckID("call_id", string(p.CallID))
	return e.Err()
}

// Exported is the result of an export job.
type Exported struct {
	// Status is "completed", or "absent" if the recordings have no objects and there is
	// no call either: the rest is empty then.
	Status record.Status `json:"status"`
	Reason string        `json:"reason,omitempty"` // why it is absent
	URL    string        `json:"url"`
	Key    string        `json:"key"` // its key in the bucket
	Bytes  int64         `json:"bytes"`
	SHA256 string        `json:"sha256"` // hex
	Files  []string      `json:"files"`  // in the zip, in their order
}

// Retriable reports whether more can come of the job: the recordings may have been made
// meanwhile.
func (e Exported) Retriable() bool { return e.Status != record.StatusCompleted }

// Export is the kind of the jobs that pack a call with all its parts. Their payload is an
// [ExportPayload], their result an [Exported]. A job waits until the call is over and all
// its recordings are finished.
//
// The zip has the call as call.json, its events as events.json, and each recording's
// outputs and manifest in recordings/ID/. Recordings with the call's id of which no call
// is stored, as those of a spool, that were handed in by themselves or adopted, are packed
// alone. The zip is streamed to the bucket, nothing in it is compressed, and every file
// has the time of the call's beginning: the same call always gives the same bytes. A part
// that isn't what was stored any more fails the job, and no zip is there then. l may be
// nil where such jobs are only enqueued.
func Export(l *Library) task.Kind {
	if l == nil {
		return task.Of[ExportPayload](KindExport, nil)
	}
	return task.Of(KindExport, l.export)
}

func (l *Library) export(ctx context.Context, j *task.Job, p ExportPayload) (any, error) {
	b, err := l.bundle(ctx, j.TenantID, p.CallID)
	if err != nil {
		return nil, err
	}
	if b.call == nil && len(b.parts) == 0 {
		return Exported{Status: record.StatusAbsent, Reason: b.reason, Files: []string{}}, nil
	}
	key := record.ObjectKey{
		TenantID: j.TenantID, CallID: p.CallID, RecordingID: callmodel.RecordingID(j.Key), StartedAt: b.begun, Version: 1, Ext: "zip",
	}
	var files []string
	info, err := l.objects.Put(ctx, key, record.ObjectMeta{ContentType: "application/zip"}, func(w io.Writer) (err error) {
		files, err = l.pack(ctx, w, b)
		return err
	})
	if damage, ok := errors.AsType[*DamageError](err); ok {
		return nil, callmodel.Permanent(damage)
	}
	if err != nil {
		return nil, err
	}
	return Exported{
		Status: record.StatusCompleted, URL: info.URL, Key: info.Key.String(), Bytes: info.Bytes, SHA256: info.SHA256, Files: files,
	}, nil
}

// bundle is what a zip is packed of.
type bundle struct {
	call   *calls.Call // nil: none is stored
	events []calls.Event
	begun  time.Time // the call, or the first recording
	parts  []part
	reason string // why the last recording that is absent is so
}

// bundle finds the parts of a call that is over, or of the recordings with its id.
func (l *Library) bundle(ctx context.Context, tenant callmodel.TenantID, id callmodel.CallID) (*bundle, error) {
	b := &bundle{}
	c, err := l.ledger.Call(ctx, tenant, id)
	switch {
	case errors.Is(err, callmodel.ErrNotFound):
	case err != nil:
		return nil, err
	case !c.State.Final():
		return nil, callmodel.RetryAfter(callmodel.Errorf(callmodel.CodeConflict, "call %s isn't over: it is %s", c.ID, c.State), 0)
	default:
		b.call, b.begun = &c, c.CreatedAt
		if b.events, err = l.ledger.CallEvents(ctx, tenant, id); err != nil {
			return nil, err
		}
	}
	recordings, err := l.ofCall(ctx, tenant, id)
	if err != nil {
		return nil, err
	}
	if b.call == nil && len(recordings) == 0 {
		return nil, callmodel.Permanent(callmodel.Errorf(callmodel.CodeNotFound, "the tenant has no such call, and no finished recording of it"))
	}
	for _, r := range recordings {
		if b.call == nil && (b.begun.IsZero() || r.Spec.StartedAt.Before(b.begun)) {
			b.begun = r.Spec.StartedAt
		}
		b.reason = cmp.Or(r.Result.Reason, b.reason)
		objects, err := r.Objects()
		if err != nil {
			return nil, err
		}
		for _, o := range objects {
			b.parts = append(b.parts, part{path.Join("recordings", string(r.Spec.RecordingID), path.Base(o.Key)), o})
		}
	}
	slices.SortFunc(b.parts, func(a, b part) int { return cmp.Compare(a.name, b.name) })
	return b, nil
}

// part is an object to pack.
type part struct {
	name string // in the zip
	Object
}

// documents are what the zip says of the call, by their names.
func (b *bundle) documents() []document {
	if b.call == nil {
		return nil
	}
	return []document{{"call.json", b.call}, {"events.json", b.events}}
}

type document struct {
	name string
	v    any
}

// pack writes the zip.
func (l *Library) pack(ctx context.Context, w io.Writer, b *bundle) (names []string, err error) {
	z := zip.NewWriter(w)
	add := func(name string) (io.Writer, error) {
		names = append(names, name)
		return z.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Store, Modified: b.begun.UTC().Truncate(2 * time.Second)})
	}
	for _, doc := range b.documents() {
		f, err := add(doc.name)
		if err != nil {
			return nil, err
		}
		e := json.NewEncoder(f)
		e.SetIndent("", "  ")
		if err := e.Encode(doc.v); err != nil {
			return nil, err
		}
	}
	for i := range b.parts {
		f, err := add(b.parts[i].name)
		if err != nil {
			return nil, err
		}
		if err := l.Copy(ctx, f, &b.parts[i].Object); err != nil {
			return nil, err
		}
	}
	return names, z.Close()
}
