package reconcile_test

import (
	"context"
	"database/sql"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording/reconcile"
	"github.com/switchtape/switchtape/storage"
	"github.com/switchtape/switchtape/storage/calldb"
	"github.com/switchtape/switchtape/storage/s3"
	"github.com/switchtape/switchtape/storage/storetest"
	"github.com/switchtape/switchtape/storage/storetest/buckettest"
	"github.com/switchtape/switchtape/storage/storetest/drivertest"
	"github.com/switchtape/switchtape/storage/storetest/pgtest"
)

// The ledger and the bucket are what the ports ask for.
var (
	_ reconcile.Ledger = (*calldb.DB)(nil)
	_ reconcile.Bucket = (*storage.Store)(nil)
)

// place is a database and a bucket to compare.
type place struct {
	db    *calldb.DB
	raw   *sql.DB // the database, to be damaged
	store *storage.Store
	legs  string
	dir   string
}

func newPlace(t *testing.T, store *storage.Store, at string) *place {
	t.Helper()
	db, err := calldb.Open(t.Context(), at, nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	_, err = db.Migrate(t.Context())
	require.NoError(t, err)
	driver, name := "pgx", at
	if u, err := url.Parse(at); err == nil && u.Scheme == "sqlite" {
		driver, name = "sqlite", u.Path
	}
	raw, err := sql.Open(driver, name)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, raw.Close()) })
	return &place{db: db, raw: raw, store: store, legs: t.TempDir(), dir: t.TempDir()}
}

func (p *place) exec(t *testing.T, statement string) {
	t.Helper()
	done, err := p.raw.ExecContext(t.Context(), statement)
	require.NoError(t, err)
	n, err := done.RowsAffected()
	require.NoError(t, err)
	require.Positive(t, n, statement)
}

// ended is a call that has ended, with its job.
func (p *place) ended(t *testing.T, id string) {
	t.Helper()
	_, err := p.db.CreateCall(t.Context(), storetest.NewCall(id))
	require.NoError(t, err)
	at := storetest.NewCall(id).Call.CreatedAt
	for i, ev := range []calls.Event{
		{Type: calls.EventAnswered, At: at.Add(time.Second)},
		{Type: calls.EventEnded, At: at.Add(time.Minute), Legs: []record.LegSpec{record.NewLeg("agent", "legs/"+id+".wav")}},
	} {
		ev.ID = fmt.Sprintf("e%d", i)
		_, err = p.db.AppendEvent(t.Context(), "acme", callmodel.CallID(id), ev, "pbx", storetest.Defaults())
		require.NoError(t, err)
	}
}

func (p *place) claim(t *testing.T, id string) ledger.Lease {
	t.Helper()
	leases, err := p.db.Claim(t.Context(), ledger.Claim{Worker: "w", Kinds: []string{record.Kind}, TTL: time.Hour})
	require.NoError(t, err)
	require.Len(t, leases, 1)
	require.Equal(t, id, leases[0].Job.Key)
	return leases[0]
}

// recorded is a call whose recording is in the bucket, from that version on.
func (p *place) recorded(t *testing.T, id string, version int, stored bool) (key string) {
	t.Helper()
	p.ended(t, id)
	l := p.claim(t, id)
	spec := storetest.SpecOf(t, &l.Job)
	k := spec.Key(spec.Outputs[0])
	k.Version = version
	text := "the audio of " + id
	res := storetest.Result(id)
	res.Outputs[0].Key, res.Outputs[0].URL, res.Outputs[0].Bytes, res.Outputs[0].SHA256 = k.String(), p.store.URL(k.String()), int64(len(text)), strings.Repeat("0", 64)
	if stored {
		info := p.put(t, k.String(), text)
		res.Outputs[0].SHA256 = info.SHA256
	}
	require.NoError(t, p.db.Complete(t.Context(), l, storetest.Outcome(res)))
	return k.String()
}

func (p *place) put(t *testing.T, key, text string) record.ObjectInfo {
	t.Helper()
	info, err := p.store.PutNamed(t.Context(), key, record.ObjectMeta{}, func(w io.Writer) error {
		_, err := io.WriteString(w, text)
		return err
	})
	require.NoError(t, err)
	return info
}

func (p *place) leg(t *testing.T, name string) {
	t.Helper()
	file := filepath.Join(p.legs, name)
	require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o750))
	require.NoError(t, os.WriteFile(file, []byte("leg"), 0o600))
	old := time.Now().Add(-48 * time.Hour)
	require.NoError(t, os.Chtimes(file, old, old))
}

func (p *place) run(t *testing.T, o reconcile.Options) (reconcile.Report, map[reconcile.Kind][]reconcile.Finding) {
	t.Helper()
	o.Legs, o.Defaults, o.Hash = reconcile.FS(os.DirFS(p.legs)), storetest.Defaults(), true
	r, err := reconcile.Run(t.Context(), p.db, p.store, p.dir, &o)
	require.NoError(t, err)
	require.True(t, r.Done)
	found := map[reconcile.Kind][]reconcile.Finding{}
	require.NoError(t, reconcile.Findings(p.dir, func(f reconcile.Finding) error {
		found[f.Kind] = append(found[f.Kind], f)
		return nil
	}))
	for kind, n := range r.Found {
		require.Len(t, found[kind], int(n), kind)
	}
	return r, found
}

