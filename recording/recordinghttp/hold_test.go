package recordinghttp_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/switchtape/switchtape/callmodel/problem/contracttest"
)

// TestRequestsOfTheContract: what the file has is taken, what it doesn't have is refused,
// and every answer is in it.
func TestRequestsOfTheContract(t *testing.T) {
	t.Parallel()
	s := newService(t, nil)
	id := s.enqueue(t, "c1")
	n := contract(t).Hold(t, s.h, &contracttest.Setting{
		Tenant: "acme",
		Values: map[string]string{"hold": string(s.hold(t)), "id": string(id), "letter": string(s.letter(t, "acme", submission(t, "c2", nil)))},
		Refused: map[string]string{
			"POST /v1/recordings/jobs/{id}/redact: redactions.[].from_ms: the most": "a redaction ends after it begins",
			"POST /v1/recordings/jobs/{id}/redact: redactions.[].to_ms: the least":  "a redaction ends after it begins",
			`POST /v1/holds: scope: the value "number"`:                             "the example's subject is an id",
			`POST /v1/holds: scope: the value "tenant"`:                             "a tenant has no subject",
			"POST /v1/recordings: cut_to_span: true":                                "it needs span_ms",
			"POST /v1/recordings: level_max_gain_db: the most":                      "it needs level_lufs",
			"POST /v1/recordings: outputs.[].bit_depth: the most":                   "the example's codec has none",
			"POST /v1/recordings: outputs.[].bitrate_bps: the most":                 "it is beyond the example's codec",
			`POST /v1/recordings: outputs.[].layout: the value ""`:                  "only an analysis has none",
			"POST /v1/recordings: outputs.[].sample_rate_hz: the most":              "it is beyond the example's codec",
			"POST /v1/recordings: outputs.[].samples_per_pixel: the most":           "only peaks have pixels",
			"POST /v1/recordings: pauses.[].from_ms: the least":                     "a pause ends after it begins",
			"POST /v1/recordings: pauses.[].from_ms: the most":                      "a pause ends after it begins",
			"POST /v1/recordings: pauses.[].to_ms: the least":                       "a pause ends after it begins",
			"POST /v1/recordings: redactions.[].from_ms: the most":                  "a redaction ends after it begins",
			"POST /v1/recordings: redactions.[].to_ms: the least":                   "a redaction ends after it begins",
		},
	})
	t.Logf("%d requests", n)
	assert.Greater(t, n, 1300)
}
