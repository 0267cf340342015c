package calls_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/callmodel/record"
)

var answered = time.Date(2026, 11, 29, 10, 0, 0, 0, time.UTC)

// controlled is a call that was answered, had the controls and ended after a minute.
// It returns the pauses of its recording.
func controlled(t *testing.T, p calls.RecordingPreference, ended calls.Event, controls ...calls.Event) []record.Pause {
	t.Helper()
	p.Enabled = true
	c := calls.Call{ID: "c1", TenantID: "acme", State: calls.Answered, CreatedAt: answered, AnsweredAt: answered, Recording: &p}
	for _, ev := range controls {
		_, err := c.Apply(ev, nil)
		require.NoError(t, err)
		require.Equal(t, calls.Answered, c.State)
	}
	ended.Type = calls.EventEnded
	if ended.At.IsZero() {
		ended.At = answered.Add(time.Minute)
	}
	ended.Legs = []record.LegSpec{record.NewLeg("agent", "agent.wav")}
	fx, err := c.Apply(ended, []record.OutputSpec{{Codec: record.CodecMP3, Layout: record.LayoutMono}})
	require.NoError(t, err)
	var spec record.Spec
	require.NoError(t, callmodel.DecodeJSON(fx.Recording.Payload, &spec))
	return spec.Pauses
}

func at(s float64, kind calls.EventType) calls.Event {
	return calls.Event{ID: fmt.Sprint(s), Type: kind, At: answered.Add(time.Duration(s * float64(time.Second)))}
}

func pause(from, to float64) record.Pause {
	return record.Pause{From: time.Duration(from * float64(time.Second)), To: time.Duration(to * float64(time.Second))}
}

const (
	paused    = calls.EventRecordingPaused
	resumed   = calls.EventRecordingResumed
	held      = calls.EventHeld
	retrieved = calls.EventRetrieved
)

var toTheEnd = record.MaxSpan.Seconds()

func TestControlsPause(t *testing.T) {
	t.Parallel()
	onHold := calls.RecordingPreference{PauseOnHold: true}
	for name, c := range map[string]struct {
		p        calls.RecordingPreference
		controls []calls.Event
		want     []record.Pause
	}{
		"none":                 {},
		"once":                 {controls: []calls.Event{at(10, paused), at(20, resumed)}, want: []record.Pause{pause(10, 20)}},
		"twice told":           {controls: []calls.Event{at(10, paused), at(12, paused), at(20, resumed), at(21, resumed)}, want: []record.Pause{pause(10, 20)}},
		"never resumed":        {controls: []calls.Event{at(10, paused)}, want: []record.Pause{pause(10, toTheEnd)}},
		"never paused":         {controls: []calls.Event{at(10, resumed)}},
		"in the wrong order":   {controls: []calls.Event{at(20, resumed), at(10, paused)}, want: []record.Pause{pause(10, 20)}},
		"before the answer":    {controls: []calls.Event{at(-5, paused), at(3, resumed), at(-9, paused)}, want: []record.Pause{pause(0, 3)}},
		"all before it":        {controls: []calls.Event{at(-5, paused), at(-3, resumed)}},
		"after the end":        {controls: []calls.Event{at(61, paused)}},
		"parts of a ms":        {controls: []calls.Event{at(10.0004, paused), at(20.0004, resumed)}, want: []record.Pause{pause(10, 20.001)}},
		"hold is recorded":     {controls: []calls.Event{at(10, held), at(20, retrieved)}},
		"hold is not":          {p: onHold, controls: []calls.Event{at(10, held), at(20, retrieved)}, want: []record.Pause{pause(10, 20)}},
		"paused while held":    {p: onHold, controls: []calls.Event{at(10, held), at(12, paused), at(20, retrieved), at(25, resumed)}, want: []record.Pause{pause(10, 25)}},
		"held while paused":    {p: onHold, controls: []calls.Event{at(10, paused), at(12, held), at(20, resumed), at(25, retrieved)}, want: []record.Pause{pause(10, 25)}},
		"hold ends no pause":   {controls: []calls.Event{at(10, paused), at(12, held), at(20, retrieved)}, want: []record.Pause{pause(10, toTheEnd)}},
		"a transfer is no end": {controls: []calls.Event{at(10, paused), at(12, calls.EventTransferred)}, want: []record.Pause{pause(10, toTheEnd)}},
	} {
		assert.Equal(t, c.want, controlled(t, c.p, calls.Event{}, c.controls...), name)
	}
}

// TestManyPauses: a call with more pauses than a recording can have is still
// recorded, and nothing of any pause is.
func TestManyPauses(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	var controls []calls.Event
	var told []record.Pause
	for i := range record.MaxPauses {
		from := float64(i)*0.05 + 0.01*random.Float64()
		controls = append(controls, at(from, paused), at(from+0.01, resumed))
		told = append(told, pause(float64(i)*0.05+0.03, float64(i)*0.05+0.03+0.01*random.Float64()+0.001))
	}
	got := controlled(t, calls.RecordingPreference{}, calls.Event{Pauses: told}, controls...)
	require.Len(t, got, record.MaxPauses)
	silent := func(at time.Duration) bool {
		for _, p := range got {
			if at >= p.From && at < p.To {
				return true
			}
		}
		return false
	}
	for _, p := range told {
		assert.True(t, silent(p.From) && silent(p.To-1))
	}
	for i := 0; i < len(controls); i += 2 {
		assert.True(t, silent(controls[i].At.Sub(answered)))
	}
}

func TestControlsAreBounded(t *testing.T) {
	t.Parallel()
	c := calls.Call{ID: "c1", State: calls.Routed}
	for range calls.MaxControls {
		_, err := c.Apply(at(1, held), nil)
		require.NoError(t, err)
	}
	_, err := c.Apply(at(1, held), nil)
	require.Equal(t, callmodel.CodeInvalid, callmodel.CodeOf(err))
	for _, state := range []calls.State{calls.Ended, calls.Failed, calls.Rejected} {
		c := calls.Call{ID: "c1", State: state}
		_, err := c.Apply(at(1, paused), nil)
		require.Equal(t, callmodel.CodeConflict, callmodel.CodeOf(err))
	}
}
