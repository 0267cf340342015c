package callmodel_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/record"
)

func validSpec() record.Spec {
	return record.Spec{
		TenantID: "acme", CallID: "c1", RecordingID: "r1",
		StartedAt: time.Date(2026, 3, 1, 23, 59, 59, 0, time.FixedZone("CET", 3600)),
		Legs: []record.LegSpec{
			{Name: "agent", Segments: []record.SegmentSpec{{URI: "a/agent.wav"}}},
			{Name: "customer", Segments: []record.SegmentSpec{{URI: "a/customer.wav", Offset: callmodel.Millis(2 * time.Second)}}},
		},
		Outputs: []record.OutputSpec{{Codec: record.CodecWAV, Layout: record.LayoutStereo}},
	}
}

func TestSpecRoundTrip(t *testing.T) {
	t.Parallel()
	want := validSpec()
	require.NoError(t, want.Validate())
	b, err := json.Marshal(want)
	require.NoError(t, err)
	var got record.Spec
	require.NoError(t, callmodel.DecodeJSON(b, &got))
	require.True(t, got.StartedAt.Equal(want.StartedAt))
	got.StartedAt = want.StartedAt
	require.Equal(t, want, got)
}

func TestDecodeReportsEveryFaultWithItsPath(t *testing.T) {
	t.Parallel()
	in := `{
	  "tenant_id": "../etc", "call_id": "c1", "recording_id": "r1", "started_at": "yesterday",
	  "span_ms": "10s", "bogus": 1, "sampleRate": 8000,
	  "legs": [
	    {"name": "a", "segments": [{"uri": "../../etc/passwd"}]},
	    {"name": "a", "segments": [{"uri": "http://evil/x.wav", "offset_ms": 1e99}]},
	    {"name": "b", "segments": []}
	  ],
	  "outputs": [
	    {"codec": "mp3", "layout": "stereo", "bitrate_bps": 32, "sample_rate_hz": 8},
	    {"codec": "wav", "layout": "surround", "bitrate_bps": 32000, "bit_depth": 20},
	    {"codec": "wav", "layout": "mono", "codec": "wav"}
	  ]
	}`
	var s record.Spec
	err := callmodel.DecodeJSON([]byte(in), &s)
	var fields callmodel.FieldErrors
	require.ErrorAs(t, err, &fields)
	require.Equal(t, callmodel.CodeInvalid, callmodel.CodeOf(err))
	got := map[string]string{}
	for _, f := range fields {
		got[f.Path] = f.Message
	}
	for path, part := range map[string]string{
		"tenant_id": "..", "started_at": "RFC 3339", "span_ms": "milliseconds", "bogus": "not a known field; the fields here are tenant_id, call_id",
		"sampleRate":   "not a known field",
		"legs[1].name": "already", "legs[1].segments[0].offset_ms": "30 days",
		"legs[2].segments": "1 to", "outputs[0].layout": "two legs", "outputs[0].bitrate_bps": "did you mean 32000",
		"outputs[0].sample_rate_hz": "did you mean 8000", "outputs[1].layout": "surround",
		"outputs[1].bitrate_bps": "no bitrate", "outputs[1].bit_depth": "16 or 24",
		"outputs[2].codec": "twice", "outputs[2].name": "same file",
	} {
		assert.Contains(t, got[path], part, path)
	}
	assert.Len(t, fields, 16, "%v", fields)
}

func TestDecodeSuggestsTheFieldThatWasMeant(t *testing.T) {
	t.Parallel()
	var o record.OutputSpec
	err := callmodel.DecodeJSON([]byte(`{"codec":"mp3","layout":"mono","bitrate_kbps":32,"SampleRate":8000}`), &o)
	require.ErrorContains(t, err, "did you mean bitrate_bps?")
	require.ErrorContains(t, err, "did you mean sample_rate_hz?")
}

