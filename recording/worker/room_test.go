package worker_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording/task"
	"github.com/switchtape/switchtape/recording/worker"
)

// While a disk is full no recording is begun and the worker isn't ready; what makes room
// is done, and recordings go on once there is some.
func TestNoRoom(t *testing.T) {
	t.Parallel()
	q := jobLedger(t)
	var full atomic.Bool
	full.Store(true)
	made1 := make(chan struct{}, 10)
	tidied := make(chan struct{}, 10)
	kinds, err := task.NewKinds(task.Of("tidy", func(context.Context, *task.Job, struct{}) (any, error) {
		tidied <- struct{}{}
		return nil, nil
	}))
	require.NoError(t, err)
	o := options()
	o.Kinds, o.IdlePoll = kinds, 5*time.Millisecond
	o.Room = func(kind string) error {
		if kind == record.Kind && full.Load() {
			return errors.New("the disk has reached its reserve")
		}
		return nil
	}
	w := worker.New(q, processorFunc(func(context.Context, record.Spec, bool) (record.Result, error) {
		made1 <- struct{}{}
		return made, nil
	}), o)
	require.ErrorContains(t, w.Ready(), "reserve")
	ids := enqueue(t, q, 1)
	start(t, w)
	for i := range 3 { // each is claimed after the one before
		_, _, err = q.Enqueue(t.Context(), ledger.Request{Kind: "tidy", TenantID: "acme", Key: string(rune('a' + i)), Payload: []byte("{}")})
		require.NoError(t, err)
		<-tidied
	}
	require.Empty(t, made1)
	j, err := q.Job(t.Context(), ids[0])
	require.NoError(t, err)
	require.Equal(t, ledger.Queued, j.State)
	full.Store(false)
	require.Zero(t, waitState(t, q, ids[0], ledger.Done).Attempts)
	require.NoError(t, w.Ready())
}
