package reconcile

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
)

// side is one of the buckets: the recordings' own, or the backup.
type side struct {
	bucket Bucket
	at     *bucketPosition
	runs   string // the name of those of what the ledger names there
	backup bool
}

// home compares the recordings' own bucket.
func (r *run) home(ctx context.Context) error {
	return r.objects(ctx, &side{r.bucket, &r.at.Home, "objects", false})
}

// backup compares the backup, if there is one.
func (r *run) backup(ctx context.Context) error {
	if r.opts.Backup == nil {
		return nil
	}
	return r.objects(ctx, &side{r.opts.Backup, &r.at.Backup, "backup", true})
}

// finding is a mismatch of an object there.
func (s *side) finding(k Kind, key string) Finding {
	f := Finding{Kind: k, Key: key}
	if s.backup {
		f.Bucket = s.at.Bucket
	}
	return f
}

// of is the finding with what it has of its job.
func (f Finding) of(j *ledger.Job) Finding {
	is := finding(f.Kind, j)
	is.Key, is.Bucket, is.Detail = f.Key, f.Bucket, f.Detail
	return is
}

// listing gives the objects of a bucket key by key, with their versions.
type listing struct {
	r     *run
	of    Bucket
	token string // of the page
	page  record.Listing
	i     int
	began bool
}

// object is a key of the bucket.
type object struct {
	key      string
	versions []record.Listed // in any order
	token    string          // of the page in which it begins
}

// current is the version that readers get; nil if it was deleted.
func (o *object) current() *record.Listed {
	for i := range o.versions {
		if o.versions[i].Current && !o.versions[i].Deleted {
			return &o.versions[i]
		}
	}
	return nil
}

// next is the next object; false at the end.
func (l *listing) next(ctx context.Context, after string) (o object, found bool, err error) {
	for {
		one, err := l.peek(ctx)
		switch {
		case err != nil:
			return o, false, err
		case one == nil || found && one.Key != o.key:
			return o, found, nil
		case one.Key < o.key || !found && after != "" && one.Key < after && l.began:
			return o, false, fmt.Errorf("the bucket lists %q behind %q: its listing is not in the order of the keys, so that it can't be compared", one.Key, max(o.key, after))
		}
		l.i++
		if one.Key <= after { // a run before has compared it
			continue
		}
		if !found {
			o.key, o.token, found = one.Key, l.token, true
		}
		o.versions = append(o.versions, *one)
		l.began = true
	}
}

// peek is the next line of the listing; nil at its end.
func (l *listing) peek(ctx context.Context) (*record.Listed, error) {
	for l.page.Objects == nil || l.i == len(l.page.Objects) {
		if l.page.Objects != nil {
			if l.page.Next == "" {
				return nil, nil //nolint:nilnil // the end is no fault
			}
			l.token = l.page.Next
		}
		err := l.r.within(ctx, func(ctx context.Context) (err error) { l.page, err = l.of.ListPage(ctx, l.token); return err })
		if err != nil {
			return nil, err
		}
		if l.i = 0; l.page.Objects == nil {
			l.page.Objects = []record.Listed{}
		}
	}
	return &l.page.Objects[l.i], nil
}

// keepEvery is after how many objects the position is kept.
const keepEvery = 1000

