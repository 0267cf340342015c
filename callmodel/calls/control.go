package calls

import (
	"cmp"
	"slices"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/record"
)

// The events that shape a recording while the call goes on. They may be told in any
// order and more than once: what counts is when they happened.
const (
	// EventRecordingPaused and EventRecordingResumed are around what must not be
	// recorded, payment data for example. A pause that isn't resumed lasts to the end.
	EventRecordingPaused  EventType = "recording.paused"
	EventRecordingResumed EventType = "recording.resumed"
	// EventHeld and EventRetrieved are around the time in which a party is on hold: a
	// pause, if the call's RecordingPreference says so.
	EventHeld      EventType = "held"
	EventRetrieved EventType = "retrieved"
	// EventTransferred says that the call goes on with another party, and with a host
	// on another telephone server.
	EventTransferred EventType = "transferred"
)

// Control is what was told of a call while it went on.
type Control struct {
	At   time.Time `json:"at"`
	Type EventType `json:"type"`
	Host string    `json:"host,omitempty"` // where it went on, of a transfer
}

// MaxControls bounds the controls of a call.
const MaxControls = 2 * record.MaxPauses

// isControl reports whether events of the type are kept as Controls.
func (t EventType) isControl() bool {
	switch t {
	case EventRecordingPaused, EventRecordingResumed, EventHeld, EventRetrieved, EventTransferred:
		return true
	case EventRinging, EventAnswered, EventFailed, EventEnded:
	}
	return false
}

// control keeps the event with the call.
func (c *Call) control(ev Event) error {
	if len(c.Controls) >= MaxControls {
		return callmodel.FieldErrors{{Path: "type", Message: "the call has had as many events of this kind as are kept; nothing more is paused or resumed"}}
	}
	// A copy: the call that this one was made from stays as it is.
	c.Controls = append(slices.Clone(c.Controls), Control{At: ev.At, Type: ev.Type, Host: ev.Host})
	slices.SortStableFunc(c.Controls, func(a, b Control) int { return a.At.Compare(b.At) })
	if ev.Type == EventTransferred && ev.Host != "" {
		c.Host = ev.Host
	}
	return nil
}

// pauses are the ranges of a recording that begins at start in which it was paused,
// by pauses and, if hold counts, by hold.
func (c *Call) pauses(start time.Time, hold bool) []record.Pause {
	var out []record.Pause
	var open [2]bool // paused, held
	var since time.Time
	for _, k := range c.Controls {
		was := open[0] || open[1]
		switch k.Type {
		case EventRecordingPaused, EventRecordingResumed:
			open[0] = k.Type == EventRecordingPaused
		case EventHeld, EventRetrieved:
			open[1] = hold && k.Type == EventHeld
		default:
		}
		switch is := open[0] || open[1]; {
		case is && !was:
			since = k.At
		case was && !is:
			out = appendPause(out, since.Sub(start), k.At.Sub(start))
		}
	}
	if open[0] || open[1] {
		// To the end of the audio, wherever that is.
		out = appendPause(out, since.Sub(start), record.MaxSpan)
	}
	return out
}

// appendPause appends what lies within a recording.
func appendPause(list []record.Pause, from, to time.Duration) []record.Pause {
	// To whole milliseconds, outwards: as JSON has them.
	from = max(0, from.Truncate(time.Millisecond))
	to = min((to + time.Millisecond - 1).Truncate(time.Millisecond), record.MaxSpan)
	if from >= to {
		return list
	}
	return append(list, record.Pause{From: from, To: to})
}

// fewer joins the pauses that are nearest to each other until a recording can have
// them: rather too much is silent than the end of the call refused.
func fewer(list []record.Pause) []record.Pause {
	if len(list) <= record.MaxPauses {
		return list
	}
	slices.SortFunc(list, func(a, b record.Pause) int { return cmp.Compare(a.From, b.From) })
	apart := list[:1]
	for _, p := range list[1:] {
		if last := &apart[len(apart)-1]; p.From <= last.To {
			last.To = max(last.To, p.To)
		} else {
			apart = append(apart, p)
		}
	}
	if len(apart) <= record.MaxPauses {
		return apart
	}
	gaps := make([]time.Duration, len(apart)-1)
	for i := range gaps {
		gaps[i] = apart[i+1].From - apart[i].To
	}
	slices.Sort(gaps)
	excess := len(apart) - record.MaxPauses
	widest := gaps[excess-1] // that is closed
	out := apart[:1]
	for _, p := range apart[1:] {
		if last := &out[len(out)-1]; p.From-last.To <= widest && excess > 0 {
			last.To = p.To
			excess--
		} else {
			out = append(out, p)
		}
	}
	return out
}
