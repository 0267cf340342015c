package lifecycle_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/outbox"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/callmodel/retention"
	"github.com/switchtape/switchtape/recording"
	"github.com/switchtape/switchtape/recording/erasure"
	"github.com/switchtape/switchtape/recording/lifecycle"
	"github.com/switchtape/switchtape/recording/local"
	"github.com/switchtape/switchtape/recording/reconcile"
	"github.com/switchtape/switchtape/recording/recordingtest/samplecall"
	"github.com/switchtape/switchtape/recording/task"
	"github.com/switchtape/switchtape/recording/task/stored"
	"github.com/switchtape/switchtape/recording/worker"
	"github.com/switchtape/switchtape/storage"
	"github.com/switchtape/switchtape/storage/azure"
	"github.com/switchtape/switchtape/storage/calldb"
	"github.com/switchtape/switchtape/storage/calldb/memdb"
	"github.com/switchtape/switchtape/storage/gcs"
	"github.com/switchtape/switchtape/storage/s3"
	"github.com/switchtape/switchtape/storage/storetest"
	"github.com/switchtape/switchtape/storage/storetest/buckettest"
)

var (
	_ lifecycle.ErasureLedger = (*calldb.DB)(nil)
	_ lifecycle.ErasureLedger = (*memdb.Store)(nil)
	_ lifecycle.Bucket        = (*storage.Store)(nil)
)

// archive is a ledger in a file, a bucket and its backup, and legs on a disk.
type archive struct {
	db           *calldb.DB
	legs         string
	dir          *local.Dir
	home, backup *storage.Store
	consent      retention.Consent // of the calls that end
}

func fileURL(dir string) string { return (&url.URL{Scheme: "file", Path: dir}).String() }

func newArchive(t *testing.T, dir, bucket string) *archive {
	t.Helper()
	a := &archive{legs: filepath.Join(dir, "legs")}
	var err error
	a.db, err = calldb.Open(t.Context(), calldb.SQLiteURL(filepath.Join(dir, "ledger.db")), nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, a.db.Close()) })
	_, err = a.db.Migrate(t.Context())
	require.NoError(t, err)
	require.NoError(t, os.MkdirAll(a.legs, 0o700))
	a.dir = local.NewDir(a.legs)
	t.Cleanup(func() { require.NoError(t, a.dir.Close()) })
	drivers := []storage.Driver{s3.Driver(), gcs.Driver(), azure.Driver()}
	for at, into := range map[string]**storage.Store{bucket: &a.home, fileURL(filepath.Join(dir, "backup")): &a.backup} {
		*into, err = storage.Open(t.Context(), at, &storage.Options{Drivers: drivers})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, (*into).Close()) })
	}
	return a
}

// ended has a call end that is recorded, with legs on the disk.
func (a *archive) ended(t *testing.T, id string, outputs ...record.OutputSpec) {
	t.Helper()
	for name, body := range map[string][]byte{"agent": samplecall.Agent(), "customer": samplecall.Customer()} {
		path := filepath.Join(a.legs, id, name+".wav")
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
		require.NoError(t, os.WriteFile(path, body, 0o600))
	}
	n := storetest.NewCall(id)
	n.Call.Host = ""
	_, err := a.db.CreateCall(t.Context(), n)
	require.NoError(t, err)
	begun := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for _, ev := range []calls.Event{
		{ID: "e1", Type: calls.EventAnswered, At: begun},
		{ID: "e2", Type: calls.EventEnded, At: begun.Add(time.Minute), Consent: a.consent, Legs: []record.LegSpec{
			record.NewLeg("agent", id+"/agent.wav"), record.NewLeg("customer", id+"/customer.wav").At(2 * time.Second),
		}},
	} {
		_, err := a.db.AppendEvent(t.Context(), "acme", callmodel.CallID(id), ev, "pbx", outputs)
		require.NoError(t, err)
	}
}

var archived = []record.OutputSpec{
	{Codec: record.CodecMP3, Layout: record.LayoutStereo, BitrateBps: 32000},
	{Codec: record.CodecFLAC, Layout: record.LayoutStereo},
	{Codec: record.CodecPeaksJSON, Layout: record.LayoutStereo},
}

