package calls_test

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
)

func validSpec() record.Spec {
	return record.Spec{
		TenantID: "acme", CallID: "c1", RecordingID: "r1",
		StartedAt: time.Date(2026, 3, 1, 23, 59, 59, 0, time.FixedZone("CET", 3600)),
		Legs: []record.LegSpec{
			{Name: "agent", Segments: []record.SegmentSpec{{URI: "a/agent.wav"}}},
			{Name: "customer", Segments: []record.SegmentSpec{{URI: "a/customer.wav", Offset: 2 * time.Second}}},
		},
		Outputs: []record.OutputSpec{{Codec: record.CodecWAV, Layout: record.LayoutStereo}},
	}
}

func TestCallMachine(t *testing.T) {
	t.Parallel()
	at := func(s int) time.Time { return time.Date(2026, 1, 1, 0, 0, s, 0, time.UTC) }
	ev := func(typ calls.EventType, s int) calls.Event {
		return calls.Event{ID: "e", Type: typ, At: at(s), Cause: &calls.Cause{SIP: 503}}
	}
	all := []calls.EventType{calls.EventRinging, calls.EventAnswered, calls.EventFailed, calls.EventEnded}
	legal := map[calls.State]map[calls.EventType]calls.State{
		calls.Routed: {
			calls.EventRinging: calls.Ringing, calls.EventAnswered: calls.Answered,
			calls.EventFailed: calls.Routed, calls.EventEnded: calls.Ended,
		},
		calls.Ringing: {
			calls.EventAnswered: calls.Answered, calls.EventFailed: calls.Routed,
			calls.EventEnded: calls.Ended,
		},
		calls.Answered: {calls.EventEnded: calls.Ended},
		calls.Ended:    {}, calls.Failed: {}, calls.Rejected: {},
	}
	for from, moves := range legal {
		for _, typ := range all {
			c := calls.Call{
				ID: "c1", State: from, Decision: &calls.Decision{Destinations: make([]calls.Destination, 2)},
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

func TestEndedSaysHowToRecord(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)
	call := calls.Call{
		ID: "c1", TenantID: "acme", State: calls.Answered, CreatedAt: start, AnsweredAt: start,
		Recording: &calls.RecordingPreference{
			Enabled: true, PauseMode: record.PauseCut, LevelLUFS: -23, Trim: &record.TrimSpec{},
			Outputs: []record.OutputSpec{{Codec: record.CodecWAV, Layout: record.LayoutStereo}},
		},
	}
	require.NoError(t, call.Recording.Validate())
	ev := calls.Event{
		ID: "1", Type: calls.EventEnded, At: start.Add(time.Minute), LegsSpanCall: true, CutToSpan: true, HostSoftware: "Asterisk 20.9.1",
		Legs:       []record.LegSpec{{Name: "a", Segments: []record.SegmentSpec{{URI: "a.wav"}}}},
		Redactions: []record.Redaction{{From: 1e9, To: 2e9, Legs: []string{"a"}}},
		Pauses:     []record.Pause{{From: 3e9, To: 4e9}},
	}
	require.NoError(t, ev.Validate())
	fx, err := call.Apply(ev, nil)
	require.NoError(t, err)
	spec := specOf(t, fx.Recording)
	require.Equal(t, time.Minute, spec.Span)
	require.True(t, spec.LegsSpanCall)
	require.True(t, spec.CutToSpan)
	require.Equal(t, "Asterisk 20.9.1", spec.HostSoftware)
	require.Equal(t, ev.Redactions, spec.Redactions)
	require.Equal(t, ev.Pauses, spec.Pauses)
	require.Equal(t, record.PauseCut, spec.PauseMode)
	require.InDelta(t, -23, spec.LevelLUFS, 0)
	require.NotNil(t, spec.Trim)

	alone := calls.Event{ID: "1", Type: calls.EventEnded, At: start, CutToSpan: true}
	require.ErrorContains(t, alone.Validate(), "cut_to_span: needs legs_span_call")
	ev.Type, ev.Redactions[0].Legs[0], ev.Pauses[0].To = calls.EventRinging, "b", 0
	err = ev.Validate()
	for _, path := range []string{"legs", "redactions", "pauses", "legs_span_call", "cut_to_span", "host_software", "redactions[0].legs[0]", "pauses[0].to_ms"} {
		require.ErrorContains(t, err, path)
	}
	bad := calls.RecordingPreference{PauseMode: "skip", LevelLUFS: 1, Trim: &record.TrimSpec{Keep: -1}}
	for _, path := range []string{"pause_mode", "level_lufs", "trim.keep_ms"} {
		require.ErrorContains(t, bad.Validate(), path)
	}
}

func TestCallFailover(t *testing.T) {
	t.Parallel()
	c := calls.Call{ID: "c1", State: calls.Routed, Decision: &calls.Decision{Destinations: make([]calls.Destination, 3)}}
	fail := func(cause calls.Cause) {
		t.Helper()
		_, err := c.Apply(calls.Event{ID: "e", Type: calls.EventFailed, Cause: &cause}, nil)
		require.NoError(t, err)
	}
	fail(calls.Cause{SIP: 503})
	assert.Equal(t, 1, c.Attempt)
	assert.Equal(t, calls.Routed, c.State)
	fail(calls.Cause{Q850: 34}) // no circuit available
	assert.Equal(t, 2, c.Attempt)
	fail(calls.Cause{Q850: 34})
	assert.Equal(t, calls.Failed, c.State, "no destination is left")

	c = calls.Call{ID: "c1", State: calls.Ringing, Decision: &calls.Decision{Destinations: make([]calls.Destination, 3)}}
	fail(calls.Cause{SIP: 486})
	assert.Equal(t, calls.Failed, c.State, "busy is the called party's own answer")
}

// specOf is what the job is to record.
func specOf(t *testing.T, r *ledger.Request) record.Spec {
	t.Helper()
	s, err := record.SpecOf(&ledger.Job{Kind: r.Kind, Payload: r.Payload})
	require.NoError(t, err)
	return s
}

func TestEndedMakesTheRecordingJob(t *testing.T) {
	t.Parallel()
	answered := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	base := calls.Call{
		ID: "c1", TenantID: "acme", State: calls.Answered, AnsweredAt: answered, Priority: 3, Host: "pbx1",
		Recording: &calls.RecordingPreference{Enabled: true},
	}
	defaults := []record.OutputSpec{{Codec: record.CodecWAV, Layout: record.LayoutMono}}
	end := calls.Event{ID: "e", Type: calls.EventEnded, At: answered.Add(time.Minute), Legs: validSpec().Legs}

	c := base
	fx, err := c.Apply(end, defaults)
	require.NoError(t, err)
	require.NotNil(t, fx.Recording)
	assert.Equal(t, "pbx1", fx.Recording.Queue)
	assert.Equal(t, defaults, specOf(t, fx.Recording).Outputs)
	assert.Equal(t, answered, specOf(t, fx.Recording).StartedAt)

	c = base
	three := end
	three.Legs = slices.Concat(validSpec().Legs, []record.LegSpec{{Name: "supervisor", Segments: validSpec().Legs[0].Segments}})
	stereo := []record.OutputSpec{
		{Codec: record.CodecWAV, Layout: record.LayoutStereo}, {Codec: record.CodecMP3, Layout: record.LayoutStereo},
	}
	fx, err = c.Apply(three, stereo)
	require.NoError(t, err, "a call that a third joined can end")
	assert.Equal(t, record.LayoutMultichannel, specOf(t, fx.Recording).Outputs[0].Layout)
	assert.Equal(t, record.LayoutMono, specOf(t, fx.Recording).Outputs[1].Layout)
	assert.Equal(t, record.LayoutStereo, stereo[0].Layout, "the caller's defaults are left alone")

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
	assert.Equal(t, calls.Answered, c.State)

	early.Heard = true
	fx, err = c.Apply(early, defaults)
	require.NoError(t, err, "another machine's clock said when it was answered")
	assert.Equal(t, answered, c.EndedAt)
	assert.Equal(t, answered, specOf(t, fx.Recording).StartedAt)
	assert.Zero(t, specOf(t, fx.Recording).EndedAt, "a call of no length would be recorded as absent")

	for heard, ended := range map[bool]time.Time{true: answered, false: answered.Add(-time.Minute)} {
		c = base
		c.State, c.CreatedAt, c.AnsweredAt = calls.Routed, answered, time.Time{}
		early.At, early.Heard = answered.Add(-time.Minute), heard
		fx, err = c.Apply(early, defaults)
		require.NoError(t, err, "the service's clock says when it was made, and another's when it ended")
		assert.Equal(t, ended, c.EndedAt)
		assert.Equal(t, answered, specOf(t, fx.Recording).StartedAt)
		assert.Zero(t, specOf(t, fx.Recording).EndedAt)
	}

	c = base
	c.Controls = []calls.Control{{Type: calls.EventRecordingPaused, At: answered.Add(time.Second)}}
	early.Heard, early.LegsSpanCall = true, true
	fx, err = c.Apply(early, defaults)
	require.NoError(t, err)
	assert.Len(t, specOf(t, fx.Recording).Pauses, 1, "what was to be silent is, as nobody knows when the call ended")
	assert.Zero(t, specOf(t, fx.Recording).Span)

	c = base
	c.Recording = nil
	fx, err = c.Apply(end, defaults)
	require.NoError(t, err)
	assert.Nil(t, fx.Recording)
}
