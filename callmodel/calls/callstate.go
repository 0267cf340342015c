package calls

import (
	"path"
	"slices"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
)

// Effects is what else has to be committed together with a moved call.
type Effects struct {
	// Recording is the job to enqueue, nil for none.
	Recording *ledger.Request
}

// Apply moves the call by ev and says what must be stored with it. ev.At must
// be set. The call is unchanged when it returns an error: a [*TransitionError]
// for an illegal move, [FieldErrors] for an event that contradicts the call.
func (c *Call) Apply(ev Event, defaults []record.OutputSpec) (Effects, error) {
	ev = c.Timed(ev)
	illegal := &callmodel.TransitionError{Subject: "call " + string(c.ID), From: string(c.State), Event: string(ev.Type)}
	switch ev.Type {
	case EventRinging:
		if c.State != Routed {
			return Effects{}, illegal
		}
		c.State, c.RingingAt = Ringing, ev.At
	case EventAnswered:
		if c.State != Routed && c.State != Ringing {
			return Effects{}, illegal
		}
		c.State, c.AnsweredAt = Answered, ev.At
	case EventFailed:
		if c.State != Routed && c.State != Ringing {
			return Effects{}, illegal
		}
		c.fail(ev)
	case EventEnded:
		if c.State.Final() {
			return Effects{}, illegal
		}
		return c.end(ev, defaults)
	default:
		if !ev.Type.isControl() || c.State.Final() {
			return Effects{}, illegal
		}
		return Effects{}, c.control(ev)
	}
	return Effects{}, nil
}

// fail tries the next destination, if the decision's policy allows it and there is one.
func (c *Call) fail(ev Event) {
	if d := c.Decision; d != nil && ev.Cause != nil && c.Attempt+1 < len(d.Destinations) &&
		d.Failover.Retryable(*ev.Cause) && d.Failover.Allows(c.Attempt+1, ev.At.Sub(c.CreatedAt)) {
		c.Attempt++
		c.State, c.RingingAt = Routed, time.Time{}
		return
	}
	c.State, c.Cause, c.EndedAt = Failed, ev.Cause, ev.At
}

func (c *Call) end(ev Event, defaults []record.OutputSpec) (Effects, error) {
	if last := c.lastMoved(); ev.At.Before(last) {
		return Effects{}, callmodel.FieldErrors{{Path: "at", Message: "is before the call's last event at " + last.Format(time.RFC3339Nano)}}
	}
	moved := *c
	moved.State, moved.Cause, moved.EndedAt = Ended, ev.Cause, ev.At
	if ev.Host != "" {
		moved.Host = ev.Host
	}
	if at := ev.Settled; at != nil {
		moved.Recording, moved.SettingsFrom = at.Recording, at.From
	}
	var fx Effects
	if moved.Recording != nil && moved.Recording.Enabled && (!moved.AnsweredAt.IsZero() || len(ev.Legs) > 0) {
		job, err := moved.recordingJob(&ev, defaults)
		if err != nil {
			return Effects{}, err
		}
		fx.Recording = job
	}
	*c = moved
	return fx, nil
}

// Timed is ev with the time that it has for the call. An end that was heard before what the
// call did last, as another machine's clock said, was then: it is after that whatever the
// clocks say, and to refuse it would lose the recording.
func (c *Call) Timed(ev Event) Event {
	last := c.lastMoved()
	if last.IsZero() {
		last = c.CreatedAt
	}
	if ev.Heard && ev.Type == EventEnded && ev.At.Before(last) {
		ev.At = last
	}
	return ev
}

func (c *Call) lastMoved() time.Time {
	last := c.AnsweredAt
	if last.IsZero() {
		last = c.RingingAt
	}
	return last
}

// recordingJob is the job that records the call. The timeline starts when the
// media does: at the answer, or at creation for a call that was never answered but left
// legs all the same. An answered call that named no
// legs gets a job too, which ends as absent: nothing is dropped in silence.
func (c *Call) recordingJob(ev *Event, defaults []record.OutputSpec) (*ledger.Request, error) {
	legs := ev.Legs
	outputs := c.Recording.Outputs
	if len(outputs) == 0 {
		outputs = defaults
	}
	start := c.AnsweredAt
	if start.IsZero() {
		start = c.CreatedAt
	}
	ended := c.EndedAt
	if ended.Before(start) || ev.Heard && !ended.After(start) {
		ended = time.Time{} // start and end are by clocks that differ: how long it took isn't known
	}
	if len(legs) == 0 {
		legs = []record.LegSpec{{Name: "unknown", Segments: []record.SegmentSpec{{URI: path.Join(ev.LegsBelow, "no-leg-was-named", string(c.ID))}}}}
	}
	outputs = slices.Clone(outputs)
	for i := range outputs {
		outputs[i] = outputs[i].ForLegs(len(legs))
	}
	spec := record.Spec{
		TenantID: c.TenantID, CallID: c.ID, RecordingID: callmodel.RecordingID(c.ID),
		StartedAt: start, EndedAt: ended,
		Legs: slices.Clone(legs), LegsBelow: ev.LegsBelow, Outputs: outputs,
		Redactions: ev.Redactions, Pauses: c.allPauses(ev, start, ended), PauseMode: c.Recording.PauseMode,
		Trim: c.Recording.Trim, LevelLUFS: c.Recording.LevelLUFS, SettingsFrom: c.SettingsFrom,
		HostSoftware: ev.HostSoftware, Traceparent: ev.Traceparent, Consent: ev.Consent,
	}
	if ev.LegsSpanCall && !ended.IsZero() {
		spec.LegsSpanCall, spec.Span = true, ended.Sub(start)
		// Of a call of no length nothing is cut, as nothing is recorded.
		spec.CutToSpan = ev.CutToSpan && spec.Span > 0
	}
	if err := spec.Validate(); err != nil {
		return nil, err
	}
	job, err := record.NewJob(spec, c.Host, c.Priority)
	return &job, err
}

// allPauses are those that the event names and those that were told during the call.
// One that began after the end, if that is known, silences nothing.
func (c *Call) allPauses(ev *Event, start, ended time.Time) []record.Pause {
	during := slices.DeleteFunc(c.pauses(start, c.Recording.PauseOnHold), func(p record.Pause) bool {
		return !ended.IsZero() && p.From >= ended.Sub(start)
	})
	return fewer(slices.Concat(ev.Pauses, during))
}