// objects merges what the ledger names in a bucket with what that lists.
func (r *run) objects(ctx context.Context, s *side) error {
	m, err := openRuns(r.dir, s.runs, s.at.Runs).merge(s.at.Key)
	if err != nil {
		return err
	}
	defer m.Close() //nolint:errcheck // only read from
	want, err := newUpTo(m)
	if err != nil {
		return err
	}
	list := &listing{r: r, of: s.bucket, token: s.at.Token}
	for n := 1; ; n++ {
		o, found, err := list.next(ctx, s.at.Key)
		if err != nil {
			return err
		}
		for !want.done && (!found || want.e.Key < o.key) {
			key := want.e.Key
			if err := r.absent(ctx, s, want.e, nil); err != nil {
				return err
			}
			for err == nil && !want.done && want.e.Key == key {
				err = want.advance()
			}
			if err != nil {
				return err
			}
			if n++; n%keepEvery == 0 {
				if s.at.Key = key; found {
					s.at.Token = o.token
				}
				if err := r.keep(); err != nil {
					return err
				}
			}
		}
		if !found {
			return nil
		}
		var e *expected
		for !want.done && want.e.Key == o.key { // of several that name it any will do
			one := want.e
			e = &one
			if err := want.advance(); err != nil {
				return err
			}
		}
		if err := r.object(ctx, s, &o, e); err != nil {
			return err
		}
		s.at.Key, s.at.Token = o.key, o.token
		if n%keepEvery == 0 {
			if err := r.keep(); err != nil {
				return err
			}
		}
	}
}

// object compares a key of the bucket with what the ledger says of it; e is nil for nothing.
func (r *run) object(ctx context.Context, s *side, o *object, e *expected) error {
	if s.backup {
		r.at.Report.BackupKeys++
	} else {
		r.at.Report.Objects++
	}
	now := o.current()
	r.at.Report.Versions += int64(len(o.versions))
	if now != nil {
		r.at.Report.Versions--
	}
	switch {
	case e == nil && now == nil:
		return nil // somebody has deleted what the ledger doesn't name
	case e == nil:
		return r.unnamed(ctx, s, now)
	case now == nil:
		return r.absent(ctx, s, *e, o)
	case !now.Has(e.Bytes):
		return r.differs(ctx, s, o, e, fmt.Sprintf("it has %d bytes, and the ledger says %d", now.Bytes, e.Bytes))
	case r.opts.Hash && e.SHA256 != "":
		own, cancel := context.WithTimeout(ctx, objectTimeout)
		defer cancel()
		sum, err := s.bucket.SHA256(own, e.Key)
		if errors.Is(err, fs.ErrNotExist) {
			return r.absent(ctx, s, *e, o)
		}
		switch code := callmodel.CodeOf(err); {
		case code == callmodel.CodeDamaged:
			return r.differs(ctx, s, o, e, err.Error())
		case code == callmodel.CodeKeyMissing: // nothing is known of its bytes, neither good nor bad
			if r.at.Report.NotRead++; r.at.Report.NoKey == "" {
				r.at.Report.NoKey = err.Error()
			}
		case err != nil:
			return err
		case sum != e.SHA256:
			return r.differs(ctx, s, o, e, fmt.Sprintf("its SHA-256 is %s, and the ledger says %s", sum, e.SHA256))
		}
	}
	if s.backup && now.ModTime.Before(r.now.Add(-r.opts.BackupAge)) {
		return r.overdue(ctx, s, e, now)
	}
	return nil
}

// named looks again whether the ledger names the object there, and by which job.
func (r *run) named(ctx context.Context, s *side, e *expected) (job *ledger.Job, still bool, err error) {
	j, err := r.jobOf(ctx, callmodel.JobID(e.Job))
	if err != nil || j == nil {
		return nil, false, err
	}
	for _, now := range objectsOf(j) {
		if now.Key == e.Key {
			return j, now.Backup == s.backup && now.Bytes == e.Bytes && now.SHA256 == e.SHA256, nil
		}
	}
	return j, false, nil
}

// jobOf is the job of that id; nil if it isn't there any more.
func (r *run) jobOf(ctx context.Context, id callmodel.JobID) (*ledger.Job, error) {
	var l ledger.Linked
	err := r.within(ctx, func(ctx context.Context) (err error) { l, err = r.ledger.LinkedJob(ctx, id); return err })
	if errors.Is(err, callmodel.ErrNotFound) {
		return nil, nil //nolint:nilnil // none is no fault
	}
	if err != nil {
		return nil, err
	}
	return &l.Job, nil
}

