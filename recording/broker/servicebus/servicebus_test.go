package servicebus_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/recording/broker"
	"github.com/switchtape/switchtape/recording/broker/servicebus"
)

// There is no server to receive from. What can be seen without one is that URLs are
// checked, and that a namespace that nobody named is away.
func TestURLs(t *testing.T) {
	t.Setenv("SERVICEBUS_CONNECTION_STRING", "")
	t.Setenv("AZURE_SERVICEBUS_HOSTNAME", "")
	drivers := broker.Drivers{servicebus.Driver()}
	for at, ok := range map[string]bool{
		"azuresb://jobs?subscription=switchtape": true, "azuresb://jobs": false, "azuresb://u@jobs?subscription=x": false, "azuresb://jobs?subscription=x&lock=1": false,
	} {
		u, err := broker.ParseURL(at)
		require.NoError(t, err)
		s, err := drivers.Subscribe(u)
		require.Equal(t, ok, err == nil, "%s: %v", at, err)
		if ok {
			_, err = s.Receive(t.Context())
			require.Equal(t, callmodel.CodeUnavailable, callmodel.CodeOf(err), "%v", err)
			require.NoError(t, s.Close(t.Context()))
		}
	}
	u, err := broker.ParseURL("azuresb://events")
	require.NoError(t, err)
	topic, err := drivers.OpenTopic(u)
	require.NoError(t, err)
	require.Error(t, topic.Send(t.Context(), &broker.Outgoing{}))
}
