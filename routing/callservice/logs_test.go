package callservice_test

import (
	"bytes"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/routing/callservice"
	"github.com/switchtape/switchtape/storage/calldb/memdb"
)

// TestLogsNameNoNumber: what is told of an emergency call that has nowhere to go shows the
// end of its number, and a short code whole.
func TestLogsNameNoNumber(t *testing.T) {
	t.Parallel()
	for to, shown := range map[string]string{"+12125550188": "to=…188", "112": "to=112", "the ambulance!": "to=…ce!", "urn:service:sos.fire": "to=urn:service:sos.fire"} {
		var text bytes.Buffer
		s := over(memdb.New(nil), callservice.Options{Logger: slog.New(slog.NewTextHandler(&text, nil))})
		s.CreateEmergency(t.Context(), "acme", callservice.Request{From: "+442079460123", To: to, Type: calls.TypeEmergency}, "test")
		assert.Contains(t, text.String(), "has no destination")
		assert.Contains(t, text.String(), shown)
		assert.NotContains(t, text.String(), "5550188")
		assert.NotContains(t, text.String(), "79460123")
	}
	var text bytes.Buffer
	away := newFaulty(memdb.New(nil))
	away.set(down)
	s := over(away, callservice.Options{
		MaxUnstored: 1, EmergencyDestinations: emergencyDestinations(), EmergencyWait: time.Millisecond, Logger: slog.New(slog.NewTextHandler(&text, nil)),
	})
	for range 2 {
		s.CreateEmergency(t.Context(), "acme", callservice.Request{From: "+442079460123", To: "+12125550188", Type: calls.TypeEmergency}, "test")
	}
	assert.Contains(t, text.String(), "will not be stored")
	assert.Contains(t, text.String(), "to=…188 from=…123")
	assert.NotRegexp(t, `\+[1-9][0-9]{7,}`, text.String())
}
