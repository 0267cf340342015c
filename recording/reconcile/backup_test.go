package reconcile_test

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording/reconcile"
	"github.com/switchtape/switchtape/storage"
	"github.com/switchtape/switchtape/storage/calldb"
	"github.com/switchtape/switchtape/storage/storetest"
	"github.com/switchtape/switchtape/storage/storetest/drivertest"
)

// backup is a bucket that is another one's.
type backup struct {
	*storage.Store

	home *storage.Store
}

func (b backup) BringHome(ctx context.Context, key, sha256 string) (string, error) {
	info, err := b.home.TakeFrom(ctx, b.Store, key, sha256)
	return info.URL, err
}

// old is the age that objects are given: longer than they may be in the backup.
const old = 100 * time.Hour

// putIn puts an object in the bucket, which is so old.
func putIn(t *testing.T, s *storage.Store, key, text string, age time.Duration) (sha256 string) {
	t.Helper()
	info, err := s.PutNamed(t.Context(), key, record.ObjectMeta{}, func(w io.Writer) error {
		_, err := io.WriteString(w, text)
		return err
	})
	require.NoError(t, err)
	at := time.Now().Add(-age)
	require.NoError(t, os.Chtimes(s.LocalPath(key), at, at))
	return info.SHA256
}

// published is a call whose recording is in the backup, by the ledger. How it ends there is
// end's.
func (p *place) published(t *testing.T, id string, b *storage.Store, end func(l ledger.Lease, o ledger.Outcome) error) (key string) {
	t.Helper()
	p.ended(t, id)
	l := p.claim(t, id)
	spec := storetest.SpecOf(t, &l.Job)
	key = spec.Key(spec.Outputs[0]).String()
	res := storetest.Result(id)
	res.InBackup = true
	out := &res.Outputs[0]
	out.Key, out.URL, out.Bytes = key, b.URL(key), int64(len(audioOf(id)))
	out.SHA256 = putIn(t, b, key, audioOf(id), 0)
	require.NoError(t, end(l, storetest.Outcome(res)))
	return key
}

func audioOf(id string) string { return "the audio of " + id }

func age(t *testing.T, s *storage.Store, key string) {
	t.Helper()
	at := time.Now().Add(-old)
	require.NoError(t, os.Chtimes(s.LocalPath(key), at, at))
}

