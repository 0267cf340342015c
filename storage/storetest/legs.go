package storetest

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
)

// LegsLedger is what [Jobs] tests of the port lifecycle.Ledger, where the promises are.
type LegsLedger interface {
	LegsDue(ctx context.Context, q ledger.LegsDue) (ledger.LegsFound, error)
	NamedBy(ctx context.Context, uris []string) (callmodel.JobID, error)
	Now(ctx context.Context) (time.Time, error)
}

// legsDue: of recordings that are done for so long, and whose legs nobody deletes, in the
// queues that are asked for.
func legsDue(t *testing.T, e Env) {
	if e.RecordsOnly {
		_, err := e.Jobs.LegsDue(t.Context(), ledger.LegsDue{By: "delete-legs"})
		requireCode(t, callmodel.CodeUnavailable, err)
		return
	}
	due := func(q ledger.LegsDue) (keys []string, f ledger.LegsFound) {
		t.Helper()
		q.By = "delete-legs"
		f, err := e.Jobs.LegsDue(t.Context(), q)
		require.NoError(t, err)
		for i := range f.Jobs {
			require.Equal(t, ledger.Done, f.Jobs[i].State)
			keys = append(keys, f.Jobs[i].Key)
		}
		return keys, f
	}
	a, b := Request("a"), Request("b")
	a.Queue, b.Queue = "pbx-1", "pbx-2"
	e.enqueue(t, a)
	e.enqueue(t, b)
	keys, f := due(ledger.LegsDue{})
	require.Empty(t, keys)
	require.True(t, f.Open)
	for range 2 {
		l := e.one(t, "w")
		require.NoError(t, e.Jobs.Complete(t.Context(), l, Completed(l.Job.Key)))
	}
	keys, f = due(ledger.LegsDue{})
	require.Equal(t, []string{"a", "b"}, keys)
	require.False(t, f.Open)
	require.True(t, f.End)
	keys, _ = due(ledger.LegsDue{Queues: []string{"pbx-2", "pbx-3"}})
	require.Equal(t, []string{"b"}, keys)
	keys, f = due(ledger.LegsDue{Keep: time.Hour})
	require.Empty(t, keys, "they were done a moment ago")
	require.True(t, f.Open)
	keys, _ = due(ledger.LegsDue{After: f.Next})
	require.Empty(t, keys)

	e.enqueue(t, ledger.Request{Kind: "delete-legs", TenantID: "acme", CallID: "a", Key: "a", Payload: []byte("{}"), Queue: "pbx-1"})
	keys, f = due(ledger.LegsDue{})
	require.Equal(t, []string{"b"}, keys)
	require.False(t, f.Open)
}

// legsNamed: a leg is named by a recording that isn't done, however its name is written.
func legsNamed(t *testing.T, e Env) {
	odd := Spec("odd")
	odd.Legs[0].Segments[0].URI = `odd/a "quoted" & <name>.wav`
	id := e.enqueue(t, RequestOf(odd))
	named := func(uris ...string) callmodel.JobID {
		t.Helper()
		by, err := e.Jobs.NamedBy(t.Context(), uris)
		require.NoError(t, err)
		return by
	}
	require.Equal(t, id, named("nobody.wav", odd.Legs[0].Segments[0].URI))
	require.Empty(t, named("nobody.wav"))
	require.Empty(t, named())
	require.Empty(t, named("odd/customer.wa"), "a part of a name is another name")
	require.Equal(t, id, named(append(names("x", 100), "odd/customer.wav")...))
	l := e.one(t, "w")
	require.Equal(t, id, named("odd/customer.wav"), "it runs")
	require.NoError(t, e.Jobs.Fail(t.Context(), l, ledger.Failure{Cause: "poison", Quarantine: true}))
	require.Equal(t, id, named("odd/customer.wav"), "what is set aside keeps its legs")
	require.NoError(t, e.Jobs.Retry(t.Context(), id, "ann"))
	require.NoError(t, e.Jobs.Complete(t.Context(), e.one(t, "w"), Completed("odd")))
	require.Empty(t, named("odd/customer.wav"))
}
