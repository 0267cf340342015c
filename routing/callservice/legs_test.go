package callservice_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/routing/callservice"
)

// An ended event names legs that are the tenant's on that host, or none; where those
// are whoever tells it doesn't say.
func TestLegsOfAnEndedEvent(t *testing.T) {
	t.Parallel()
	onAll(t, func(t *testing.T, db callservice.Stores) {
		t.Helper()
		s := on(t, db, callservice.Options{LegsBelow: func(tenant callmodel.TenantID, host string) (string, error) {
			switch host {
			case "pbx1":
				return string(tenant), nil
			case "pbx2":
				return "", nil
			}
			return "", callmodel.Errorf(callmodel.CodeForbidden, "it is nowhere")
		}})
		req := nyc("c1")
		req.Recording = &calls.RecordingPreference{Enabled: true}
		create(t, s, req)
		tell(t, s, "c1", calls.Event{ID: "1", Type: calls.EventAnswered})
		ended := func(host, uri, below string) error {
			_, err := s.Event(t.Context(), "acme", "c1", calls.Event{
				ID: "2", Type: calls.EventEnded, Host: host, LegsBelow: below, Legs: []record.LegSpec{record.NewLeg("agent", uri)},
			}, "test")
			return err
		}
		var faults callmodel.FieldErrors
		for _, uri := range []string{"beta/agent.wav", "agent.wav", "acme2/agent.wav"} {
			require.ErrorAs(t, ended("pbx1", uri, ""), &faults, uri)
			require.Equal(t, "legs[0].segments[0].uri", faults[0].Path)
			require.Contains(t, faults[0].Message, "is not below acme/")
		}
		for _, below := range []string{"beta", "agent"} {
			require.ErrorAs(t, ended("pbx2", "beta/agent.wav", below), &faults)
			require.Equal(t, "legs_below", faults[0].Path)
		}
		requireCode(t, callmodel.CodeForbidden, ended("pbx3", "acme/agent.wav", ""))
		require.NoError(t, ended("pbx1", "acme/agent.wav", ""))
	})
}