func onBoth(t *testing.T, test func(t *testing.T, at string)) {
	t.Helper()
	for name, at := range map[string]func(t testing.TB) string{
		"SQLite":     func(t testing.TB) string { t.Helper(); return calldb.SQLiteURL(filepath.Join(t.TempDir(), "l.db")) },
		"PostgreSQL": pgtest.URL,
	} {
		t.Run(name, func(t *testing.T) { test(t, at(t)) })
	}
}

// Every kind of mismatch is found, once, and mended where it can be; nothing is deleted.
func TestEveryKind(t *testing.T) {
	onBoth(t, func(t *testing.T, at string) {
		srv := buckettest.S3Versions(t)
		srv.Setenv(t)
		p := newPlace(t, drivertest.Open(t, srv.URL, s3.Driver()), at)
		p.recorded(t, "well", 1, true)
		p.leg(t, "legs/well.wav")
		p.recorded(t, "entry", 1, true)
		p.recorded(t, "entry2", 1, true)
		p.recorded(t, "event", 1, true)
		deleted := p.recorded(t, "deleted", 1, true)
		over := p.recorded(t, "over", 1, true)
		same := p.recorded(t, "samesize", 1, true)
		p.recorded(t, "gone", 1, false)
		replaced := p.recorded(t, "replaced", 2, true)
		p.put(t, strings.Replace(replaced, ".v2.", ".v1.", 1), "earlier")
		unlinked := p.recorded(t, "unlinked", 1, true)
		p.put(t, strings.Replace(unlinked, ".v1.", ".v2.", 1), "of a lease that was lost")
		p.recorded(t, "damaged", 1, true)
		unknown := strings.ReplaceAll(unlinked, "unlinked", "unknown")
		p.put(t, unknown, "nobody's")
		p.put(t, "somebody/else.wav", "foreign")
		for _, id := range []string{"zip-there", "zip-gone"} { // of a job of another kind, about no call
			key := strings.Replace(strings.Replace(unlinked, "/unlinked.v1.", "/"+id+".v1.", 1), ".wav", ".zip", 1)
			sum := strings.Repeat("0", 64)
			if id == "zip-there" {
				sum = p.put(t, key, "zip").SHA256
			}
			res := fmt.Sprintf(`{"status":"completed","key":%q,"bytes":3,"sha256":%q}`, key, sum)
			_, _, err := p.db.Adopt(t.Context(), ledger.Request{Kind: "export", TenantID: "acme", Key: id, Payload: []byte("{}")}, ledger.Outcome{Result: []byte(res)})
			require.NoError(t, err)
		}
		p.leg(t, "legs/nobody.wav")
		p.ended(t, "lost")
		p.exec(t, "DELETE FROM jobs WHERE call_id = 'lost'")
		p.ended(t, "aside")
		l := p.claim(t, "aside")
		require.NoError(t, p.db.Fail(t.Context(), l, ledger.Failure{Cause: "poison", Quarantine: true}))
		p.ended(t, "waits")
		p.leg(t, "legs/waits.wav")
		p.put(t, strings.ReplaceAll(unlinked, "unlinked", "waits"), "of a run that goes on")
		p.exec(t, "UPDATE jobs SET created_at = created_at - 7200000000 WHERE call_id = 'waits'")
		p.exec(t, "DELETE FROM call_recordings WHERE call_id = 'entry'")
		p.exec(t, "UPDATE call_recordings SET doc = '{\"status\":\"completed\",\"url\":\"elsewhere\"}' WHERE call_id = 'entry2'")
		p.exec(t, "DELETE FROM outbox WHERE subject = 'event'")
		p.exec(t, "UPDATE jobs SET result = '{' WHERE call_id = 'damaged'")
		srv.Delete(t, deleted)
		srv.Overwrite(t, over, "other", "")
		srv.Overwrite(t, same, "THE AUDIO OF samesize", "")
		srv.Overwrite(t, same, "The Audio Of samesize", "") // of versions of one size that of the ledger is found

		want := map[reconcile.Kind]int64{
			reconcile.CallNotRecorded: 1, reconcile.EntryMissing: 1, reconcile.EntryDiffers: 1, reconcile.EventMissing: 1, reconcile.ResultUnreadable: 1,
			reconcile.JobOverdue: 1, reconcile.ObjectMissing: 2, reconcile.ObjectDeleted: 1, reconcile.ObjectOverwritten: 2,
			reconcile.ObjectUnknown: 1, reconcile.ObjectUnlinked: 2, reconcile.LegUnclaimed: 1, reconcile.LegGone: 1,
		}
		before := versions(t, p.store)
		r, found := p.run(t, reconcile.Options{})
		assert.Equal(t, want, r.Found)
		assert.Empty(t, r.Repaired)
		assert.EqualValues(t, 14, r.Calls)
		assert.EqualValues(t, 15, r.Jobs)
		assert.EqualValues(t, 1, r.Earlier)
		assert.EqualValues(t, 1, r.Foreign)
		assert.EqualValues(t, 1, r.Unfinished)
		assert.EqualValues(t, 3, r.Legs)
		assert.Equal(t, unknown, found[reconcile.ObjectUnknown][0].Key)
		assert.Equal(t, "legs/aside.wav", found[reconcile.LegGone][0].Key)
		assert.EqualValues(t, "aside", found[reconcile.LegGone][0].CallID)
		assert.Equal(t, "legs/nobody.wav", found[reconcile.LegUnclaimed][0].Key)
		assert.Equal(t, before, versions(t, p.store), "looking changes nothing")
		for kind := range found {
			_, err := reconcile.InfoOf(kind)
			require.NoError(t, err)
		}

		r, _ = p.run(t, reconcile.Options{Repair: true, Actor: "op"})
		assert.Equal(t, want, r.Found)
		assert.Equal(t, map[reconcile.Kind]int64{
			reconcile.CallNotRecorded: 1, reconcile.EntryMissing: 1, reconcile.EntryDiffers: 1, reconcile.EventMissing: 1,
			reconcile.ObjectDeleted: 1, reconcile.ObjectOverwritten: 2,
		}, r.Repaired)
		assert.EqualValues(t, 9, r.Left())
		after := versions(t, p.store)
		for v := range before {
			assert.Contains(t, after, v, "nothing is deleted")
		}

		again, found := p.run(t, reconcile.Options{Repair: true})
		delete(want, reconcile.CallNotRecorded)
		for kind, n := range r.Repaired {
			if want[kind] -= n; want[kind] <= 0 {
				delete(want, kind)
			}
		}
		assert.Equal(t, want, again.Found)
		assert.Empty(t, again.Repaired)
		assert.NotContains(t, found, reconcile.EventMissing)
		assert.Equal(t, after, versions(t, p.store))
		call, err := p.db.Call(t.Context(), "acme", "entry")
		require.NoError(t, err)
		require.Len(t, call.Recordings, 1)
		assert.Contains(t, call.Recordings[0].URL, "entry.v1.wav")
		lost := p.claimUntil(t, "lost")
		assert.Equal(t, "legs/lost.wav", storetest.SpecOf(t, &lost.Job).Legs[0].Segments[0].URI)
	})
}

