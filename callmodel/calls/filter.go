package calls

import (
	"time"

	"github.com/switchtape/switchtape/callmodel/record"
)

// Filter selects a tenant's calls, newest first. A call is selected if all that is
// set holds for it.
type Filter struct {
	State     State     // "" for any
	Number    string    // either party's, as it was routed; "" for any
	Direction Direction // "" for any
	Trunk     string    // that the call came in by; "" for any
	// Metadata are pairs that the call's metadata has; more of it doesn't matter.
	Metadata map[string]string
	// Recording is where one of the call's recordings stands; "" for any.
	Recording RecordingState
	// IdempotencyKey is that of the request that made the call; "" for any. It is
	// looked up in the answer that was kept for the key: a JSON object that names the
	// call as "id" or "call_id".
	IdempotencyKey string
	Limit          int // 0 means 50; at most 500
	// Since and Until bound when the calls were made: at Since or later, and before
	// Until. Zero: no bound.
	Since, Until time.Time
	// Before is the cursor of the page before; "" for the first page. It is a place in
	// time and in no list: calls that are made or moved meanwhile don't shift it, and
	// with another filter it goes on from the same place.
	Before string
}

// Page is a page of calls. One that has fewer calls than the limit, or none, is the
// last only if it has no Next: a store may stop looking for calls that are rare, so
// that no page takes long.
type Page struct {
	Calls []Call
	Next  string // the cursor of the next page; "" at the end
}

// RecordingState is where a recording of a call stands, or that the call has none.
type RecordingState string

// The states. The first two are of calls without a recording.
const (
	// RecordingNone: there is none, and none is due: the call was not to be recorded,
	// was not answered, or goes on.
	RecordingNone RecordingState = "none"
	// RecordingMissing: the call was to be recorded, was answered and has ended, and
	// neither a recording of it is known nor a job that makes one.
	RecordingMissing RecordingState = "missing"
	// RecordingPending: a job that makes it waits or runs. There may be a version of
	// it already, or what a person has put back.
	RecordingPending     RecordingState = "pending"
	RecordingCompleted   RecordingState = "completed"   // it is whole
	RecordingDegraded    RecordingState = "degraded"    // it was made, with defects
	RecordingAbsent      RecordingState = "absent"      // there was nothing to record
	RecordingQuarantined RecordingState = "quarantined" // it could not be made; its inputs are kept
)

// RecordingStates lists every state.
func RecordingStates() []RecordingState {
	return []RecordingState{
		RecordingNone, RecordingMissing, RecordingPending, RecordingCompleted,
		RecordingDegraded, RecordingAbsent, RecordingQuarantined,
	}
}

// Status is that of a finished recording in the state; "" for other states.
func (s RecordingState) Status() record.Status {
	switch s {
	case RecordingCompleted, RecordingAbsent, RecordingQuarantined:
		return record.Status(s)
	case RecordingDegraded:
		return record.StatusCompletedDegraded
	case RecordingNone, RecordingMissing, RecordingPending:
	}
	return ""
}

// AddRecording adds a finished recording, with its state, to the call.
func (c *Call) AddRecording(r Recording) {
	r.State = string(r.Status)
	if r.Status == record.StatusCompletedDegraded {
		r.State = string(RecordingDegraded)
	}
	c.Recordings = append(c.Recordings, r)
}

// AddPending marks the recording that a job makes as pending, and adds it if the
// call doesn't have it yet. Finished recordings are to be added before.
func (c *Call) AddPending(r Recording) {
	r.State = string(RecordingPending)
	for i := range c.Recordings {
		if c.Recordings[i].RecordingID == r.RecordingID {
			c.Recordings[i].State, c.Recordings[i].JobID = r.State, r.JobID
			return
		}
	}
	c.Recordings = append(c.Recordings, r)
}

// Matches reports whether all that the filter says of the call itself holds for it:
// its state, numbers, direction, trunk, metadata and recordings.
func (f *Filter) Matches(c *Call) bool {
	if f.State != "" && c.State != f.State || f.Direction != "" && c.Direction != f.Direction ||
		f.Trunk != "" && c.Trunk != f.Trunk || f.Number != "" && c.From.Number != f.Number && c.To.Number != f.Number {
		return false
	}
	for key, value := range f.Metadata {
		if has, ok := c.Metadata[key]; !ok || has != value {
			return false
		}
	}
	return f.Recording == "" || c.hasRecording(f.Recording)
}

func (c *Call) hasRecording(s RecordingState) bool {
	if len(c.Recordings) == 0 {
		due := c.State == Ended && !c.AnsweredAt.IsZero() && c.Recording != nil && c.Recording.Enabled
		return s == RecordingMissing && due || s == RecordingNone && !due
	}
	for i := range c.Recordings {
		if c.Recordings[i].State == string(s) {
			return true
		}
	}
	return false
}