func (a *archive) eraser(t *testing.T) *lifecycle.Eraser {
	t.Helper()
	library := stored.NewLibrary(a.db, a.home)
	e, err := lifecycle.NewEraser(a.db, lifecycle.EraserOptions{
		Buckets: []lifecycle.Bucket{a.home.Alone(), a.backup}, Legs: a.dir,
		Redactor: stored.NewRedactor(library, a.dir, &stored.TranscodeOptions{TempDir: t.TempDir()}),
	})
	require.NoError(t, err)
	return e
}

// work does all jobs that can be done now.
func (a *archive) work(t *testing.T) {
	t.Helper()
	library := stored.NewLibrary(a.db, a.home)
	kinds, err := task.NewKinds(append(stored.Kinds(library, &stored.TranscodeOptions{TempDir: t.TempDir()}), a.eraser(t).Kinds()...)...)
	require.NoError(t, err)
	w := worker.New(a.db, recording.NewProcessor(a.dir, a.home, nil), &worker.Options{
		AllLegs: true, Kinds: kinds, LeaseTTL: time.Minute, Poll: 2 * time.Millisecond, MissingLegWait: -1, FollowGrowing: -1, Quiet: -1,
	})
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	require.Eventually(t, func() bool {
		jobs, err := a.db.Jobs(t.Context(), ledger.Filter{State: ledger.Queued})
		if err != nil {
			return false
		}
		for i := range jobs {
			if !jobs[i].RunAt.After(time.Now()) {
				return false
			}
		}
		running, err := a.db.Jobs(t.Context(), ledger.Filter{State: ledger.Running})
		return err == nil && len(running) == 0
	}, within, 5*time.Millisecond)
	stop()
	require.NoError(t, <-done)
}

// job is the job of that kind, of the key or the first.
func (a *archive) job(t *testing.T, kind, key string) *ledger.Job {
	t.Helper()
	jobs, err := a.db.Jobs(t.Context(), ledger.Filter{Kind: kind})
	require.NoError(t, err)
	for i := range jobs {
		if key == "" || jobs[i].Key == key {
			return &jobs[i]
		}
	}
	require.Fail(t, "there is no such job", "%s %s", kind, key)
	return nil
}

func (a *archive) enqueue(t *testing.T, r ledger.Request) {
	t.Helper()
	_, _, err := a.db.Enqueue(t.Context(), r)
	require.NoError(t, err)
}

// erase has the recording deleted.
func (a *archive) erase(t *testing.T, id string) {
	t.Helper()
	r, err := erasure.Job(a.job(t, record.Kind, id), "asked for by the customer", "ann")
	require.NoError(t, err)
	a.enqueue(t, r)
}

// status is that of the answer to who follows a link.
func status(t *testing.T, link string) int {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, link, nil)
	require.NoError(t, err)
	w, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	require.NoError(t, w.Body.Close())
	return w.StatusCode
}

// there are the objects of a bucket, with all their versions.
func there(t *testing.T, s *storage.Store) []retention.Object {
	t.Helper()
	all, err := s.Inventory(t.Context(), "", func(string) bool { return true })
	require.NoError(t, err)
	for i := range all {
		if !all[i].Mark {
			require.NoError(t, s.HashStored(t.Context(), &all[i]))
		}
	}
	return all
}

// mismatches compares ledger and buckets.
func (a *archive) mismatches(t *testing.T) reconcile.Report {
	t.Helper()
	r, err := reconcile.Run(t.Context(), a.db, a.home.Alone(), t.TempDir(), &reconcile.Options{Hash: true})
	require.NoError(t, err)
	return r
}

// extras are what a recording may have besides its objects: an older version that something
// put over one, copies in the backup, another version, a transcode and an export.
func (a *archive) extras(t *testing.T, id string) {
	t.Helper()
	r := a.made(t, id)
	_, err := a.backup.TakeFrom(t.Context(), a.home, r.Outputs[0].Key, r.Outputs[0].SHA256)
	require.NoError(t, err)
	key, ok := record.ParseObjectKey(r.Outputs[1].Key)
	require.True(t, ok)
	_, err = a.home.Put(t.Context(), key, record.ObjectMeta{NewVersion: true}, func(w io.Writer) error {
		_, err := w.Write([]byte("another version of a worker that was killed"))
		return err
	})
	require.NoError(t, err)
	payload, err := json.Marshal(stored.TranscodePayload{
		Recording: stored.Source{CallID: callmodel.CallID(id)}, Outputs: []record.OutputSpec{{Codec: record.CodecWAV, Layout: record.LayoutMono}},
	})
	require.NoError(t, err)
	a.enqueue(t, ledger.Request{Kind: stored.KindTranscode, TenantID: "acme", Key: "to-wav-" + id, Payload: payload})
	payload, err = json.Marshal(stored.ExportPayload{CallID: callmodel.CallID(id)})
	require.NoError(t, err)
	a.enqueue(t, ledger.Request{Kind: stored.KindExport, TenantID: "acme", Key: "zip-" + id, Payload: payload})
	a.work(t)
	require.Equal(t, ledger.Done, a.job(t, stored.KindTranscode, "to-wav-"+id).State)
	require.Equal(t, ledger.Done, a.job(t, stored.KindExport, "zip-"+id).State)
}

