package callservice_test

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/routing/callservice"
)

// TestReaper: calls that nobody ended are ended when they are old, named as such;
// younger ones and ended ones are left alone.
func TestReaper(t *testing.T) {
	t.Parallel()
	onAll(t, func(t *testing.T, db callservice.Stores) {
		t.Helper()
		var later atomic.Int64
		clock := func() time.Time { return noon.Add(time.Duration(later.Load())) }
		s := on(t, db, callservice.Options{Now: clock, RulesRefresh: time.Millisecond, ReapAfter: time.Hour})
		for _, id := range []string{"routed", "answered", "ended"} {
			create(t, s, nyc(id))
		}
		for i, id := range []string{"answered", "ended", "ended"} {
			typ := calls.EventAnswered
			if i == 2 {
				typ = calls.EventEnded
			}
			tell(t, s, callmodel.CallID(id), calls.Event{ID: fmt.Sprint(i), Type: typ})
		}
		later.Store(int64(50 * time.Minute))
		create(t, s, nyc("young"))
		later.Store(int64(75 * time.Minute))
		stop := run(t, s)
		state := func(id string) calls.Call {
			c, err := db.Call(t.Context(), "acme", callmodel.CallID(id))
			require.NoError(t, err)
			return c
		}
		require.Eventually(t, func() bool {
			return state("routed").State == calls.Ended && state("answered").State == calls.Ended
		}, 30*time.Second, 2*time.Millisecond)
		stop()
		assert.Contains(t, state("answered").Cause.Text, "reaper")
		assert.Nil(t, state("ended").Cause)
		assert.Equal(t, calls.Routed, state("young").State)
		list, err := db.AuditEvents(t.Context(), "acme", 0, 100)
		require.NoError(t, err)
		n := 0
		for _, e := range list {
			if e.Actor == "reaper" {
				n++
			}
		}
		assert.Equal(t, 2, n)
	})
}
