package lifecycle_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"io"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/callmodel/retention"
	"github.com/switchtape/switchtape/recording/lifecycle"
	"github.com/switchtape/switchtape/recording/task"
	"github.com/switchtape/switchtape/recording/task/dataexport"
	"github.com/switchtape/switchtape/recording/worker"
	"github.com/switchtape/switchtape/storage"
	"github.com/switchtape/switchtape/storage/calldb"
)

// readOnce is a bucket that is told when the first object is read.
type readOnce struct {
	*storage.Store

	read func()
}

func (o readOnce) Open(ctx context.Context, key string) (io.ReadCloser, error) {
	in, err := o.Store.Open(ctx, key)
	o.read()
	return in, err
}

// lateToSee is a ledger that shows no running export before the deletion has begun, as if
// it had been claimed between.
type lateToSee struct {
	*calldb.DB

	begun bool
}

func (l *lateToSee) Jobs(ctx context.Context, f ledger.Filter) ([]ledger.Job, error) {
	if f.Kind == dataexport.Kind && !l.begun {
		return nil, nil
	}
	return l.DB.Jobs(ctx, f)
}

func (l *lateToSee) BeginErasure(ctx context.Context, b retention.Begin) (retention.Erasure, error) {
	l.begun = true
	return l.DB.BeginErasure(ctx, b)
}

// until has a worker do the kinds until the job of that kind is as it should be.
func (a *archive) until(t *testing.T, kind string, is func(*ledger.Job) bool, kinds ...task.Kind) {
	t.Helper()
	known, err := task.NewKinds(kinds...)
	require.NoError(t, err)
	w := worker.New(a.db, nil, &worker.Options{AllLegs: true, Kinds: known, LeaseTTL: time.Minute, Poll: 2 * time.Millisecond})
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	require.Eventually(t, func() bool { return is(a.job(t, kind, "")) }, within, 2*time.Millisecond)
	stop()
	require.NoError(t, <-done)
}

func isDone(j *ledger.Job) bool { return j.State == ledger.Done }

// A recording that is erased while its call is being exported, when the export has read it
// already, isn't left in what the export makes; neither is it when the deletion has begun
// before it could see the export.
func TestErasedWhileExported(t *testing.T) {
	t.Parallel()
	for name, late := range map[string]bool{"seen before": false, "seen late": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			a := newArchive(t, dir, fileURL(filepath.Join(dir, "bucket")))
			a.ended(t, "c1", record.OutputSpec{Codec: record.CodecMP3, Layout: record.LayoutMono, BitrateBps: 32000})
			a.work(t)
			payload, err := json.Marshal(dataexport.Payload{Of: dataexport.OfCall, CallID: "c1"})
			require.NoError(t, err)
			a.enqueue(t, ledger.Request{Kind: dataexport.Kind, TenantID: "acme", Key: "x1", Payload: payload})
			on := lifecycle.ErasureLedger(a.db)
			if late {
				on = &lateToSee{DB: a.db}
			}
			e, err := lifecycle.NewEraser(on, lifecycle.EraserOptions{Buckets: []lifecycle.Bucket{a.home.Alone()}, Legs: a.dir})
			require.NoError(t, err)

			inTheMiddle := sync.OnceFunc(func() {
				a.erase(t, "c1")
				a.until(t, retention.KindErase, func(j *ledger.Job) bool { return j.LastError != "" }, e.Kinds()...)
			})
			x := dataexport.NewExporter(a.db, nil, readOnce{a.home, inTheMiddle})
			a.until(t, dataexport.Kind, isDone, x.Kind(a.home))
			order := a.job(t, retention.KindErase, "")
			require.Contains(t, order.LastError, "is exporting the call")
			require.Equal(t, ledger.Queued, order.State)
			require.Zero(t, order.Attempts, "it waits")
			list, err := a.db.Erasures(t.Context(), "acme", "c1")
			require.NoError(t, err)
			require.Equal(t, late, len(list) > 0)
			var made dataexport.Exported
			require.NoError(t, json.Unmarshal(a.job(t, dataexport.Kind, "").Result, &made))
			require.NotZero(t, made.Counts.Objects, "it had read the recording")

			raw, err := sql.Open("sqlite", filepath.Join(dir, "ledger.db"))
			require.NoError(t, err)
			_, err = raw.ExecContext(t.Context(), "UPDATE jobs SET run_at = 0 WHERE state = 'queued'")
			require.NoError(t, err)
			require.NoError(t, raw.Close())
			a.until(t, retention.KindErase, isDone, e.Kinds()...)
			require.Empty(t, there(t, a.home))
			list, err = a.db.Erasures(t.Context(), "acme", "c1")
			require.NoError(t, err)
			require.Len(t, list, 1)
			named := false
			for _, o := range list[0].Objects {
				named = named || o.Key == made.Parts[0].Object
			}
			require.True(t, named, "the export's zip is among what was deleted")
		})
	}
}
