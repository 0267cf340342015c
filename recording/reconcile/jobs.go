package reconcile

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
)

// sorted is what the ledger's jobs name.
type sorted struct{ home, backup, legs *runs }

func (n *sorted) all() []*runs { return []*runs{n.home, n.backup, n.legs} }

func (n *sorted) full(most int) bool {
	return slices.ContainsFunc(n.all(), func(r *runs) bool { return r.full(most) })
}

// jobs compares the ledger's jobs with what is beside them, and sorts the keys of their
// objects and their legs.
func (r *run) jobs(ctx context.Context) error {
	n := &sorted{openRuns(r.dir, "objects", r.at.Home.Runs), openRuns(r.dir, "backup", r.at.Backup.Runs), openRuns(r.dir, "legs", r.at.Legs)}
	for after := r.at.Job; ; {
		var page []ledger.Linked
		if err := r.within(ctx, func(ctx context.Context) (err error) { page, err = r.ledger.Linked(ctx, after, jobsAtOnce); return err }); err != nil {
			return err
		}
		for i := range page {
			if err := r.job(ctx, &page[i], n); err != nil {
				return err
			}
		}
		if len(page) > 0 {
			after = page[len(page)-1].ID
		}
		if len(page) > 0 && !n.full(r.opts.SortEntries) {
			continue
		}
		if err := r.flush(after, n); err != nil || len(page) == 0 {
			return err
		}
	}
}

// flush writes the sorted runs, and then keeps that they are there.
func (r *run) flush(after callmodel.JobID, n *sorted) error {
	var old []string
	for _, one := range n.all() {
		merged, err := one.flush()
		if err != nil {
			return err
		}
		old = append(old, merged...)
	}
	r.at.Job, r.at.Home.Runs, r.at.Backup.Runs, r.at.Legs = after, n.home.state(), n.backup.state(), n.legs.state()
	err := r.keep()
	if err == nil {
		for _, name := range old {
			err = errors.Join(err, os.Remove(filepath.Join(r.dir, name)))
		}
	}
	return err
}

// finding is a mismatch of the job.
func finding(k Kind, j *ledger.Job) Finding {
	f := Finding{Kind: k, TenantID: j.TenantID, CallID: j.CallID, JobID: j.ID}
	if j.Kind == record.Kind {
		f.RecordingID = callmodel.RecordingID(j.Key)
	}
	return f
}

func (r *run) job(ctx context.Context, l *ledger.Linked, n *sorted) error {
	r.at.Report.Jobs++
	ended := l.State == ledger.Done || l.State == ledger.Quarantined
	made := l.Kind == record.Kind
	if !ended && made {
		r.at.Report.Waiting++
	}
	if err := r.beside(ctx, l); err != nil {
		return err
	}
	if age := r.now.Sub(l.CreatedAt); made && !ended && !l.Published && age > r.opts.Overdue {
		f := finding(JobOverdue, &l.Job)
		f.Detail = fmt.Sprintf("it is %s, %v after it was enqueued", l.State, age.Round(1e9))
		if l.LastError != "" {
			f.Detail += ": " + l.LastError
		}
		if err := r.found(ctx, f, nil); err != nil {
			return err
		}
	}
	objects := objectsOf(&l.Job)
	if len(objects) > 0 && objects[0].Backup {
		r.at.Report.InBackup++
	}
	for _, e := range objects {
		switch {
		case !e.Backup:
			n.home.add(e)
		case r.opts.Backup != nil:
			n.backup.add(e)
		}
	}
	if r.opts.Legs == nil || !made {
		return nil
	}
	spec, err := record.SpecOf(&l.Job)
	if err != nil {
		return nil //nolint:nilerr // a job whose payload can't be read names no legs; its worker sets it aside
	}
	must := (l.State == ledger.Queued || l.State == ledger.Quarantined) && (r.opts.Queues == nil || slices.Contains(r.opts.Queues, l.Queue))
	for i := range spec.Legs {
		for _, s := range spec.Legs[i].Segments {
			n.legs.add(expected{Key: legOrder(s.URI), Bytes: -1, Job: string(l.ID), Must: must})
		}
	}
	return nil
}

