package service_test

import (
	"context"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/cmd/internal/ops"
	"github.com/switchtape/switchtape/cmd/internal/service"
	"github.com/switchtape/switchtape/recording/reconcile"
	"github.com/switchtape/switchtape/storage"
	"github.com/switchtape/switchtape/storage/calldb"
	"github.com/switchtape/switchtape/storage/storetest"
	"github.com/switchtape/switchtape/storage/storetest/pgtest"
)

// A process compares as often as it is told, by its clock, and its metrics say what is left.
func TestVerifier(t *testing.T) {
	t.Parallel()
	db, err := calldb.Open(t.Context(), calldb.SQLiteURL(filepath.Join(t.TempDir(), "a.db")), nil)
	require.NoError(t, err)
	_, err = db.Migrate(t.Context())
	require.NoError(t, err)
	objects, err := storage.Open(t.Context(), service.FileURL(t.TempDir()), nil)
	require.NoError(t, err)
	s := &service.Stores{DB: db, Objects: objects}
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	spec := storetest.Spec("nobody")
	_, err = objects.Put(t.Context(), spec.Key(spec.Outputs[0]), record.ObjectMeta{}, func(w io.Writer) error {
		_, err := io.WriteString(w, "audio")
		return err
	})
	require.NoError(t, err)
	legs := t.TempDir()
	old := time.Now().Add(-72 * time.Hour)
	require.NoError(t, os.WriteFile(filepath.Join(legs, "leg.wav"), []byte("leg"), 0o600))
	require.NoError(t, os.Chtimes(filepath.Join(legs, "leg.wav"), old, old))
	m := ops.NewMetrics()
	v, err := service.NewVerifier(s, service.VerifyOptions{VerifyEvery: 24 * time.Hour, VerifyDir: filepath.Join(t.TempDir(), "verify"), VerifyLegs: legs},
		recordedAs("one"), m, slog.New(slog.DiscardHandler))
	require.NoError(t, err)

	waits, go1 := make(chan time.Duration), make(chan time.Time)
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	v.SetClock(func() time.Time { return at }, func(d time.Duration) <-chan time.Time { waits <- d; return go1 })
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- v.Run(ctx) }()
	require.Zero(t, <-waits, "the first one begins at once")
	go1 <- at
	require.Equal(t, 24*time.Hour, <-waits)
	r, when := v.Last()
	assert.Equal(t, at, when)
	assert.Equal(t, map[reconcile.Kind]int64{reconcile.ObjectUnknown: 1, reconcile.LegUnclaimed: 1}, r.Found)
	left, err := testutil.GatherAndCount(m.Registry, "switchtape_mismatches")
	require.NoError(t, err)
	assert.Len(t, reconcile.Kinds(), left)
	assert.Equal(t, 1, mismatches(t, m, reconcile.LegUnclaimed))
	go1 <- at
	require.Equal(t, 24*time.Hour, <-waits)
	cancel()
	require.NoError(t, <-done)
	var none *service.Verifier
	require.NoError(t, none.Run(t.Context()))
}