func TestDecodeMalformed(t *testing.T) {
	t.Parallel()
	for name, in := range map[string]string{
		"empty": "", "cut": `{"a":`, "two values": `{} {}`, "trailing": `{}x`, "not UTF-8": "{\"a\":\"\xff\"}",
		"too deep": strings.Repeat("[", 100) + strings.Repeat("]", 100), "comma": "{\n\"a\":1,}",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var s record.Spec
			err := callmodel.DecodeJSON([]byte(in), &s)
			require.Equal(t, callmodel.CodeMalformed, callmodel.CodeOf(err), "%v", err)
		})
	}
	var s record.Spec
	require.ErrorContains(t, callmodel.DecodeJSON([]byte("{\n\"a\":1,}"), &s), "line 2")
	for _, in := range []string{`[]`, `null`, `3`, `"x"`} {
		require.Equal(t, callmodel.CodeInvalid, callmodel.CodeOf(callmodel.DecodeJSON([]byte(in), &s)), in)
	}
}

func FuzzDecodeJSON(f *testing.F) {
	b, _ := json.Marshal(validSpec())
	f.Add(b)
	f.Add([]byte(`{"legs":[{"segments":[{"offset_ms":1.5}]}],"legs":null}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		var s record.Spec
		if callmodel.DecodeJSON(b, &s) != nil {
			return
		}
		// What was accepted is valid, and keeps its meaning through JSON.
		if err := s.Validate(); err != nil {
			t.Fatalf("accepted an invalid spec: %v", err)
		}
		again, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		var s2 record.Spec
		if err := callmodel.DecodeJSON(again, &s2); err != nil {
			t.Fatalf("%s: %v", again, err)
		}
	})
}

func TestMillisFrames(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		ms   callmodel.Millis
		rate int
		want int64
	}{
		{callmodel.Millis(2 * time.Second), 8000, 16000},
		{callmodel.Millis(62500), 8000, 1}, // half a frame rounds away from zero
		{callmodel.Millis(-62500), 8000, -1},
		{callmodel.Millis(24 * time.Hour), 192000, 24 * 3600 * 192000},
	} {
		assert.Equal(t, c.want, c.ms.Frames(c.rate), "%v at %d", c.ms, c.rate)
	}
	assert.Equal(t, callmodel.Millis(125*time.Microsecond), callmodel.MillisOfFrames(1, 8000))
	b, err := json.Marshal(callmodel.Millis(1500 * time.Microsecond))
	require.NoError(t, err)
	assert.Equal(t, "1.5", string(b))
}

// What the telephone server and the preference say of the recording reaches its job.
func TestCodes(t *testing.T) {
	t.Parallel()
	wrapped := fmt.Errorf("reading call c1: %w", callmodel.ErrNotFound)
	assert.Equal(t, callmodel.CodeNotFound, callmodel.CodeOf(wrapped))
	require.ErrorIs(t, wrapped, callmodel.ErrNotFound)
	assert.Equal(t, callmodel.CodeUnavailable, callmodel.CodeOf(callmodel.Errorf(callmodel.CodeUnavailable, "db: %w", errors.New("x"))))
	assert.Equal(t, callmodel.CodeInternal, callmodel.CodeOf(errors.New("x")))
	assert.Equal(t, callmodel.CodeConflict, callmodel.CodeOf(errors.Join(errors.New("x"), &callmodel.TransitionError{})))
	assert.Empty(t, callmodel.CodeOf(nil))
}

func TestValidID(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]bool{
		"a": true, "acme-1_x.y": true, "1700000000.123": true, "": false, ".a": false, "-a": false, "a..b": false,
		"a/b": false, "a b": false, "é": false, "a\x00": false, strings.Repeat("a", 128): true, strings.Repeat("a", 129): false,
	} {
		assert.Equal(t, want, callmodel.ValidID(s), "%q", s)
	}
}

func ExampleDecodeJSON() {
	var o record.OutputSpec
	err := callmodel.DecodeJSON([]byte(`{"codec": "mp3", "layout": "mono", "bitrate_bps": "32k", "sampleRate": 8000}`), &o)
	fmt.Println(err)
	// Output: bitrate_bps: is "32k", must be a whole number; sampleRate: is not a known field; did you mean sample_rate_hz?
}
