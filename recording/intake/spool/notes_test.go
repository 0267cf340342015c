package spool_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/recording/intake/spool"
)

// The legs wait for a JSON file that must be there.
func TestRequiredSidecar(t *testing.T) {
	t.Parallel()
	s := newScene(t, "asterisk")
	s.o.Sidecar = spool.SidecarRequired
	sp := s.open(t)
	s.put(t, "x", "a-in.wav", "a-out.wav")
	s.after(t, sp, 0)
	s.after(t, sp, time.Hour)
	assert.Empty(t, s.specs(t))
	s.put(t, `{"started_at":"2026-11-`, "a.json")
	s.after(t, sp, time.Second)
	assert.Empty(t, s.specs(t), "it isn't whole")
	s.put(t, `{"started_at":"2026-11-29T10:00:00+01:00","host_software":"FreeSWITCH 1.10.12","legs":{"out":{"offset_ms":1200},"in":null},"other":[1]}`, "a.json")
	s.after(t, sp, time.Second)
	spec := s.specs(t)["a-in.wav"]
	assert.Equal(t, time.Date(2026, 11, 29, 9, 0, 0, 0, time.UTC), spec.StartedAt)
	assert.Equal(t, 1200*time.Millisecond, spec.Legs[1].Segments[0].Offset)
	assert.Equal(t, "FreeSWITCH 1.10.12", spec.HostSoftware)
}

// A JSON file that says what can't be costs no recording: the legs are handed over without
// it, whether it must be there or not, and adopted so.
func TestSidecarsThatSayWhatCannotBe(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		`{"call_id":"of-json","started_at":"2026-11-29T10:00:00Z","ended_at":"2026-11-29T09:00:00Z"}`,
		`{"call_id":"of-json","started_at":"9999-12-31T23:59:59Z"}`, `{"call_id":"of-json","ended_at":"9999-12-31T23:59:59Z"}`,
		`{"call_id":"of-json","started_at":"yesterday"}`, `{"call_id":"of-json","started_at":"2026-11-29T10:00:00Z","ended_at":"2199-11-29T09:00:00Z"}`,
		`{"call_id":"of-json","span_ms":1e300}`, `{"call_id":"of-json","span_ms":-5}`, `{"call_id":"of-json","host_software":"a\nb"}`, `{"call_id":"of-json","legs":{"in":{"offset_ms":-1e300}}}`,
		`{"call_id":"of-json","legs":{"in":{"name":"a"},"out":{"name":"a"}}}`, `{"call_id":"of-json","legs":[]}`, `{"call_id":7}`, `[]`,
	} {
		for _, sidecar := range []spool.Sidecar{spool.SidecarOptional, spool.SidecarRequired} {
			s := newScene(t, "asterisk")
			s.o.Sidecar = sidecar
			s.put(t, "x", "c-in.wav", "c-out.wav")
			s.put(t, text, "c.json")
			sp := s.open(t)
			s.after(t, sp, 0)
			s.after(t, sp, 10*time.Second)
			assert.Equal(t, spool.Stats{HandedOver: 1}, sp.Stats(), text)
			assert.Equal(t, callmodel.CallID("c"), s.specs(t)["c-in.wav"].CallID, text)
			assert.Contains(t, s.log.String(), "they are handed over without", text)
			got, err := spool.SurveyDir(t.Context(), s.dir, &s.o, nil)
			require.NoError(t, err)
			require.Len(t, got.Calls, 1, text)
			assert.Equal(t, callmodel.CallID("c"), got.Calls[0].Spec.CallID, text)
		}
	}
	// What is odd and can be is taken: no NUL comes into an id.
	s := newScene(t, "asterisk")
	s.put(t, "x", "c-in.wav", "c-out.wav")
	s.put(t, `{"call_id":"a\u0000b","legs":{"in":{"name":"\u0000"}}}`, "c.json")
	sp := s.open(t)
	s.after(t, sp, 0)
	s.after(t, sp, 10*time.Second)
	assert.Regexp(t, `^a-b-[0-9a-f]{16}$`, string(s.specs(t)["c-in.wav"].CallID))
}