func TestVerifyOptions(t *testing.T) {
	t.Parallel()
	s := &service.Stores{}
	for _, o := range []service.VerifyOptions{
		{VerifyEvery: time.Second, VerifyDir: "d"}, {VerifyEvery: time.Hour}, {VerifyEvery: time.Hour, VerifyDir: "d"}, {VerifyEvery: -time.Hour, VerifyDir: "d"},
	} {
		_, err := service.NewVerifier(s, o, service.VerifierOptions{}, ops.NewMetrics(), slog.New(slog.DiscardHandler))
		require.Error(t, err)
	}
	v, err := service.NewVerifier(s, service.VerifyOptions{}, service.VerifierOptions{}, ops.NewMetrics(), slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	require.Nil(t, v)
}

func recordedAs(name string) service.VerifierOptions {
	return service.VerifierOptions{Name: name, Recorded: service.RecordOptions{RecordCodec: "mp3", RecordLayout: "stereo"}}
}

// mismatches is what the metrics say of the kind.
func mismatches(t *testing.T, m *ops.Metrics, kind reconcile.Kind) int {
	t.Helper()
	families, err := m.Registry.Gather()
	require.NoError(t, err)
	for _, f := range families {
		if f.GetName() != "switchtape_mismatches" {
			continue
		}
		for _, one := range f.GetMetric() {
			if one.GetLabel()[0].GetValue() == string(kind) {
				return int(one.GetGauge().GetValue())
			}
		}
	}
	require.Fail(t, "there is no such metric", kind)
	return 0
}

// comparing is a verifier of a fleet that runs, and whose clock the test has.
type comparing struct {
	*service.Verifier

	m     *ops.Metrics
	waits chan time.Duration
	tick  chan time.Time
	stop  func()
}

// next has its next turn begin, and returns how long it waits when that is over.
func (c *comparing) next() time.Duration {
	c.tick <- time.Time{}
	return <-c.waits
}

// Of several processes one compares, the one that has been there longest; another does when
// it has gone, and tells the metrics then.
func TestVerifiersOfAFleet(t *testing.T) {
	t.Parallel()
	for name, at := range map[string]func(testing.TB) string{
		"SQLite":     func(t testing.TB) string { t.Helper(); return calldb.SQLiteURL(filepath.Join(t.TempDir(), "a.db")) },
		"PostgreSQL": pgtest.URL,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db, err := calldb.Open(t.Context(), at(t), nil)
			require.NoError(t, err)
			_, err = db.Migrate(t.Context())
			require.NoError(t, err)
			objects, err := storage.Open(t.Context(), service.FileURL(t.TempDir()), nil)
			require.NoError(t, err)
			s := &service.Stores{DB: db, Objects: objects}
			t.Cleanup(func() { require.NoError(t, s.Close()) })
			spec := storetest.Spec("nobody")
			_, err = objects.Put(t.Context(), spec.Key(spec.Outputs[0]), record.ObjectMeta{}, func(w io.Writer) error {
				_, err := io.WriteString(w, "audio")
				return err
			})
			require.NoError(t, err)
			start := func(name string) *comparing {
				c := &comparing{m: ops.NewMetrics(), waits: make(chan time.Duration), tick: make(chan time.Time)}
				v, err := service.NewVerifier(s, service.VerifyOptions{VerifyEvery: 24 * time.Hour, VerifyDir: filepath.Join(t.TempDir(), name)}, recordedAs(name), c.m, slog.New(slog.DiscardHandler))
				require.NoError(t, err)
				v.SetClock(time.Now, func(d time.Duration) <-chan time.Time {
					select {
					case c.waits <- d:
					case <-t.Context().Done():
					}
					return c.tick
				})
				ctx, cancel := context.WithCancel(t.Context())
				ended := make(chan error, 1)
				go func() { ended <- v.Run(ctx) }()
				c.Verifier, c.stop = v, func() {
					cancel()
					require.NoError(t, <-ended)
				}
				require.Zero(t, <-c.waits)
				return c
			}
			z := start("z")
			require.Greater(t, z.next(), 23*time.Hour, "the first one compares")
			a := start("a")
			require.Equal(t, time.Minute, a.next(), "one that comes later looks again, whatever its name is")
			_, when := a.Last()
			assert.True(t, when.IsZero())
			assert.Zero(t, mismatches(t, a.m, reconcile.ObjectUnknown))
			assert.Equal(t, 1, mismatches(t, z.m, reconcile.ObjectUnknown))
			require.Greater(t, z.next(), 23*time.Hour, "it compares as before")
			require.Equal(t, time.Minute, a.next())
			there, err := db.Fleet(t.Context())
			require.NoError(t, err)
			assert.Len(t, there, 2)
			z.stop()
			require.Greater(t, a.next(), 23*time.Hour, "the other one compares now")
			assert.Equal(t, 1, mismatches(t, a.m, reconcile.ObjectUnknown))
			z = start("z")
			require.Equal(t, time.Minute, z.next(), "it was away")
			a.stop()
			z.stop()
		})
	}
}

// listed is a bucket that tells when it is listed.
type listed struct {
	reconcile.Bucket

	when func()
}

func (l listed) ListPage(ctx context.Context, token string) (record.Listing, error) {
	l.when()
	return l.Bucket.ListPage(ctx, token)
}

// A worker's process that was away while it compared, so that another has begun, leaves off.
func TestVerifierLeavesOff(t *testing.T) {
	t.Parallel()
	db, err := calldb.Open(t.Context(), calldb.SQLiteURL(filepath.Join(t.TempDir(), "a.db")), nil)
	require.NoError(t, err)
	_, err = db.Migrate(t.Context())
	require.NoError(t, err)
	objects, err := storage.Open(t.Context(), service.FileURL(t.TempDir()), nil)
	require.NoError(t, err)
	s := &service.Stores{DB: db, Objects: objects}
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	legs := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(legs, "leg.wav"), []byte("leg"), 0o600))
	program := &service.WorkerProgram{
		VerifyOptions: service.VerifyOptions{VerifyEvery: time.Hour, VerifyDir: filepath.Join(t.TempDir(), "verify"), VerifyLegs: legs},
		RecordOptions: service.RecordOptions{RecordCodec: "mp3", RecordLayout: "stereo"},
	}
	program.Name = "w"
	v, err := program.Verifier(s, ops.NewMetrics(), slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	waits, tick := make(chan time.Duration), make(chan time.Time)
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	v.SetClock(func() time.Time { at = at.Add(time.Minute); return at }, func(d time.Duration) <-chan time.Time { waits <- d; return tick })
	v.SetBucket(listed{objects, func() {
		assert.NoError(t, db.Gone(t.Context(), ledger.Presence{Role: ledger.RoleVerifier, Name: "w"}))
		assert.NoError(t, db.Present(t.Context(), ledger.Presence{Role: ledger.RoleVerifier, Name: "other"}))
	}})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- v.Run(ctx) }()
	<-waits
	tick <- at
	require.Equal(t, time.Minute, <-waits)
	_, when := v.Last()
	assert.True(t, when.IsZero(), "it came to nothing")
	cancel()
	require.NoError(t, <-ended)
}