func (a *archive) made(t *testing.T, id string) *record.Result {
	t.Helper()
	r, err := record.ResultOf(a.job(t, record.Kind, id))
	require.NoError(t, err)
	require.NotNil(t, r)
	return r
}

// buckets are the stores that recordings are deleted from. overwrite makes an older version
// of an object, and remove one that is deleted; nil in a bucket without versions.
var buckets = map[string]func(t *testing.T) (at string, remove func(t testing.TB, key string), overwrite func(t testing.TB, key, text, sha256 string)){
	"files": func(t *testing.T) (string, func(testing.TB, string), func(testing.TB, string, string, string)) {
		t.Helper()
		return fileURL(filepath.Join(t.TempDir(), "bucket")), nil, nil
	},
	"S3 with versions": func(t *testing.T) (string, func(testing.TB, string), func(testing.TB, string, string, string)) {
		t.Helper()
		s := buckettest.S3Versions(t)
		s.Setenv(t)
		return s.URL, s.Delete, s.Overwrite
	},
	"Google with versions": func(t *testing.T) (string, func(testing.TB, string), func(testing.TB, string, string, string)) {
		t.Helper()
		s := buckettest.GCSVersions(t)
		s.Setenv(t)
		return s.URL, s.Delete, s.Overwrite
	},
	"Azure with versions": func(t *testing.T) (string, func(testing.TB, string), func(testing.TB, string, string, string)) {
		t.Helper()
		s := buckettest.AzureVersions(t)
		s.Setenv(t)
		return s.URL, s.Delete, s.Overwrite
	},
	"Azure": func(t *testing.T) (string, func(testing.TB, string), func(testing.TB, string, string, string)) {
		t.Helper()
		s := buckettest.Azure(t)
		s.Setenv(t)
		return s.URL, nil, nil
	},
}

