package storetest

import (
	"context"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/outbox"
)

// Places is what [OutboxPlaces] tests: the port publish.Outbox, where the promises are
// written, but for the events: those are OutboxEvents.
type Places interface {
	OutboxPlace(ctx context.Context, name string) (outbox.Place, error)
	TakeOutbox(ctx context.Context, r outbox.Reader) (outbox.Place, error)
	AdvanceOutbox(ctx context.Context, r outbox.Reader, through int64) error
	LeaveOutbox(ctx context.Context, r outbox.Reader) error
}

// OutboxPlaces is what publish.Outbox promises of the readers' places.
func OutboxPlaces(t *testing.T, open func(t *testing.T) Env) {
	t.Helper()
	runAll(t, open, []run{
		{"OneReadsAtATime", withPlaces(placeHeld)},
		{"SilentOnesAreFollowed", withPlaces(placeExpires)},
		{"TellsOfMore", withPlaces(placeMore)},
		{"ReadersDontKnowOfEachOther", withPlaces(placesApart)},
		{"AtOnce", withPlaces(placesAtOnce)},
		{"Refuses", withPlaces(placeRefused)},
	})
}

// withPlaces runs test on a schema that keeps places. One before says that it doesn't.
func withPlaces(test func(t *testing.T, e Env)) func(t *testing.T, e Env) {
	return func(t *testing.T, e Env) {
		if !e.NoIntake {
			test(t, e)
			return
		}
		r := outbox.Reader{Name: "publish", Holder: "a"}
		_, place := e.Places.OutboxPlace(t.Context(), r.Name)
		_, take := e.Places.TakeOutbox(t.Context(), r)
		for _, err := range []error{place, take, e.Places.AdvanceOutbox(t.Context(), r, 1)} {
			requireCode(t, callmodel.CodeUnavailable, err)
		}
		require.NoError(t, e.Places.LeaveOutbox(t.Context(), r))
	}
}

func (e Env) take(t *testing.T, r outbox.Reader) outbox.Place {
	t.Helper()
	p, err := e.Places.TakeOutbox(t.Context(), r)
	require.NoError(t, err)
	return p
}

func placeHeld(t *testing.T, e Env) {
	a, b := outbox.Reader{Name: "publish", Holder: "a", TTL: long}, outbox.Reader{Name: "publish", Holder: "b", TTL: long}
	p, err := e.Places.OutboxPlace(t.Context(), "publish")
	require.NoError(t, err)
	require.Zero(t, p)
	p = e.take(t, a)
	require.Equal(t, "a", p.Holder)
	require.Zero(t, p.Through)
	require.Greater(t, p.Held, long/2)
	require.Equal(t, "a", e.take(t, b).Holder)
	require.ErrorIs(t, e.Places.AdvanceOutbox(t.Context(), b, 5), callmodel.ErrLeaseLost)
	require.NoError(t, e.Places.AdvanceOutbox(t.Context(), a, 7))
	require.NoError(t, e.Places.AdvanceOutbox(t.Context(), a, 3), "it never goes back")
	require.EqualValues(t, 7, e.take(t, a).Through)
	require.NoError(t, e.Places.LeaveOutbox(t.Context(), b), "what one doesn't have")
	require.Equal(t, "a", e.take(t, b).Holder)
	require.NoError(t, e.Places.LeaveOutbox(t.Context(), a))
	p, err = e.Places.OutboxPlace(t.Context(), "publish")
	require.NoError(t, err)
	require.Equal(t, outbox.Place{Through: 7}, p)
	p = e.take(t, b)
	require.Equal(t, "b", p.Holder)
	require.EqualValues(t, 7, p.Through)
	require.ErrorIs(t, e.Places.AdvanceOutbox(t.Context(), a, 9), callmodel.ErrLeaseLost)
}

func placeExpires(t *testing.T, e Env) {
	a, b := outbox.Reader{Name: "publish", Holder: "a", TTL: short}, outbox.Reader{Name: "publish", Holder: "b", TTL: long}
	e.take(t, a)
	require.NoError(t, e.Places.AdvanceOutbox(t.Context(), a, 7))
	e.until(t, 2*short, func() bool { return e.take(t, b).Holder == "b" })
	require.ErrorIs(t, e.Places.AdvanceOutbox(t.Context(), a, 8), callmodel.ErrLeaseLost)
	require.EqualValues(t, 7, e.take(t, b).Through)
}

func placeMore(t *testing.T, e Env) {
	more := func(name string) bool {
		t.Helper()
		p, err := e.Places.OutboxPlace(t.Context(), name)
		require.NoError(t, err)
		return p.More
	}
	require.False(t, more("publish"))
	for _, id := range names("c", 2) {
		e.enqueue(t, Request(id))
		require.NoError(t, e.Jobs.Complete(t.Context(), e.one(t, "w"), Completed(id)))
	}
	require.True(t, more("publish"))
	events := e.outbox(t)
	r := outbox.Reader{Name: "publish", Holder: "a"}
	e.take(t, r)
	require.NoError(t, e.Places.AdvanceOutbox(t.Context(), r, events[0].ID))
	require.True(t, more("publish"))
	require.NoError(t, e.Places.AdvanceOutbox(t.Context(), r, events[1].ID))
	require.False(t, more("publish"))
	require.True(t, more("webhooks"))
}

func placesApart(t *testing.T, e Env) {
	a, b := outbox.Reader{Name: "publish", Holder: "a"}, outbox.Reader{Name: "webhooks", Holder: "b"}
	require.Equal(t, "a", e.take(t, a).Holder)
	require.Equal(t, "b", e.take(t, b).Holder)
	require.NoError(t, e.Places.AdvanceOutbox(t.Context(), a, 3))
	require.Zero(t, e.take(t, b).Through)
}

func placesAtOnce(t *testing.T, e Env) {
	var wg sync.WaitGroup
	held := make([]bool, 8)
	for i := range held {
		wg.Go(func() {
			me := string(rune('a' + i))
			p, err := e.Places.TakeOutbox(t.Context(), outbox.Reader{Name: "publish", Holder: me, TTL: long})
			assert.NoError(t, err)
			held[i] = p.Holder == me
		})
	}
	wg.Wait()
	n := 0
	for _, h := range held {
		if h {
			n++
		}
	}
	require.Equal(t, 1, n)
}

func placeRefused(t *testing.T, e Env) {
	for _, r := range []outbox.Reader{{}, {Name: "a/b", Holder: "x"}, {Name: "publish"}} {
		_, err := e.Places.TakeOutbox(t.Context(), r)
		requireCode(t, callmodel.CodeInvalid, err)
		requireCode(t, callmodel.CodeInvalid, e.Places.AdvanceOutbox(t.Context(), r, 1))
	}
	require.ErrorIs(t, e.Places.AdvanceOutbox(t.Context(), outbox.Reader{Name: "never", Holder: "x"}, 1), callmodel.ErrLeaseLost)
}