// size is the object's in the bucket; found is false if it isn't there.
func (r *run) size(ctx context.Context, b Bucket, key string) (bytes int64, found bool, err error) {
	err = r.within(ctx, func(ctx context.Context) (err error) { bytes, err = b.Size(ctx, key); return err })
	if errors.Is(err, fs.ErrNotExist) {
		return 0, false, nil
	}
	return bytes, err == nil, err
}

// absent is for an object that the listing doesn't have; o has what is left of it, or is
// nil.
func (r *run) absent(ctx context.Context, s *side, e expected, o *object) error {
	j, still, err := r.named(ctx, s, &e)
	if err != nil || !still {
		return err
	}
	if _, found, err := r.size(ctx, s.bucket, e.Key); err != nil || found { // it is there by now
		return err
	}
	f := s.finding(ObjectMissing, e.Key).of(j)
	f.Detail = fmt.Sprintf("it isn't in the bucket; it had %d bytes and the SHA-256 %s", e.Bytes, e.SHA256)
	if r.opts.Backup != nil {
		there, err := r.inTheOther(ctx, s, &e, &f)
		if err != nil || there {
			return err
		}
	}
	versions := versionsOf(o, &e)
	if len(versions) == 0 {
		return r.found(ctx, f, nil)
	}
	f.Kind, f.Detail = ObjectDeleted, fmt.Sprintf("it was deleted; version %s has its %d bytes", versions[0], e.Bytes)
	return r.foundWithin(ctx, f, objectTimeout, s.restore(&e, versions))
}

// inTheOther looks whether an object that isn't in its bucket is in the other one, and
// notes it then.
func (r *run) inTheOther(ctx context.Context, s *side, e *expected, f *Finding) (bool, error) {
	other := Bucket(r.opts.Backup)
	if s.backup {
		other = r.bucket
	}
	bytes, found, err := r.size(ctx, other, e.Key)
	if err != nil || !found || bytes != e.Bytes {
		return false, err
	}
	if s.backup {
		f.Kind, f.Detail = ObjectMovedHome, fmt.Sprintf("it is in %s, with its %d bytes", r.at.Home.Bucket, e.Bytes)
		return true, r.found(ctx, *f, nil)
	}
	f.Kind, f.Detail = ObjectInBackup, fmt.Sprintf("it isn't in the bucket; %s has its %d bytes", r.at.Backup.Bucket, e.Bytes)
	return true, r.foundWithin(ctx, *f, objectTimeout, func(ctx context.Context) (bool, error) {
		_, err := r.opts.Backup.BringHome(ctx, e.Key, e.SHA256)
		return err == nil, err
	})
}

// restore is the repair that goes back to the newest of the versions that is what the
// ledger says by its SHA-256.
func (s *side) restore(e *expected, versions []string) func(context.Context) (bool, error) {
	return func(ctx context.Context) (bool, error) {
		for _, version := range versions {
			if done, err := s.bucket.Restore(ctx, e.Key, version, e.SHA256); done || err != nil {
				return done, err
			}
		}
		return false, nil
	}
}

// differs is for an object that isn't what the ledger says.
func (r *run) differs(ctx context.Context, s *side, o *object, e *expected, how string) error {
	j, still, err := r.named(ctx, s, e)
	if err != nil || !still {
		return err
	}
	f := s.finding(ObjectDiffers, e.Key).of(j)
	f.Detail = how
	versions := versionsOf(o, e)
	if len(versions) == 0 {
		return r.found(ctx, f, nil)
	}
	f.Kind, f.Detail = ObjectOverwritten, fmt.Sprintf("%s; version %s has as many", how, versions[0])
	return r.foundWithin(ctx, f, objectTimeout, s.restore(e, versions))
}

// overdue is for an object that is in the backup, as the ledger says, and should be home.
func (r *run) overdue(ctx context.Context, s *side, e *expected, now *record.Listed) error {
	j, still, err := r.named(ctx, s, e)
	if err != nil || !still {
		return err
	}
	f := s.finding(BackupOverdue, e.Key).of(j)
	f.Detail = fmt.Sprintf("it has been there for %v, and the job is %s", r.now.Sub(now.ModTime).Round(1e9), j.State)
	if j.LastError != "" {
		f.Detail += ": " + j.LastError
	}
	return r.found(ctx, f, nil)
}