// A recording is deleted with all that there is of it: its objects with their older
// versions, its peaks, its manifest, what is in the backup bucket, what was made of it, and
// its legs. What was where stays, in the ledger, the audit log and the outbox, and nothing
// is missing for who compares. Another recording stays as it is.
func TestRecordingIsErased(t *testing.T) {
	for name, open := range buckets {
		t.Run(name, func(t *testing.T) {
			at, remove, overwrite := open(t)
			a := newArchive(t, t.TempDir(), at)
			a.ended(t, "c1", archived...)
			a.ended(t, "c2", archived...)
			a.work(t)
			other := there(t, a.home)
			a.extras(t, "c1")
			first := a.made(t, "c1")
			require.Len(t, first.Outputs, 3)
			if overwrite != nil {
				overwrite(t, first.Outputs[0].Key, "somebody else's", first.Outputs[0].SHA256) // which it isn't
				remove(t, first.Outputs[2].Key)
			}
			was := there(t, a.home)
			before := len(was)
			link, err := a.home.SignedURL(t.Context(), first.Outputs[1].Key, time.Hour)
			if callmodel.CodeOf(err) != callmodel.CodeUnsupported {
				require.NoError(t, err)
				require.Equal(t, http.StatusOK, status(t, link))
			}
			a.erase(t, "c1")
			a.work(t)
			if link != "" {
				require.Equal(t, http.StatusNotFound, status(t, link), "a link that was signed before")
			}

			job := a.job(t, retention.KindErase, "c1")
			require.Equal(t, ledger.Done, job.State, job.LastError)
			for _, o := range there(t, a.home) {
				require.Contains(t, o.Key, "/c2/", "it is another recording's")
			}
			require.Empty(t, there(t, a.backup))
			for _, o := range other {
				if k, _ := record.ParseObjectKey(o.Key); k.RecordingID == "c2" {
					sum, err := a.home.SHA256(t.Context(), o.Key)
					require.NoError(t, err)
					require.Equal(t, o.SHA256, sum)
				}
			}
			require.False(t, exists(t, filepath.Join(a.legs, "c1", "agent.wav")))
			require.False(t, exists(t, filepath.Join(a.legs, "c1", "customer.wav")))
			require.True(t, exists(t, filepath.Join(a.legs, "c2", "agent.wav")))

			list, err := a.db.Erasures(t.Context(), "acme", "c1")
			require.NoError(t, err)
			require.Len(t, list, 1)
			e := list[0]
			require.Equal(t, retention.Done, e.State)
			require.Equal(t, "asked for by the customer", e.Reason)
			require.Equal(t, "ann", e.Actor)
			require.Len(t, e.Objects, before-len(there(t, a.home))+1, "and the one of the backup")
			for _, out := range first.Outputs {
				found := false
				for _, o := range e.Objects {
					found = found || o.Key == out.Key && o.SHA256 == out.SHA256 && o.Bytes == out.Bytes
				}
				require.True(t, found, "%s with its hash", out.Key)
			}
			named := 0
			for _, o := range was {
				if k, _ := record.ParseObjectKey(o.Key); k.RecordingID == "c2" {
					continue
				}
				i := slices.IndexFunc(e.Objects, func(is retention.Object) bool {
					return is.Bucket == o.Bucket && is.Key == o.Key && is.Version == o.Version
				})
				require.GreaterOrEqual(t, i, 0, "%s %s", o.Key, o.Version)
				is := e.Objects[i]
				require.Equal(t, o.SHA256, is.SHA256, "each version has its own hash")
				require.Equal(t, o.Bytes, is.Bytes)
				require.Empty(t, is.NotRead)
				if is.Ledger != nil {
					named++
					require.True(t, is.Current)
					require.Equal(t, is.Key != first.Outputs[0].Key || overwrite == nil, is.Ledger.SHA256 == is.SHA256, "of what was put over it the ledger knows nothing")
				}
			}
			require.Positive(t, named)
			require.Len(t, e.Legs, 2)
			require.Equal(t, retention.LegDeleted, e.Legs[0].End)
			require.Equal(t, first.Legs[0].SHA256, e.Legs[0].SHA256)
			doc, err := json.Marshal(e)
			require.NoError(t, err)
			require.NotContains(t, string(doc), "agent.wav", "what the files were called isn't kept")
			rec := a.job(t, record.Kind, "c1")
			require.NotContains(t, string(rec.Payload), "agent.wav")

			lines, err := a.db.AuditEvents(t.Context(), "acme", 0, 1000)
			require.NoError(t, err)
			told := 0
			for _, l := range lines {
				if l.Action == retention.AuditErased {
					told++
					require.Equal(t, "ann", l.Actor)
					for _, o := range e.Objects {
						require.Contains(t, l.Detail["objects"], o.Key)
					}
				}
			}
			require.Equal(t, 1, told)
			events, err := a.db.OutboxEvents(t.Context(), 0, 1000)
			require.NoError(t, err)
			require.Equal(t, outbox.RecordingErased, events[len(events)-1].Type)
			c, err := a.db.Call(t.Context(), "acme", "c1")
			require.NoError(t, err)
			require.Empty(t, c.Recordings[0].URL)

			r := a.mismatches(t)
			require.Empty(t, r.Found, "%+v", r)
			// What comes late is left over, and nobody's recording.
			key, ok := record.ParseObjectKey(first.Outputs[1].Key)
			require.True(t, ok)
			_, err = a.home.Put(t.Context(), key, record.ObjectMeta{}, func(w io.Writer) error { _, err := w.Write([]byte("late")); return err })
			require.NoError(t, err)
			require.EqualValues(t, 0, a.mismatches(t).Found[reconcile.ObjectMissing])
		})
	}
}

