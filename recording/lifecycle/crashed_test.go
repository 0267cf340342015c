package lifecycle_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/retention"
	"github.com/switchtape/switchtape/recording/lifecycle"
)

// A deletion whose workers were lost with it again and again is set aside, and goes on by
// itself hours later: machines fail. One that was set aside for what it is waits for a person.
func TestDeletionsGoOnAfterCrashes(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.opts.Queues = []string{"pbx"}
	enqueue := func(kind, key, queue string) callmodel.JobID {
		id, _, err := s.db.Enqueue(t.Context(), ledger.Request{Kind: kind, TenantID: "acme", CallID: "c1", Key: key, Queue: queue, Payload: []byte(`{}`)})
		require.NoError(t, err)
		return id
	}
	legs, elsewhere := enqueue(lifecycle.KindDeleteLegs, "c1", "pbx"), enqueue(lifecycle.KindDeleteLegs, "c2", "other")
	erase, redact := enqueue(retention.KindErase, "c1", "pbx"), enqueue(retention.KindRedact, "c1", "pbx")
	state := func(id callmodel.JobID) ledger.State {
		j, err := s.db.Job(t.Context(), id)
		require.NoError(t, err)
		return j.State
	}
	for _, id := range []callmodel.JobID{legs, elsewhere, erase, redact} {
		for lost := 0; state(id) != ledger.Quarantined; lost++ {
			require.Less(t, lost, 50)
			_, err := s.db.Claim(t.Context(), ledger.Claim{Worker: "w", TTL: time.Second})
			require.NoError(t, err)
			s.advance(2 * time.Second)
		}
	}
	ill := enqueue(lifecycle.KindDeleteLegs, "c3", "pbx")
	require.NoError(t, s.db.Quarantine(t.Context(), ill, "ann", "let me look at it"))
	sweep := func() {
		_, err := s.deleter(t).Sweep(t.Context())
		require.NoError(t, err)
		_, err = lifecycle.NewExpiry(s.db, lifecycle.ExpiryOptions{}).Sweep(t.Context())
		require.NoError(t, err)
	}
	s.advance(5 * time.Hour)
	sweep()
	for _, id := range []callmodel.JobID{legs, elsewhere, erase, redact, ill} {
		require.Equal(t, ledger.Quarantined, state(id))
	}
	s.advance(2 * time.Hour)
	sweep()
	for id, want := range map[callmodel.JobID]ledger.State{
		legs: ledger.Queued, elsewhere: ledger.Quarantined, erase: ledger.Queued, redact: ledger.Quarantined, ill: ledger.Quarantined,
	} {
		require.Equal(t, want, state(id), id)
	}
}
