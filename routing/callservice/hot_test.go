package callservice

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/storage/calldb/memdb"
)

func hot(t *testing.T) *Service {
	t.Helper()
	s := New(memdb.New(nil), &Options{PlatformTenant: "platform"})
	_, err := s.InstallRules(t.Context(), "acme", []byte(`
destinations: {a: {uri: "sip:a", limits: {concurrent: 1000000}}, b: {uri: "sip:b"}}
rules: [{id: all, default: true, route: [[{to: a}], [{to: b}]]}]
`), "test", "")
	require.NoError(t, err)
	require.NoError(t, s.rules.prepare(t.Context(), "acme"))
	return s
}

// TestHotCallsWaitForNoLock: while a change of the rules holds the lock, calls of
// tenants that were seen before are created.
func TestHotCallsWaitForNoLock(t *testing.T) {
	t.Parallel()
	s := hot(t)
	s.rules.mu.Lock()
	defer s.rules.mu.Unlock()
	done := make(chan error, 1)
	go func() {
		for _, key := range []*Idempotency{nil, {Key: "k"}} {
			_, err := s.Create(t.Context(), "acme", Request{From: "+12025550123", To: "+12125550188"}, "test", key)
			if err != nil {
				done <- err
				return
			}
		}
		s.CreateEmergency(t.Context(), "acme", Request{To: "911"}, "test")
		done <- nil
	}()
	select {
	case err := <-done:
		require.NoError(t, err)
	case <-time.After(30 * time.Second):
		require.Fail(t, "a call waits for the lock")
	}
}

// TestDecidingAllocatesNothing: what is between a request and the router.
func TestDecidingAllocatesNothing(t *testing.T) {
	s := hot(t)
	req := calls.Request{TenantID: "acme", CallID: "c1", From: "+12025550123", To: "+12125550188", Type: calls.TypeVoice, At: time.Unix(1.77e9, 0)}
	var d calls.Decision
	ctx := t.Context()
	require.Zero(t, testing.AllocsPerRun(100, func() {
		router, _, err := s.rules.pick(ctx, &req)
		if err != nil || router.RouteLive(&req, s.rules.group("acme"), &d) != nil {
			t.Error("it is not decided")
		}
	}))
}
