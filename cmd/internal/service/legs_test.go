package service_test

import (
	"context"
	"database/sql"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/callmodel/retention"
	"github.com/switchtape/switchtape/cmd/internal/ops"
	"github.com/switchtape/switchtape/cmd/internal/service"
	"github.com/switchtape/switchtape/recording/lifecycle"
	"github.com/switchtape/switchtape/recording/recordingtest/samplecall"
)

// With --legs-keep a worker deletes the legs of what it has recorded, and not before their
// time.
func TestLegsKeep(t *testing.T) {
	t.Parallel()
	dir, legDir := t.TempDir(), t.TempDir()
	s := &service.Stores{}
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	var err error
	s.DB, err = service.OpenDB(t.Context(), service.DBOptions{DB: service.SQLiteURL(dir)}, true)
	require.NoError(t, err)
	err = s.OpenBucket(t.Context(), service.Buckets(nil), service.BucketOptions{Bucket: "file://" + t.TempDir()}, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	open := func(o service.WorkerOptions) (*service.WorkerLegs, func(), error) {
		o.Legs, o.Concurrency, o.LeaseTTL = legDir, 1, time.Minute
		w, legs, err := service.NewWorker(t.Context(), s, o, service.Buckets(nil), ops.NewMetrics(), slog.New(slog.DiscardHandler))
		if err != nil {
			return nil, nil, err
		}
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- w.Run(ctx) }()
		return legs, func() {
			stop()
			require.NoError(t, <-done)
			require.NoError(t, legs.Close())
		}, nil
	}
	_, _, err = open(service.WorkerOptions{Queues: []string{"pbx"}, LegsKeep: time.Minute})
	require.ErrorContains(t, err, "at least 1h")
	_, _, err = open(service.WorkerOptions{Queues: []string{"*"}, LegsKeep: time.Hour})
	require.ErrorContains(t, err, "--all-legs")

	for _, size := range []string{"100%", "0%", "x%", "-1GiB", "20GB", "99999999TiB"} {
		_, _, err = open(service.WorkerOptions{Queues: []string{"pbx"}, LegsReserve: size})
		require.ErrorContains(t, err, "--legs-reserve", size)
	}

	leg := filepath.Join(legDir, "agent.wav")
	require.NoError(t, os.WriteFile(leg, samplecall.Agent(), 0o600))
	old := time.Now().Add(-2 * time.Hour)
	require.NoError(t, os.Chtimes(leg, old, old))
	r, err := record.NewJob(record.Spec{
		TenantID: "acme", CallID: "c1", RecordingID: "c1", StartedAt: old, Legs: []record.LegSpec{record.NewLeg("agent", "agent.wav")},
		Outputs: []record.OutputSpec{{Codec: record.CodecWAV, Layout: record.LayoutMono}},
	}, "pbx", 0)
	require.NoError(t, err)
	_, _, err = s.DB.Enqueue(t.Context(), r)
	require.NoError(t, err)
	legs, stop, err := open(service.WorkerOptions{Queues: []string{"*", "pbx"}, LegsKeep: time.Hour, LegsReserve: "1KiB"})
	require.NoError(t, err)
	defer stop()
	done := func(kind string) bool {
		jobs, err := s.DB.Jobs(t.Context(), ledger.Filter{Kind: kind, State: ledger.Done})
		return err == nil && len(jobs) == 1
	}
	require.Eventually(t, func() bool { return done(record.Kind) }, time.Minute, 5*time.Millisecond)
	n, err := legs.Sweep(t.Context())
	require.NoError(t, err)
	require.Zero(t, n)
	raw, err := sql.Open("sqlite", filepath.Join(dir, "switchtape.db"))
	require.NoError(t, err)
	res, err := raw.ExecContext(t.Context(), "PRAGMA busy_timeout = 10000; UPDATE jobs SET finished_at = finished_at - ?", (2 * time.Hour).Microseconds())
	require.NoError(t, err)
	rows, err := res.RowsAffected()
	require.NoError(t, err)
	require.EqualValues(t, 1, rows)
	hold, err := s.DB.PlaceHold(t.Context(), retention.Hold{TenantID: "acme", Scope: retention.HoldRecording, Subject: "c1", Reason: "case 7"}, "ann")
	require.NoError(t, err)
	n, err = legs.Sweep(t.Context())
	require.NoError(t, err)
	require.Equal(t, 1, n)
	require.Eventually(t, func() bool {
		jobs, err := s.DB.Jobs(t.Context(), ledger.Filter{Kind: lifecycle.KindDeleteLegs, State: ledger.Queued})
		return err == nil && len(jobs) == 1 && strings.Contains(jobs[0].LastError, "legal hold "+string(hold.ID))
	}, time.Minute, 5*time.Millisecond, "it waits")
	require.FileExists(t, leg)
	_, err = s.DB.LiftHold(t.Context(), retention.Lift{TenantID: "acme", ID: hold.ID, Actor: "ann", Reason: "closed"})
	require.NoError(t, err)
	_, err = raw.ExecContext(t.Context(), "UPDATE jobs SET run_at = 1 WHERE kind = ?", lifecycle.KindDeleteLegs)
	require.NoError(t, err)
	require.NoError(t, raw.Close())
	require.Eventually(t, func() bool { return done(lifecycle.KindDeleteLegs) }, time.Minute, 5*time.Millisecond)
	require.NoFileExists(t, leg)
	c, err := s.DB.AuditEvents(t.Context(), "acme", 0, 100)
	require.NoError(t, err)
	require.Equal(t, callmodel.AuditJobCompleted, c[len(c)-1].Action)
}
