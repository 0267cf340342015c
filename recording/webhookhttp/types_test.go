package webhookhttp_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/callmodel/outbox"
	"github.com/switchtape/switchtape/callmodel/webhooks"
	"github.com/switchtape/switchtape/recording/webhookhttp"
)

// Every type of event is in the contract, with what it tells, and can be asked for by its
// name and by that of its group.
func TestEventTypes(t *testing.T) {
	t.Parallel()
	contract := string(webhookhttp.OpenAPI())
	seen := map[string]bool{}
	for _, k := range outbox.Types() {
		require.Contains(t, contract, "- `"+k.Name+"`: "+k.Tells+"\n")
		require.False(t, seen[k.Name], k.Name)
		seen[k.Name] = true
		require.True(t, callmodel.ValidID(k.Name))
		n := webhooks.New{
			ID: webhooks.NewID(), TenantID: "acme", URL: "https://acme.example/", Secret: webhooks.NewSecret(), Events: []string{k.Name},
		}
		require.NoError(t, n.Validate())
		for _, e := range []webhooks.Endpoint{{Form: n.Form}, {Form: n.Form, Events: n.Events}, {Form: n.Form, Events: []string{"*"}}} {
			require.True(t, e.Wants(k.Name))
		}
	}
	for _, e := range []calls.EventType{
		calls.EventRinging, calls.EventAnswered, calls.EventFailed, calls.EventEnded, calls.EventRecordingPaused, calls.EventRecordingResumed,
		calls.EventHeld, calls.EventRetrieved, calls.EventTransferred,
	} {
		require.Contains(t, seen, outbox.CallMoved+string(e))
	}
}