// Nothing of a recording that is held is deleted, until the hold is lifted; so it is with
// what is held while it is being deleted.
func TestHeldRecordingStays(t *testing.T) {
	t.Parallel()
	a := newArchive(t, t.TempDir(), fileURL(filepath.Join(t.TempDir(), "bucket")))
	a.ended(t, "c1", archived...)
	a.work(t)
	before := there(t, a.home)
	h, err := a.db.PlaceHold(t.Context(), retention.Hold{TenantID: "acme", Scope: retention.HoldNumber, Subject: "+12025550123", Reason: "case 7"}, "bob")
	require.NoError(t, err)
	a.erase(t, "c1")
	redact, err := erasure.RedactionJob(a.job(t, record.Kind, "c1"), []record.Redaction{{From: time.Second, To: 2 * time.Second}}, "card number", "ann")
	require.NoError(t, err)
	a.enqueue(t, redact)
	a.work(t)
	for _, kind := range []string{retention.KindErase, retention.KindRedact} {
		job := a.job(t, kind, "")
		require.Equal(t, ledger.Queued, job.State)
		require.Contains(t, job.LastError, "legal hold "+string(h.ID)+" on number +12025550123, placed by bob")
		require.Zero(t, job.Attempts, "it waits, and that doesn't count")
		require.NoError(t, a.db.Quarantine(t.Context(), job.ID, "bob", "not now"))
	}
	require.Equal(t, before, there(t, a.home))
	require.True(t, exists(t, filepath.Join(a.legs, "c1", "agent.wav")))
	require.Zero(t, a.mismatches(t).Found[reconcile.ObjectUnlinked])

	_, err = a.db.LiftHold(t.Context(), retention.Lift{TenantID: "acme", ID: h.ID, Actor: "bob", Reason: "closed"})
	require.NoError(t, err)
	require.NoError(t, a.db.Retry(t.Context(), a.job(t, retention.KindErase, "").ID, "bob"))
	a.work(t)
	require.Empty(t, there(t, a.home))
	actions := map[string]int{}
	lines, err := a.db.AuditEvents(t.Context(), "acme", 0, 1000)
	require.NoError(t, err)
	for _, l := range lines {
		actions[l.Action]++
	}
	assert.Equal(t, 1, actions[retention.AuditHoldPlaced])
	assert.Equal(t, 1, actions[retention.AuditHoldLifted])
	assert.Equal(t, 1, actions[retention.AuditErased])
}

// lockedBucket is one whose own lock keeps an object.
type lockedBucket struct {
	*storage.Store
	until time.Time
}

func (b lockedBucket) Erase(context.Context, string, func(string) bool) ([]retention.Object, error) {
	return nil, &retention.LockedError{Object: retention.Object{Bucket: "s3://locked", Key: "k"}, Until: b.until}
}

// A deletion that a bucket's own lock refuses waits, and says until when; it is never done.
func TestErasureWaitsForTheBucketsLock(t *testing.T) {
	t.Parallel()
	a := newArchive(t, t.TempDir(), fileURL(filepath.Join(t.TempDir(), "bucket")))
	a.ended(t, "c1", archived...)
	a.work(t)
	a.erase(t, "c1")
	until := time.Now().Add(3 * time.Hour)
	e, err := lifecycle.NewEraser(a.db, lifecycle.EraserOptions{Buckets: []lifecycle.Bucket{lockedBucket{a.home, until}}, Legs: a.dir})
	require.NoError(t, err)
	leases, err := a.db.Claim(t.Context(), ledger.Claim{Worker: "w", Kinds: []string{retention.KindErase}, TTL: time.Minute})
	require.NoError(t, err)
	require.Len(t, leases, 1)
	_, err = e.Kinds()[0].Do(t.Context(), &task.Job{Job: leases[0].Job, Token: leases[0].Token})
	var later *callmodel.RetryAfterError
	require.ErrorAs(t, err, &later)
	require.InDelta(t, 3*time.Hour, later.After, float64(time.Minute))
	require.ErrorContains(t, err, "locked there until "+until.UTC().Format("2006-01-02T15:04"))
	list, err := a.db.Erasures(t.Context(), "acme", "c1")
	require.NoError(t, err)
	require.Equal(t, retention.Begun, list[0].State)
	require.NotEmpty(t, there(t, a.home))
	require.NoError(t, a.db.Release(t.Context(), leases[0]))
	a.work(t)
	require.Empty(t, there(t, a.home))
}

