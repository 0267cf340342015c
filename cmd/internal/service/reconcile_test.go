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

	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/cmd/internal/ops"
	"github.com/switchtape/switchtape/cmd/internal/service"
	"github.com/switchtape/switchtape/recording/reconcile"
	"github.com/switchtape/switchtape/storage"
	"github.com/switchtape/switchtape/storage/calldb"
	"github.com/switchtape/switchtape/storage/storetest"
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
		service.RecordOptions{RecordCodec: "mp3", RecordLayout: "stereo"}, 0, m, slog.New(slog.DiscardHandler))
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
		_, err := service.NewVerifier(s, o, service.RecordOptions{}, 0, ops.NewMetrics(), slog.New(slog.DiscardHandler))
		require.Error(t, err)
	}
	v, err := service.NewVerifier(s, service.VerifyOptions{}, service.RecordOptions{}, 0, ops.NewMetrics(), slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	require.Nil(t, v)
}