// versionsOf are the older versions that may be what the ledger says, the newest first.
func versionsOf(o *object, e *expected) []string {
	if o == nil {
		return nil
	}
	older := slices.DeleteFunc(slices.Clone(o.versions), func(v record.Listed) bool {
		return v.Current || v.Deleted || v.Version == "" || !v.Has(e.Bytes)
	})
	slices.SortStableFunc(older, func(x, y record.Listed) int { return y.ModTime.Compare(x.ModTime) })
	names := make([]string, len(older))
	for i := range older {
		names[i] = older[i].Version
	}
	return names
}

// unnamed is for an object that the ledger has not named there when it was gone through.
func (r *run) unnamed(ctx context.Context, s *side, now *record.Listed) error {
	k, ours := record.ParseObjectKey(now.Key)
	if !ours {
		r.at.Report.Foreign++
		return nil
	}
	if keep := r.opts.KeepCalls; keep > 0 && k.StartedAt.Before(r.now.Add(-keep)) {
		r.at.Report.Forgotten++
		return nil
	}
	var jobs []ledger.Linked
	err := r.within(ctx, func(ctx context.Context) (err error) {
		jobs, err = r.ledger.LinkedOf(ctx, k.TenantID, k.CallID, k.RecordingID)
		return err
	})
	if err != nil {
		return err
	}
	var own *ledger.Job
	earlier, open := false, false
	for i := range jobs {
		j := &jobs[i].Job
		if j.Kind == record.Kind && j.Key == string(k.RecordingID) {
			own = j
		}
		open = open || j.State == ledger.Queued || j.State == ledger.Running
		for _, e := range objectsOf(j) {
			if e.Key == now.Key {
				return r.elsewhere(ctx, s, now, j, &e)
			}
			linked, _ := record.ParseObjectKey(e.Key)
			earlier = earlier || linked.RecordingID == k.RecordingID && linked.Name == k.Name && linked.Ext == k.Ext && k.Version < linked.Version
		}
	}
	switch {
	case earlier:
		r.at.Report.Earlier++
		return nil
	case open, now.ModTime.After(r.at.Begun): // one that is new may be of a job that has ended since
		r.at.Report.Unfinished++
		return nil
	case own == nil:
		f := s.finding(ObjectUnknown, now.Key)
		f.TenantID, f.CallID, f.RecordingID = k.TenantID, k.CallID, k.RecordingID
		f.Detail = fmt.Sprintf("%d bytes, of %s: the ledger has no job of the recording", now.Bytes, now.ModTime.UTC().Format("2006-01-02T15:04:05Z"))
		return r.found(ctx, f, nil)
	}
	f := s.finding(ObjectUnlinked, now.Key).of(own)
	f.Detail = fmt.Sprintf("%d bytes; the recording's job is %s and doesn't name it", now.Bytes, own.State)
	return r.found(ctx, f, nil)
}

// elsewhere is for an object that a job names, be it there by now or in the other bucket.
// In its own bucket it is on its way from the backup; in the backup it is a copy that was
// to be removed.
func (r *run) elsewhere(ctx context.Context, s *side, now *record.Listed, j *ledger.Job, e *expected) error {
	if e.Backup == s.backup || !s.backup {
		return nil
	}
	age := r.now.Sub(now.ModTime)
	if age <= r.opts.BackupAge {
		r.at.Report.Unfinished++
		return nil
	}
	f := s.finding(BackupLeft, now.Key).of(j)
	f.Detail = fmt.Sprintf("it has been there for %v, and the ledger says that it is in %s", age.Round(1e9), r.at.Home.Bucket)
	if !now.Has(e.Bytes) {
		f.Kind, f.Detail = ObjectUnlinked, fmt.Sprintf("%d bytes; the ledger says that it is in %s with %d", now.Bytes, r.at.Home.Bucket, e.Bytes)
	}
	return r.found(ctx, f, nil)
}
