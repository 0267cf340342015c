package callservice_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/routing/callservice"
)

// A process whose clock is ahead is told of an answer, and one whose clock isn't of the end,
// neither with a time: the call ends, at once and by way of the journal, for its end is what
// has its recording made. An end that names a time before the answer stays refused.
func TestClocksOfProcessesDiffer(t *testing.T) {
	t.Parallel()
	onAll(t, func(t *testing.T, db callservice.Stores) {
		t.Helper()
		at := func(d time.Duration) func() time.Time { return func() time.Time { return noon.Add(d) } }
		ahead := on(t, db, callservice.Options{Now: at(time.Hour)})
		f, dir := newFaulty(db), t.TempDir()
		behind := on(t, f, callservice.Options{Now: at(0), Journal: openJournal(t, dir), RulesRefresh: 5 * time.Millisecond})
		for _, id := range []string{"at-once", "journalled", "contradicts"} {
			create(t, ahead, nyc(id))
			tell(t, ahead, callmodel.CallID(id), calls.Event{ID: "1", Type: calls.EventAnswered})
		}
		end := calls.Event{ID: "2", Type: calls.EventEnded}
		tell(t, behind, "at-once", end)

		contradicts := end
		contradicts.At = noon
		_, err := behind.Event(t.Context(), "acme", "contradicts", contradicts, "test")
		requireCode(t, callmodel.CodeInvalid, err)

		f.set(down)
		m, err := behind.Event(t.Context(), "acme", "journalled", end, "test")
		require.NoError(t, err)
		require.True(t, m.Later)
		// The process dies, and the next one has the journal.
		next := on(t, db, callservice.Options{Now: at(0), Journal: afterDeath(t, dir), RulesRefresh: 5 * time.Millisecond})
		require.NoError(t, next.LoadJournal(t.Context()))
		settled(t, next)

		for _, id := range []callmodel.CallID{"at-once", "journalled"} {
			c, err := db.Call(t.Context(), "acme", id)
			require.NoError(t, err)
			assert.Equal(t, calls.Ended, c.State, id)
			assert.Equal(t, c.AnsweredAt, c.EndedAt, id)
			events, err := db.CallEvents(t.Context(), "acme", id)
			require.NoError(t, err)
			assert.Equal(t, c.AnsweredAt, events[len(events)-1].At, "as it is kept")
		}
	})
}
