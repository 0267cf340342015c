package dataexport

import (
	"context"
	"encoding/json"
	"path"
	"strconv"
	"strings"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/callmodel/rulesets"
)

type rulesVersion = rulesets.Version

// ofCall is a call with all its parts; c is nil if none is stored with the id.
func (w *walk) ofCall(ctx context.Context, id callmodel.CallID, c *calls.Call) (u unit, err error) {
	dir := path.Join("calls", string(id))
	if c != nil {
		events, err := w.source.CallEvents(ctx, w.tenant, id)
		if err != nil {
			return u, err
		}
		u.entries = append(u.entries, document(path.Join(dir, "call.json"), c), document(path.Join(dir, "events.json"), events))
		u.counts.Calls = 1
	}
	var list []ledger.Job
	if err := w.eachJob(ctx, id, func(j *ledger.Job) error {
		if j.Kind == Kind || j.Kind == KindDelete { // about the export itself
			return nil
		}
		list = append(list, *j)
		return w.addJob(ctx, &u, dir, j)
	}); err != nil {
		return u, err
	}
	return u, w.addListed(ctx, &u, dir, list)
}

// object is one that a job's result names.
type object struct {
	Key    string `json:"key"`
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
}

// objectsOf are the objects that the job's result names: a recording's as record.Result
// says, those of other kinds by key, bytes and sha256, or by a list outputs of such.
func objectsOf(j *ledger.Job) ([]object, error) {
	if len(j.Result) == 0 || j.Kind == Kind || j.Kind == KindDelete {
		return nil, nil
	}
	var res struct {
		object

		Outputs  []object `json:"outputs"`
		Manifest *object  `json:"manifest"`
	}
	if err := json.Unmarshal(j.Result, &res); err != nil {
		if j.Kind == record.Kind {
			return nil, err
		}
		return nil, nil // a kind's result may be of any form; the job's file has it
	}
	all := res.Outputs
	if res.Manifest != nil {
		all = append(all, *res.Manifest)
	}
	all = append(all, res.object)
	named := all[:0]
	for _, o := range all {
		if o.Key != "" && (o.SHA256 != "" || j.Kind == record.Kind) {
			named = append(named, o)
		}
	}
	return named, nil
}

// addJob adds a job, with its result, and the objects that it names.
func (w *walk) addJob(_ context.Context, u *unit, dir string, j *ledger.Job) error {
	u.entries = append(u.entries, document(path.Join(dir, "jobs", string(j.ID)+".json"), j))
	u.counts.Jobs++
	miss := Missing{CallID: j.CallID, JobID: j.ID}
	spec := record.Spec{TenantID: j.TenantID}
	inBackup := false
	if j.Kind == record.Kind {
		miss.RecordingID = j.Key
		u.counts.Recordings++
		var err error
		if spec, err = record.SpecOf(j); err != nil {
			u.missing = append(u.missing, miss.why(MissingUnreadable, err.Error()))
			spec = record.Spec{TenantID: j.TenantID}
		}
		r, err := record.ResultOf(j)
		inBackup = err == nil && r != nil && r.InBackup
		switch made := err == nil && r != nil && r.Made(); {
		case err != nil:
			u.missing = append(u.missing, miss.why(MissingUnreadable, err.Error()))
		case j.State == ledger.Queued || j.State == ledger.Running:
			u.missing = append(u.missing, miss.why(MissingPending, "its job is "+string(j.State)+"; a version, or a later one, may follow"))
		case j.State == ledger.Quarantined && !made:
			u.missing = append(u.missing, miss.why(MissingQuarantined, j.LastError))
		case !made && r != nil && r.Reason == MissingErased: // what a recording that was deleted says of itself
			u.missing = append(u.missing, miss.why(MissingErased, "it was deleted; the audit log says when and why"))
		case !made && r != nil:
			u.missing = append(u.missing, miss.why(MissingAbsent, r.Reason))
		}
	}
	objects, err := objectsOf(j)
	if err != nil {
		return nil //nolint:nilerr // it was said above
	}
	for _, o := range objects {
		miss := miss
		miss.Object, miss.SHA256 = o.Key, o.SHA256
		if !spec.Owns(o.Key) {
			u.missing = append(u.missing, miss.why(MissingForeign, "the object isn't in the tenant's part of the bucket"))
			continue
		}
		if miss.Why = MissingObject; inBackup {
			miss.Why = MissingElsewhere
		}
		u.object(dir, j.Key, o, miss)
	}
	return nil
}

// why is the fault with its reason.
func (m Missing) why(reason, detail string) Missing {
	m.Why, m.Detail = reason, detail
	return m
}

// object adds an object of the bucket, unless the unit has it already.
func (u *unit) object(dir, key string, o object, miss Missing) {
	name := path.Join(dir, "recordings", safe(key), safe(path.Base(o.Key)))
	for i := range u.entries {
		switch e := &u.entries[i]; {
		case e.key == o.Key:
			return
		case e.path == name:
			ext := path.Ext(name)
			name = strings.TrimSuffix(name, ext) + "-" + strconv.Itoa(len(u.entries)) + ext
		}
	}
	u.entries = append(u.entries, entry{path: name, key: o.Key, bytes: o.Bytes, sha256: o.SHA256, miss: miss})
	u.counts.Objects++
}

// addListed adds what the bucket has beside the recordings of the jobs: earlier versions
// of theirs, which the ledger doesn't name any more.
func (w *walk) addListed(ctx context.Context, u *unit, dir string, list []ledger.Job) error {
	seen := map[string]bool{}
	for i := range list {
		j := &list[i]
		if j.Kind != record.Kind {
			continue
		}
		spec, err := record.SpecOf(j)
		if err != nil {
			continue // it was said
		}
		k := spec.ManifestKey()
		if k.Validate() != nil {
			continue // nothing was stored under such a key
		}
		prefix := path.Dir(k.String()) + "/"
		if seen[prefix] {
			continue
		}
		seen[prefix] = true
		if err := w.objects.List(ctx, prefix, func(key string, bytes int64) bool {
			of, ours := record.ParseObjectKey(key)
			if ours && of.TenantID == w.tenant {
				miss := Missing{Why: MissingObject, CallID: of.CallID, RecordingID: string(of.RecordingID), Object: key}
				u.object(dir, string(of.RecordingID), object{Key: key, Bytes: -1}, miss)
			}
			return true
		}); err != nil {
			return err
		}
	}
	return nil
}

// safe is a name of a key, or of a part of one, as a file of any system may have it.
func safe(name string) string {
	name = strings.Map(func(c rune) rune {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '.', c == '-', c == '_', c == '~':
			return c
		}
		return '_'
	}, name)
	if strings.Trim(name, ".") == "" {
		return "_"
	}
	return name
}