// claimUntil claims jobs until that of the recording.
func (p *place) claimUntil(t *testing.T, id string) ledger.Lease {
	t.Helper()
	for {
		leases, err := p.db.Claim(t.Context(), ledger.Claim{Worker: "w", Kinds: []string{record.Kind}, TTL: time.Hour})
		require.NoError(t, err)
		require.Len(t, leases, 1, "%s has no job", id)
		if leases[0].Job.Key == id {
			return leases[0]
		}
	}
}

// versions are all of the bucket, marks of deletions apart.
func versions(t *testing.T, s *storage.Store) map[string]int64 {
	t.Helper()
	all := map[string]int64{}
	for token := ""; ; {
		page, err := s.ListPage(t.Context(), token)
		require.NoError(t, err)
		for _, o := range page.Objects {
			if !o.Deleted {
				all[o.Key+"@"+o.Version] = o.Bytes
			}
		}
		if token = page.Next; token == "" {
			return all
		}
	}
}

// A directory is for one bucket, and for one run at a time.
func TestDirectoryOfAnother(t *testing.T) {
	t.Parallel()
	at := calldb.SQLiteURL(filepath.Join(t.TempDir(), "l.db"))
	p := newPlace(t, drivertest.Open(t, "file://"+t.TempDir()), at)
	ctx, cancel := context.WithCancel(t.Context())
	inner := error(nil)
	_, err := reconcile.Run(ctx, p.db, p.store, p.dir, &reconcile.Options{Kept: func(reconcile.Report) {
		if inner == nil {
			_, inner = reconcile.Run(t.Context(), p.db, p.store, p.dir, nil)
		}
		cancel()
	}})
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, callmodel.CodeConflict, callmodel.CodeOf(inner), "%v", inner)
	_, err = reconcile.Run(t.Context(), p.db, drivertest.Open(t, "file://"+t.TempDir()), p.dir, nil)
	require.Equal(t, callmodel.CodeConflict, callmodel.CodeOf(err), "%v", err)
	require.NoError(t, reconcile.Forget(p.dir))
	r, err := reconcile.Run(t.Context(), p.db, p.store, p.dir, nil)
	require.NoError(t, err)
	require.Zero(t, r.Left())
	require.NoError(t, os.WriteFile(filepath.Join(p.dir, "position.json"), []byte("{"), 0o600))
	_, err = reconcile.Run(t.Context(), p.db, p.store, p.dir, nil)
	require.Equal(t, callmodel.CodeInvalid, callmodel.CodeOf(err), "%v", err)
}
