package service

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording"
	"github.com/switchtape/switchtape/recording/worker"
	"github.com/switchtape/switchtape/storage/calldb/memdb"
	"github.com/switchtape/switchtape/storage/storetest"
)

type hangs struct{ end chan struct{} }

func (h hangs) Process(context.Context, record.Spec, *recording.ProcessOptions) (record.Result, error) {
	<-h.end
	return record.Result{}, nil
}

// Attempts that hang are told of, and keep the worker from being ready when they have
// all its places. A process that takes calls takes them all the same.
func TestReadyTellsOfAttemptsThatHang(t *testing.T) {
	t.Parallel()
	db := memdb.New(time.Now)
	h := hangs{make(chan struct{})}
	w := worker.New(db, h, &worker.Options{Concurrency: 2, JobTimeout: 10 * time.Millisecond, LetGo: time.Millisecond, Poll: time.Millisecond})
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { assert.NoError(t, w.Run(ctx)) })
	t.Cleanup(running.Wait)
	t.Cleanup(stop)
	t.Cleanup(func() { close(h.end) })
	check := recordingsCheck(w, false)
	enqueue := func(id string) {
		_, _, err := db.Enqueue(t.Context(), storetest.Request(id))
		require.NoError(t, err)
	}
	enqueue("c1")
	require.Eventually(t, func() bool { return w.Abandoned() == 1 }, time.Minute, time.Millisecond)
	require.NoError(t, check.Check(t.Context()))
	assert.Equal(t, "1 attempts hang", check.Detail())
	enqueue("c2")
	require.Eventually(t, func() bool { return check.Check(t.Context()) != nil }, time.Minute, time.Millisecond)
	require.ErrorContains(t, check.Check(t.Context()), "attempts hang, and there are places for 2")
	assert.False(t, check.Tolerated())
	calls := recordingsCheck(w, true)
	assert.True(t, calls.Tolerated())
}
