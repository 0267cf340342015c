package worker_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording/worker"
	"github.com/switchtape/switchtape/storage/storetest"
)

// A recording notes what wrote its legs, in its result and on its call.
func TestHostSoftware(t *testing.T) {
	t.Parallel()
	q := jobLedger(t)
	s := spec("c1")
	s.HostSoftware = "Asterisk 20.9.1"
	id, _, err := q.Enqueue(t.Context(), storetest.RequestOf(s))
	require.NoError(t, err)
	start(t, worker.New(q, processorFunc(func(context.Context, record.Spec, bool) (record.Result, error) { return made, nil }), options()))
	j := waitState(t, q, id, ledger.Done)
	got, err := record.ResultOf(&j)
	require.NoError(t, err)
	require.Equal(t, "Asterisk 20.9.1", got.HostSoftware)
}

// A recording notes the version of the program that made it, unless its maker has noted one.
func TestSoftware(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ own, worker, want string }{{"", "", ""}, {"", "v2", "v2"}, {"v1", "v2", "v1"}} {
		q := jobLedger(t)
		id := enqueue(t, q, 1)[0]
		o := options()
		o.Software = c.worker
		start(t, worker.New(q, processorFunc(func(context.Context, record.Spec, bool) (record.Result, error) {
			r := made
			r.Software = c.own
			return r, nil
		}), o))
		j := waitState(t, q, id, ledger.Done)
		r, err := record.ResultOf(&j)
		require.NoError(t, err)
		require.Equal(t, c.want, r.Software)
	}
}