// A recording that waits to be made is never made, with the legs gone.
func TestErasureOfWhatIsNotMadeYet(t *testing.T) {
	t.Parallel()
	a := newArchive(t, t.TempDir(), fileURL(filepath.Join(t.TempDir(), "bucket")))
	a.ended(t, "c1", archived...)
	a.erase(t, "c1")
	e := a.eraser(t)
	leases, err := a.db.Claim(t.Context(), ledger.Claim{Worker: "w", Kinds: []string{retention.KindErase}, TTL: time.Minute})
	require.NoError(t, err)
	_, err = e.Kinds()[0].Do(t.Context(), &task.Job{Job: leases[0].Job, Token: leases[0].Token})
	require.NoError(t, err)
	require.NoError(t, a.db.Release(t.Context(), leases[0]))
	a.work(t)
	require.Empty(t, there(t, a.home))
	require.False(t, exists(t, filepath.Join(a.legs, "c1", "agent.wav")))
}

// Recordings whose time is over are deleted, by whose rule it says, but for those that are
// held.
func TestExpiry(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	a := newArchive(t, dir, fileURL(filepath.Join(dir, "bucket")))
	for _, id := range []string{"old", "held", "young"} {
		a.ended(t, id, archived[:1]...)
	}
	a.work(t)
	raw, err := sql.Open("sqlite", filepath.Join(dir, "ledger.db"))
	require.NoError(t, err)
	_, err = raw.ExecContext(t.Context(), "PRAGMA busy_timeout = 10000; UPDATE jobs SET created_at = created_at - ? WHERE call_id <> 'young'", (48 * time.Hour).Microseconds())
	require.NoError(t, err)
	require.NoError(t, raw.Close())
	_, err = a.db.PlaceHold(t.Context(), retention.Hold{TenantID: "acme", Scope: retention.HoldCall, Subject: "held", Reason: "case 7"}, "bob")
	require.NoError(t, err)
	for keep, want := range map[time.Duration]int{0: 0, 72 * time.Hour: 0} {
		n, err := lifecycle.NewExpiry(a.db, lifecycle.ExpiryOptions{Keep: keep}).Sweep(t.Context())
		require.NoError(t, err)
		require.Equal(t, want, n)
	}
	e := lifecycle.NewExpiry(a.db, lifecycle.ExpiryOptions{Keep: 24 * time.Hour})
	for _, want := range []int{1, 0} {
		n, err := e.Sweep(t.Context())
		require.NoError(t, err)
		require.Equal(t, want, n)
	}
	a.work(t)
	for _, o := range there(t, a.home) {
		require.NotContains(t, o.Key, "/old/")
	}
	require.NotEmpty(t, a.made(t, "held").Outputs)
	require.NotEmpty(t, a.made(t, "young").Outputs)
	list, err := a.db.Erasures(t.Context(), "acme", "old")
	require.NoError(t, err)
	require.Equal(t, "retention", list[0].Actor)
	require.Regexp(t, "^its time was over at .*, by its service$", list[0].Reason)
	require.Empty(t, a.mismatches(t).Found)
}

// Of a call to which a party has not consented no recording is made, that is told, and its
// legs are deleted, whatever else is kept.
func TestNoConsent(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	a := newArchive(t, dir, fileURL(filepath.Join(dir, "bucket")))
	a.ended(t, "kept", archived[:1]...)
	a.consent = retention.ConsentDenied
	a.ended(t, "c1", archived[:1]...)
	a.work(t)
	r := a.made(t, "c1")
	require.Equal(t, record.StatusAbsent, r.Status)
	require.Equal(t, retention.ReasonNoConsent, r.Reason)
	require.Equal(t, retention.ConsentDenied, r.Consent)
	c, err := a.db.Call(t.Context(), "acme", "c1")
	require.NoError(t, err)
	require.Equal(t, retention.ConsentDenied, c.Recordings[0].Consent)
	require.True(t, exists(t, filepath.Join(a.legs, "c1", "agent.wav")))

	n, err := lifecycle.NewExpiry(a.db, lifecycle.ExpiryOptions{DeniedOnly: true}).Sweep(t.Context())
	require.NoError(t, err)
	require.Equal(t, 1, n)
	a.work(t)
	require.False(t, exists(t, filepath.Join(a.legs, "c1", "agent.wav")))
	require.True(t, exists(t, filepath.Join(a.legs, "kept", "agent.wav")))
	for _, o := range there(t, a.home) {
		require.Contains(t, o.Key, "/kept/")
	}
	list, err := a.db.Erasures(t.Context(), "acme", "c1")
	require.NoError(t, err)
	require.Equal(t, "a party did not consent to be recorded", list[0].Reason)
	require.Empty(t, a.mismatches(t).Found)
}
