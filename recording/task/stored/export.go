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
	Status record.Status `json:"status"` // "completed"
	URL    string        `json:"url"`
	Key    string        `json:"key"` // its key in the bucket
	Bytes  int64         `json:"bytes"`
	SHA256 string        `json:"sha256"` // hex
	Files  []string      `json:"files"`  // in the zip, in their order
}

// Export is the kind of the jobs that pack a call with all its parts. Their payload is an
// [ExportPayload], their result an [Exported]. A job waits until the call is over and all
// its recordings are finished.
//
// The zip has the call as call.json, its events as events.json, and each recording's
// outputs and manifest in recordings/ID/. It is streamed to the bucket, nothing in it is
// compressed, and every file has the time of the call's beginning: the same call always
// gives the same bytes. A part that isn't what was stored any more fails the job, and no
// zip is there then. l may be nil where such jobs are only enqueued.
func Export(l *Library) task.Kind {
	if l == nil {
		return task.Of[ExportPayload](KindExport, nil)
	}
	return task.Of(KindExport, l.export)
}

func (l *Library) export(ctx context.Context, j *task.Job, p ExportPayload) (any, error) {
	c, err := l.ledger.Call(ctx, j.TenantID, p.CallID)
	switch {
	case errors.Is(err, callmodel.ErrNotFound):
		return nil, callmodel.Permanent(callmodel.Errorf(callmodel.CodeNotFound, "the tenant has no such call"))
	case err != nil:
		return nil, err
	case !c.State.Final():
		return nil, callmodel.RetryAfter(callmodel.Errorf(callmodel.CodeConflict, "call %s isn't over: it is %s", c.ID, c.State), 0)
	}
	events, err := l.ledger.CallEvents(ctx, j.TenantID, p.CallID)
	if err != nil {
		return nil, err
	}
	parts, err := partsOf(&c)
	if err != nil {
		return nil, err
	}
	key := record.ObjectKey{
		TenantID: j.TenantID, CallID: c.ID, RecordingID: callmodel.RecordingID(j.Key), StartedAt: c.CreatedAt, Version: 1, Ext: "zip",
	}
	var files []string
	info, err := l.objects.Put(ctx, key, record.ObjectMeta{ContentType: "application/zip"}, func(w io.Writer) (err error) {
		files, err = l.pack(ctx, w, &c, events, parts)
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

// part is an object to pack.
type part struct {
	name string // in the zip
	Object
}

// partsOf are the objects of the call's recordings, by name.
func partsOf(c *calls.Call) ([]part, error) {
	var parts []part
	for i := range c.Recordings {
		r := &c.Recordings[i]
		if r.State == string(calls.RecordingPending) {
			return nil, callmodel.RetryAfter(callmodel.Errorf(callmodel.CodeConflict, "recording %s of call %s isn't finished yet", r.RecordingID, c.ID), 0)
		}
		objects, err := objectsOf(c.TenantID, r.Outputs, r.Manifest)
		if err != nil {
			return nil, err
		}
		for _, o := range objects {
			parts = append(parts, part{path.Join("recordings", string(r.RecordingID), path.Base(o.Key)), o})
		}
	}
	slices.SortFunc(parts, func(a, b part) int { return cmp.Compare(a.name, b.name) })
	return parts, nil
}

// pack writes the zip.
func (l *Library) pack(ctx context.Context, w io.Writer, c *calls.Call, events []calls.Event, parts []part) (names []string, err error) {
	z := zip.NewWriter(w)
	add := func(name string) (io.Writer, error) {
		names = append(names, name)
		return z.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Store, Modified: c.CreatedAt.UTC().Truncate(2 * time.Second)})
	}
	for _, doc := range []struct {
		name string
		v    any
	}{{"call.json", c}, {"events.json", events}} {
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
	for i := range parts {
		f, err := add(parts[i].name)
		if err != nil {
			return nil, err
		}
		if err := l.Copy(ctx, f, &parts[i].Object); err != nil {
			return nil, err
		}
	}
	return names, z.Close()
}
