package callmodel_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
)

func validSpec() callmodel.RecordingSpec {
	return callmodel.RecordingSpec{
		TenantID: "acme", CallID: "c1", RecordingID: "r1",
		StartedAt: time.Date(2026, 3, 1, 23, 59, 59, 0, time.FixedZone("CET", 3600)),
		Legs: []callmodel.LegSpec{
			{Name: "agent", Segments: []callmodel.SegmentSpec{{URI: "a/agent.wav"}}},
			{Name: "customer", Segments: []callmodel.SegmentSpec{{URI: "a/customer.wav", Offset: callmodel.Millis(2 * time.Second)}}},
		},
		Outputs: []callmodel.OutputSpec{{Codec: callmodel.CodecWAV, Layout: callmodel.LayoutStereo}},
	}
}

func TestSpecRoundTrip(t *testing.T) {
	t.Parallel()
	want := validSpec()
	require.NoError(t, want.Validate())
	b, err := json.Marshal(want)
	require.NoError(t, err)
	var got callmodel.RecordingSpec
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
	var s callmodel.RecordingSpec
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
		"sampleRate": "not a known field", "legs[0].segments[0].uri": "clean path",
		"legs[1].name": "already", "legs[1].segments[0].uri": "foreign URL", "legs[1].segments[0].offset_ms": "30 days",
		"legs[2].segments": "1 to", "outputs[0].layout": "two legs", "outputs[0].bitrate_bps": "did you mean 32000",
		"outputs[0].sample_rate_hz": "did you mean 8000", "outputs[1].layout": "surround",
		"outputs[1].bitrate_bps": "no bitrate", "outputs[1].bit_depth": "16 or 24",
		"outputs[2].codec": "twice", "outputs[2].name": "same file",
	} {
		assert.Contains(t, got[path], part, path)
	}
	assert.Len(t, fields, 18, "%v", fields)
}

func TestDecodeSuggestsTheFieldThatWasMeant(t *testing.T) {
	t.Parallel()
	var o callmodel.OutputSpec
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
			var s callmodel.RecordingSpec
			err := callmodel.DecodeJSON([]byte(in), &s)
			require.Equal(t, callmodel.CodeMalformed, callmodel.CodeOf(err), "%v", err)
		})
	}
	var s callmodel.RecordingSpec
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
		var s callmodel.RecordingSpec
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
		var s2 callmodel.RecordingSpec
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

func TestObjectKey(t *testing.T) {
	t.Parallel()
	s := validSpec()
	k := s.Key(s.Outputs[0])
	require.NoError(t, k.Validate())
	assert.Equal(t, "acme/year=2026/month=03/day=01/hour=22/c1/r1.v1.wav", k.String(), "the hour is UTC's")
	assert.Equal(t, "acme/year=2026/month=03/day=01/hour=22/c1/r1.v2.wav", k.Next().String())
	k.Name = "archive"
	assert.Equal(t, "acme/year=2026/month=03/day=01/hour=22/c1/r1~archive.v1.wav", k.String())
	k.TenantID, k.Version = "a/b", 0
	require.ErrorContains(t, k.Validate(), "tenant_id")
	require.ErrorContains(t, k.Validate(), "version")
}

func TestCallMachine(t *testing.T) {
	t.Parallel()
	at := func(s int) time.Time { return time.Date(2026, 1, 1, 0, 0, s, 0, time.UTC) }
	ev := func(typ callmodel.CallEventType, s int) callmodel.CallEvent {
		return callmodel.CallEvent{ID: "e", Type: typ, At: at(s), Cause: &callmodel.Cause{SIP: 503}}
	}
	all := []callmodel.CallEventType{callmodel.EventRinging, callmodel.EventAnswered, callmodel.EventFailed, callmodel.EventEnded}
	legal := map[callmodel.CallState]map[callmodel.CallEventType]callmodel.CallState{
		callmodel.CallRouted: {
			callmodel.EventRinging: callmodel.CallRinging, callmodel.EventAnswered: callmodel.CallAnswered,
			callmodel.EventFailed: callmodel.CallRouted, callmodel.EventEnded: callmodel.CallEnded,
		},
		callmodel.CallRinging: {
			callmodel.EventAnswered: callmodel.CallAnswered, callmodel.EventFailed: callmodel.CallRouted,
			callmodel.EventEnded: callmodel.CallEnded,
		},
		callmodel.CallAnswered: {callmodel.EventEnded: callmodel.CallEnded},
		callmodel.CallEnded:    {}, callmodel.CallFailed: {}, callmodel.CallRejected: {},
	}
	for from, moves := range legal {
		for _, typ := range all {
			c := callmodel.Call{
				ID: "c1", State: from, Decision: &callmodel.Decision{Destinations: make([]callmodel.Destination, 2)},
			}
			_, err := c.Apply(ev(typ, 1), nil)
			if to, ok := moves[typ]; ok {
				require.NoError(t, err, "%s %s", from, typ)
				assert.Equal(t, to, c.State, "%s %s", from, typ)
			} else {
				var te *callmodel.TransitionError
				require.ErrorAs(t, err, &te, "%s %s", from, typ)
				assert.Equal(t, callmodel.CodeConflict, callmodel.CodeOf(err))
				assert.Equal(t, from, c.State)
			}
		}
	}
}