// What is in the backup is compared there, and what belongs home and is in the backup alone
// is copied home.
func TestBackup(t *testing.T) {
	onBoth(t, func(t *testing.T, at string) {
		home, other := drivertest.Open(t, "file://"+t.TempDir()), drivertest.Open(t, "file://"+t.TempDir())
		p := newPlace(t, home, at)
		waits := func(l ledger.Lease, o ledger.Outcome) error { return p.db.Publish(t.Context(), l, o, time.Hour) }
		aside := func(l ledger.Lease, o ledger.Outcome) error {
			if err := p.db.Publish(t.Context(), l, o, 0); err != nil {
				return err
			}
			again := p.claim(t, l.Job.Key)
			return p.db.Fail(t.Context(), again, ledger.Failure{Cause: "its bucket has others", Quarantine: true})
		}
		remove := func(key string) {
			head, err := other.Stat(t.Context(), key)
			require.NoError(t, err)
			require.NoError(t, other.Remove(t.Context(), key, head.SHA256))
		}
		p.published(t, "fresh", other, waits)
		overdue := p.published(t, "overdue", other, waits)
		age(t, other, overdue)
		asideKey := p.published(t, "aside", other, aside)
		age(t, other, asideKey)
		missing := p.published(t, "missing", other, waits)
		remove(missing)
		moved := p.published(t, "moved", other, aside)
		remove(moved)
		putIn(t, home, moved, audioOf("moved"), 0)
		differs := p.published(t, "differs", other, waits)
		require.NoError(t, os.WriteFile(other.LocalPath(differs), []byte("other"), 0o600))
		samesize := p.published(t, "samesize", other, waits)
		require.NoError(t, os.WriteFile(other.LocalPath(samesize), []byte(strings.ToUpper(audioOf("samesize"))), 0o600))
		both := p.published(t, "both", other, waits) // on its way home
		putIn(t, home, both, audioOf("both"), 0)

		left := p.recorded(t, "left", 1, true)
		putIn(t, other, left, audioOf("left"), old)
		leftOther := p.recorded(t, "leftother", 1, true)
		putIn(t, other, leftOther, "nothing like it", old)
		justMoved := p.recorded(t, "justmoved", 1, true)
		putIn(t, other, justMoved, audioOf("justmoved"), 0)
		lost := p.recorded(t, "lost", 1, true)
		sum := putIn(t, other, lost, audioOf("lost"), old)
		require.NoError(t, home.Remove(t.Context(), lost, sum))
		unknown := strings.ReplaceAll(left, "left", "unknown")
		putIn(t, other, unknown, "nobody's", old)
		putIn(t, other, "somebody/else.wav", "foreign", old)

		r, err := reconcile.Run(t.Context(), p.db, home, p.dir, nil)
		require.NoError(t, err)
		assert.Equal(t, map[reconcile.Kind]int64{reconcile.ObjectMissing: 1}, r.Found, "of what is in the home bucket, without the backup")
		assert.EqualValues(t, 8, r.InBackup, "it is told that they weren't looked at")
		assert.Empty(t, r.Backup)

		two := backup{other, home}
		want := map[reconcile.Kind]map[string]bool{ // by key, and whether it is of the backup
			reconcile.ObjectMissing:   {missing: true},
			reconcile.ObjectDiffers:   {differs: true, samesize: true},
			reconcile.ObjectMovedHome: {moved: true},
			reconcile.ObjectInBackup:  {lost: false},
			reconcile.BackupOverdue:   {overdue: true, asideKey: true},
			reconcile.BackupLeft:      {left: true, lost: true},
			reconcile.ObjectUnlinked:  {leftOther: true},
			reconcile.ObjectUnknown:   {unknown: true},
		}
		for _, repair := range []bool{false, true} {
			r, found := p.run(t, reconcile.Options{Backup: two, Repair: repair, LegAge: 1000 * time.Hour, Overdue: 1000 * time.Hour})
			got := map[reconcile.Kind]map[string]bool{}
			for kind, all := range found {
				if kind == reconcile.LegGone { // there are no legs here
					continue
				}
				got[kind] = map[string]bool{}
				for _, f := range all {
					got[kind][f.Key] = f.Bucket != ""
					if f.Bucket != "" {
						assert.Equal(t, other.String(), f.Bucket)
					}
					assert.Equal(t, kind != reconcile.ObjectUnknown, f.JobID != "", f.Key)
					assert.NotEmpty(t, f.Detail)
				}
			}
			assert.Equal(t, want, got)
			assert.Equal(t, other.String(), r.Backup)
			assert.EqualValues(t, 8, r.InBackup)
			assert.EqualValues(t, 1, r.Foreign)
			assert.EqualValues(t, 1, r.Unfinished, "what was moved just now")
			if repair {
				assert.Equal(t, map[reconcile.Kind]int64{reconcile.ObjectInBackup: 1}, r.Repaired)
			} else {
				assert.Empty(t, r.Repaired)
				_, err := home.Stat(t.Context(), lost)
				require.ErrorIs(t, err, fs.ErrNotExist)
			}
		}
		sumAtHome, err := home.SHA256(t.Context(), lost)
		require.NoError(t, err)
		assert.Equal(t, sum, sumAtHome)
		_, err = other.Stat(t.Context(), lost)
		require.NoError(t, err, "a repair deletes nothing")
		r, _ = p.run(t, reconcile.Options{Backup: two})
		assert.Zero(t, r.Found[reconcile.ObjectInBackup])
	})
}

// A run that was stopped in the backup goes on there, and one with another backup is refused.
func TestBackupGoneOnWith(t *testing.T) {
	t.Parallel()
	at := calldb.SQLiteURL(filepath.Join(t.TempDir(), "l.db"))
	home, other := drivertest.Open(t, "file://"+t.TempDir()), drivertest.Open(t, "file://"+t.TempDir())
	p := newPlace(t, home, at)
	const objects = 2500
	spec := storetest.Spec("call")
	for i := range objects {
		key := spec.Key(spec.Outputs[0])
		key.RecordingID = callmodel.RecordingID(fmt.Sprintf("nobody-%d", i))
		name := other.LocalPath(key.String())
		require.NoError(t, os.MkdirAll(filepath.Dir(name), 0o750))
		require.NoError(t, os.WriteFile(name, []byte("audio"), 0o600))
	}
	two := backup{other, home}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r, err := reconcile.Run(ctx, p.db, home, p.dir, &reconcile.Options{Backup: two, Kept: func(r reconcile.Report) {
		if r.BackupKeys > 0 {
			cancel()
		}
	}})
	require.ErrorIs(t, err, context.Canceled)
	require.False(t, r.Done)
	_, err = reconcile.Run(t.Context(), p.db, home, p.dir, nil)
	require.Equal(t, callmodel.CodeConflict, callmodel.CodeOf(err), "%v", err)
	first := r.BackupKeys
	r, err = reconcile.Run(t.Context(), p.db, home, p.dir, &reconcile.Options{Backup: two})
	require.NoError(t, err)
	assert.True(t, r.Done)
	assert.EqualValues(t, objects, r.BackupKeys)
	assert.Positive(t, first)
	assert.EqualValues(t, objects, r.Unfinished+r.Found[reconcile.ObjectUnknown])

	// A position from before there was a backup is begun again.
	require.NoError(t, os.WriteFile(filepath.Join(p.dir, "position.json"), []byte(`{"form":1,"bucket":"elsewhere","phase":"objects"}`), 0o600))
	r, err = reconcile.Run(t.Context(), p.db, home, p.dir, nil)
	require.NoError(t, err)
	assert.True(t, r.Done)
	assert.Zero(t, r.BackupKeys)
}
