package storetest

import (
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
)

func adoptRuns() []run {
	return []run{
		{"AdoptedIsDone", adoptedIsDone},
		{"AdoptRefusesFaults", adoptRefusesFaults},
		{"AdoptAtOnceMakesOne", adoptAtOnceMakesOne},
	}
}

// adoptedIsDone: what is adopted is there as if it had been made, and never runs.
func adoptedIsDone(t *testing.T, e Env) {
	e.create(t, "c1")
	r := Request("c1")
	r.Actor = "ann"
	id, created, err := e.Jobs.Adopt(t.Context(), r, Completed("c1"))
	require.NoError(t, err)
	require.True(t, created)
	j := e.job(t, id)
	require.Equal(t, ledger.Done, j.State)
	require.False(t, j.FinishedAt.IsZero())
	require.Empty(t, j.Worker)
	same(t, Spec("c1"), SpecOf(t, &j))
	require.Equal(t, record.StatusCompletedDegraded, ResultOf(t, &j).Status)
	require.Empty(t, e.claim(t, ledger.Claim{Worker: "w", Limit: 10, TTL: long}), "nobody runs it")

	c := e.call(t, "acme", "c1")
	require.Len(t, c.Recordings, 1)
	require.Equal(t, id, c.Recordings[0].JobID)
	require.NotEmpty(t, c.Recordings[0].URL)
	require.Len(t, e.outbox(t), 1)
	require.Equal(t, "ann", e.actions(t, "acme", callmodel.AuditJobEnqueued)[0].Actor)

	for range 2 {
		again, created, err := e.Jobs.Adopt(t.Context(), r, Completed("c1"))
		require.NoError(t, err)
		require.False(t, created)
		require.Equal(t, id, again)
	}
	require.Len(t, e.outbox(t), 1, "it is told once")

	// One that waits to be made is left as it is, and is made.
	waits := e.enqueue(t, Request("c2"))
	again, created, err := e.Jobs.Adopt(t.Context(), Request("c2"), Completed("c2"))
	require.NoError(t, err)
	require.False(t, created)
	require.Equal(t, waits, again)
	require.Equal(t, ledger.Queued, e.job(t, waits).State)
	s, err := e.Jobs.Stats(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 1, s.Done)
	require.EqualValues(t, 1, s.Queued)
}

func adoptRefusesFaults(t *testing.T, e Env) {
	var faults callmodel.FieldErrors
	bad := Request("c1")
	bad.Key = "another"
	_, _, err := e.Jobs.Adopt(t.Context(), bad, Completed("c1"))
	require.ErrorAs(t, err, &faults)
	for name, o := range map[string]ledger.Outcome{
		"nothing":    {},
		"empty":      {Empty: true, Result: []byte("{}")},
		"quarantine": {Quarantine: true, Result: []byte("{}")},
		"no JSON":    {Result: []byte("{")},
	} {
		_, created, err := e.Jobs.Adopt(t.Context(), Request("c1"), o)
		require.ErrorAs(t, err, &faults, name)
		require.False(t, created)
	}
	jobs, err := e.Jobs.Jobs(t.Context(), ledger.Filter{})
	require.NoError(t, err)
	require.Empty(t, jobs)
}

func adoptAtOnceMakesOne(t *testing.T, e Env) {
	var made atomic.Int64
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			_, created, err := e.Jobs.Adopt(t.Context(), Request("c1"), Completed("c1"))
			assert.NoError(t, err)
			if created {
				made.Add(1)
			}
		})
	}
	all.Wait()
	require.EqualValues(t, 1, made.Load())
	require.Len(t, e.outbox(t), 1)
}