// What the telephone server and the preference say of the recording reaches its job.
func TestEndedSaysHowToRecord(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)
	call := callmodel.Call{
		ID: "c1", TenantID: "acme", State: callmodel.CallAnswered, CreatedAt: start, AnsweredAt: start,
		Recording: &callmodel.RecordingPreference{
			Enabled: true, PauseMode: callmodel.PauseCut, LevelLUFS: -23, Trim: &callmodel.TrimSpec{},
			Outputs: []callmodel.OutputSpec{{Codec: callmodel.CodecWAV, Layout: callmodel.LayoutStereo}},
		},
	}
	require.NoError(t, call.Recording.Validate())
	ev := callmodel.CallEvent{
		ID: "1", Type: callmodel.EventEnded, At: start.Add(time.Minute), LegsSpanCall: true,
		Legs:       []callmodel.LegSpec{{Name: "a", Segments: []callmodel.SegmentSpec{{URI: "a.wav"}}}},
		Redactions: []callmodel.Redaction{{From: 1e9, To: 2e9, Legs: []string{"a"}}},
		Pauses:     []callmodel.Pause{{From: 3e9, To: 4e9}},
	}
	require.NoError(t, ev.Validate())
	fx, err := call.Apply(ev, nil)
	require.NoError(t, err)
	spec := fx.Recording.Spec
	require.Equal(t, callmodel.Millis(time.Minute), spec.Span)
	require.True(t, spec.LegsSpanCall)
	require.Equal(t, ev.Redactions, spec.Redactions)
	require.Equal(t, ev.Pauses, spec.Pauses)
	require.Equal(t, callmodel.PauseCut, spec.PauseMode)
	require.InDelta(t, -23, spec.LevelLUFS, 0)
	require.NotNil(t, spec.Trim)

	ev.Type, ev.Redactions[0].Legs[0], ev.Pauses[0].To = callmodel.EventRinging, "b", 0
	err = ev.Validate()
	for _, path := range []string{"legs", "redactions", "pauses", "legs_span_call", "redactions[0].legs[0]", "pauses[0].to_ms"} {
		require.ErrorContains(t, err, path)
	}
	bad := callmodel.RecordingPreference{PauseMode: "skip", LevelLUFS: 1, Trim: &callmodel.TrimSpec{Keep: -1}}
	for _, path := range []string{"pause_mode", "level_lufs", "trim.keep_ms"} {
		require.ErrorContains(t, bad.Validate(), path)
	}
}

func TestCallFailover(t *testing.T) {
	t.Parallel()
	c := callmodel.Call{ID: "c1", State: callmodel.CallRouted, Decision: &callmodel.Decision{Destinations: make([]callmodel.Destination, 3)}}
	fail := func(cause callmodel.Cause) {
		t.Helper()
		_, err := c.Apply(callmodel.CallEvent{ID: "e", Type: callmodel.EventFailed, Cause: &cause}, nil)
		require.NoError(t, err)
	}
	fail(callmodel.Cause{SIP: 503})
	assert.Equal(t, 1, c.Attempt)
	assert.Equal(t, callmodel.CallRouted, c.State)
	fail(callmodel.Cause{Q850: 34}) // no circuit available
	assert.Equal(t, 2, c.Attempt)
	fail(callmodel.Cause{Q850: 34})
	assert.Equal(t, callmodel.CallFailed, c.State, "no destination is left")

	c = callmodel.Call{ID: "c1", State: callmodel.CallRinging, Decision: &callmodel.Decision{Destinations: make([]callmodel.Destination, 3)}}
	fail(callmodel.Cause{SIP: 486})
	assert.Equal(t, callmodel.CallFailed, c.State, "busy is the called party's own answer")
}

