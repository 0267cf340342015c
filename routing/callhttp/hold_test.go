package callhttp_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel/problem/contracttest"
	"github.com/switchtape/switchtape/routing/callservice"
	"github.com/switchtape/switchtape/storage/calldb"
)

// TestRequestsOfTheContract: what the file has is taken, what it doesn't have is refused,
// and every answer is in it.
func TestRequestsOfTheContract(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, db *calldb.DB) {
		t.Helper()
		s := on(t, db, callservice.Options{})
		create(t, s, nyc(`,"id":"c1"`))
		state, err := s.InstallRules(t.Context(), "acme", []byte(rules), "test", "")
		require.NoError(t, err)
		n := contract(t).Hold(t, s, &contracttest.Setting{
			Tenant:  "acme",
			Values:  map[string]string{"id": "c1", "rule": "paris", "hash": state.ActiveHash()},
			Refused: beyondTheContract(),
			AnyName: []string{"POST /v1/rules/{hash}/abort"},
		})
		t.Logf("%d requests", n)
		assert.Greater(t, n, 1650)
	})
}

// beyondTheContract are the requests that break rules which OpenAPI can't say.
func beyondTheContract() map[string]string {
	const call, event = "POST /v1/calls: recording.outputs.[].", "POST /v1/calls/{id}/events: "
	m := map[string]string{
		call + "bit_depth: the most":              "the example's codec has none",
		call + `layout: the value ""`:             "only an analysis has none",
		call + "samples_per_pixel: the most":      "only peaks have pixels",
		event + "cut_to_span: true":               "it needs legs_span_call",
		event + "pauses.[].from_ms: the least":    "a pause ends after it begins",
		event + "pauses.[].from_ms: the most":     "a pause ends after it begins",
		event + "pauses.[].to_ms: the least":      "a pause ends after it begins",
		event + "redactions.[].from_ms: the most": "a redaction ends after it begins",
		event + "redactions.[].to_ms: the least":  "a redaction ends after it begins",
	}
	m[`POST /v1/rules/edits: edits.[].op: the value "remove"`] = "the example has a rule"
	m[`POST /v1/rules/edits: edits.[].op: the value "move"`] = "the example has a rule"
	for _, other := range []string{"ringing", "answered", "failed", "recording.paused", "recording.resumed", "held", "retrieved", "transferred"} {
		m[event+`type: the value "`+other+`"`] = "only ended has the example's legs"
	}
	return m
}