// beside compares the job with its call's entry and the outbox.
func (r *run) beside(ctx context.Context, l *ledger.Linked) error {
	repair := func(ctx context.Context) (bool, error) { return r.ledger.Relink(ctx, l.ID, r.opts.Actor) }
	if l.Unreadable != "" {
		f := finding(ResultUnreadable, &l.Job)
		f.Detail = l.Unreadable
		return r.found(ctx, f, nil)
	}
	f := finding("", &l.Job)
	switch is, err := compareEntries(l.Wanted, l.Entry); {
	case err != nil:
		return err
	case is != "":
		f.Kind, f.Detail = is, "its call doesn't show it"
		if is == EntryDiffers {
			f.Detail = "its call shows another recording than the job has made"
		}
		if err := r.found(ctx, f, repair); err != nil {
			return err
		}
		if l.Untold && r.opts.Repair { // the one repair has mended both
			repair = func(context.Context) (bool, error) { return true, nil }
		}
	}
	if !l.Untold {
		return nil
	}
	f.Kind, f.Detail = EventMissing, "the outbox has no event of its end"
	return r.found(ctx, f, repair)
}

// compareEntries is what is wrong with the entry that there is; "" for nothing.
func compareEntries(wanted, entry json.RawMessage) (Kind, error) {
	if wanted == nil {
		return "", nil
	}
	if entry == nil {
		return EntryMissing, nil
	}
	var w, e record.CallEntry
	if err := json.Unmarshal(wanted, &w); err != nil {
		return "", err
	}
	if json.Unmarshal(entry, &e) != nil || !w.SameObjects(&e) {
		return EntryDiffers, nil //nolint:nilerr // one that can't be read is another
	}
	return "", nil
}

// objectsOf are the objects that the job's result names, whatever becomes of the job yet.
// Jobs of other kinds name theirs as recordings do: by key, bytes and sha256, or by a list
// outputs of such; what has the key of something else isn't meant.
func objectsOf(j *ledger.Job) []expected {
	var list []expected
	add := func(key string, bytes int64, sha256 string) {
		list = append(list, expected{Key: key, Bytes: bytes, SHA256: sha256, Job: string(j.ID), Must: true})
	}
	if j.Kind != record.Kind {
		type object struct {
			Key    string `json:"key"`
			Bytes  int64  `json:"bytes"`
			SHA256 string `json:"sha256"`
		}
		var res struct {
			object

			Outputs []object `json:"outputs"`
		}
		if len(j.Result) == 0 || json.Unmarshal(j.Result, &res) != nil {
			return nil
		}
		for _, o := range append(res.Outputs, res.object) {
			if k, ours := record.ParseObjectKey(o.Key); ours && k.TenantID == j.TenantID && o.Bytes > 0 && o.SHA256 != "" {
				add(o.Key, o.Bytes, o.SHA256)
			}
		}
		return list
	}
	res, err := record.ResultOf(j)
	if err != nil || res == nil {
		return nil
	}
	for i := range res.Outputs {
		if o := &res.Outputs[i]; o.Key != "" {
			add(o.Key, o.Bytes, o.SHA256)
		}
	}
	if m := res.Manifest; m != nil && m.Key != "" {
		add(m.Key, m.Bytes, m.SHA256)
	}
	for i := range list {
		list[i].Backup = res.InBackup
	}
	return list
}

// clean is the path without what changes nothing in it; "" stays.
func clean(name string) string {
	if name == "" {
		return ""
	}
	return path.Clean(name)
}

// legOrder is the path of a leg in a form whose byte order is that of fs.WalkDir.
func legOrder(name string) string { return strings.ReplaceAll(clean(name), "/", "\x00") }