func TestEndedMakesTheRecordingJob(t *testing.T) {
	t.Parallel()
	answered := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	base := callmodel.Call{
		ID: "c1", TenantID: "acme", State: callmodel.CallAnswered, AnsweredAt: answered, Priority: 3, Host: "pbx1",
		Recording: &callmodel.RecordingPreference{Enabled: true},
	}
	defaults := []callmodel.OutputSpec{{Codec: callmodel.CodecWAV, Layout: callmodel.LayoutMono}}
	end := callmodel.CallEvent{ID: "e", Type: callmodel.EventEnded, At: answered.Add(time.Minute), Legs: validSpec().Legs}

	c := base
	fx, err := c.Apply(end, defaults)
	require.NoError(t, err)
	require.NotNil(t, fx.Recording)
	assert.Equal(t, "pbx1", fx.Recording.Queue)
	assert.Equal(t, defaults, fx.Recording.Spec.Outputs)
	assert.Equal(t, answered, fx.Recording.Spec.StartedAt)

	c = base
	three := end
	three.Legs = slices.Concat(validSpec().Legs, []callmodel.LegSpec{{Name: "supervisor", Segments: validSpec().Legs[0].Segments}})
	stereo := []callmodel.OutputSpec{
		{Codec: callmodel.CodecWAV, Layout: callmodel.LayoutStereo}, {Codec: callmodel.CodecMP3, Layout: callmodel.LayoutStereo},
	}
	fx, err = c.Apply(three, stereo)
	require.NoError(t, err, "a call that a third joined can end")
	assert.Equal(t, callmodel.LayoutMultichannel, fx.Recording.Spec.Outputs[0].Layout)
	assert.Equal(t, callmodel.LayoutMono, fx.Recording.Spec.Outputs[1].Layout)
	assert.Equal(t, callmodel.LayoutStereo, stereo[0].Layout, "the caller's defaults are left alone")

	c = base
	noLegs := end
	noLegs.Legs = nil
	fx, err = c.Apply(noLegs, defaults)
	require.NoError(t, err)
	require.NotNil(t, fx.Recording, "an answered, recorded call without legs is not dropped in silence")

	c = base
	early := end
	early.At = answered.Add(-time.Second)
	_, err = c.Apply(early, defaults)
	require.ErrorContains(t, err, "before")
	assert.Equal(t, callmodel.CallAnswered, c.State)

	c = base
	c.Recording = nil
	fx, err = c.Apply(end, defaults)
	require.NoError(t, err)
	assert.Nil(t, fx.Recording)
}

func TestJobMachine(t *testing.T) {
	t.Parallel()
	states := []callmodel.JobState{callmodel.JobQueued, callmodel.JobRunning, callmodel.JobDone, callmodel.JobQuarantined}
	events := []callmodel.JobEvent{
		callmodel.JobClaimed, callmodel.JobCompleted, callmodel.JobFailed,
		callmodel.JobReleased, callmodel.JobQuarantine, callmodel.JobRetried, callmodel.JobPublished,
	}
	legal := map[string]callmodel.JobState{
		"queued claimed": callmodel.JobRunning, "queued quarantine": callmodel.JobQuarantined,
		"running completed": callmodel.JobDone, "running failed": callmodel.JobQueued,
		"running released": callmodel.JobQueued, "running quarantine": callmodel.JobQuarantined,
		"quarantined retried": callmodel.JobQueued, "running published": callmodel.JobQueued,
	}
	for _, s := range states {
		for _, ev := range events {
			got, err := s.Next("j1", ev)
			if want, ok := legal[string(s)+" "+string(ev)]; ok {
				require.NoError(t, err)
				assert.Equal(t, want, got)
			} else {
				assert.Equal(t, callmodel.CodeConflict, callmodel.CodeOf(err), "%s %s", s, ev)
			}
		}
	}
}

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

func TestFate(t *testing.T) {
	t.Parallel()
	err := errors.New("boom")
	assert.Equal(t, callmodel.Failure{Cause: "boom", RetryIn: 5}, callmodel.FailureOf(err, 5))
	assert.Equal(t, callmodel.Failure{Cause: "boom", RetryIn: 5, Quarantine: true},
		callmodel.FailureOf(fmt.Errorf("%w", callmodel.Permanent(err)), 5))
	assert.Equal(t, callmodel.Failure{Cause: "boom", RetryIn: 7, Uncounted: true}, callmodel.FailureOf(callmodel.RetryAfter(err, 7), 5))
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

func TestBadURI(t *testing.T) {
	t.Parallel()
	for s, ok := range map[string]bool{
		"a.wav": true, "2026/01/a b.wav": true, "a+b@c:1.wav": true,
		"": false, "/etc/passwd": false, "../x": false, "a/../../x": false, "a//b": false, "./a": false, "a/": false,
		"s3://b/k": false, "a\x00b": false, "a\\b": false, "a\nb": false, "é.wav": false, "..": false, strings.Repeat("a", 2000): false,
	} {
		assert.Equal(t, ok, callmodel.BadURI(s) == "", "%q: %s", s, callmodel.BadURI(s))
	}
}

func ExampleDecodeJSON() {
	var o callmodel.OutputSpec
	err := callmodel.DecodeJSON([]byte(`{"codec": "mp3", "layout": "mono", "bitrate_bps": "32k", "sampleRate": 8000}`), &o)
	fmt.Println(err)
	// Output: bitrate_bps: is "32k", must be a whole number; sampleRate: is not a known field; did you mean sample_rate_hz?
}
