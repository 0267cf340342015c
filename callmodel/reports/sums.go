package reports

import (
	"strconv"
	"strings"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/callmodel/record"
)

// Report is what was asked for. S is [Calls] or [Recordings].
type Report[S any] struct {
	Rows []Row[S]
	// Waiting is how many calls or recordings are known to wait to be counted, up to
	// MaxWaiting.
	Waiting int64
}

// MaxWaiting is up to where what waits to be counted is counted.
const MaxWaiting = 10_000

// Row is the sums of those that have the values.
type Row[S any] struct {
	Of   []string // the values, as Query.By
	Sums S
}

// Calls are sums over calls.
type Calls struct {
	Calls     int64 // all of them
	Answered  int64
	Abandoned int64 // ended by the caller before an answer
	Failed    int64 // no destination took them
	Rejected  int64 // there was no way for them
	Rang      int64 // those that a destination alerted for
	// Talk is from the answers to the ends; PostDial from the initiations to the ringing,
	// of those that rang.
	Talk, PostDial time.Duration
}

// AnswerSeizureRatio is the share of calls that were answered (ITU-T E.425), 0 to 1; 0
// without calls.
func (c *Calls) AnswerSeizureRatio() float64 { return ratio(float64(c.Answered), c.Calls) }

// MeanDuration is the mean of the time from answer to end of the calls that were
// answered; 0 without any.
func (c *Calls) MeanDuration() time.Duration { return mean(c.Talk, c.Answered) }

// MeanPostDialDelay is the mean of the time from initiation to ringing of the calls that
// rang (post-selection delay, ITU-T E.721); 0 without any.
func (c *Calls) MeanPostDialDelay() time.Duration { return mean(c.PostDial, c.Rang) }

func mean(sum time.Duration, n int64) time.Duration {
	if n == 0 {
		return 0
	}
	return sum / time.Duration(n)
}

func ratio(part float64, n int64) float64 {
	if n == 0 {
		return 0
	}
	return part / float64(n)
}

// Add adds other's sums.
func (c *Calls) Add(other *Calls) {
	c.Calls += other.Calls
	c.Answered += other.Answered
	c.Abandoned += other.Abandoned
	c.Failed += other.Failed
	c.Rejected += other.Rejected
	c.Rang += other.Rang
	c.Talk += other.Talk
	c.PostDial += other.PostDial
}

// Recordings are sums over recordings.
type Recordings struct {
	Recordings  int64 // all of them
	Completed   int64
	Degraded    int64 // completed, with defects
	Absent      int64 // there was nothing to record
	Quarantined int64 // they could not be made
	Duration    time.Duration
	Bytes       int64 // of all objects
}

// Add adds other's sums, n times: -1 takes them away.
func (r *Recordings) Add(other *Recordings, n int64) {
	r.Recordings += n * other.Recordings
	r.Completed += n * other.Completed
	r.Degraded += n * other.Degraded
	r.Absent += n * other.Absent
	r.Quarantined += n * other.Quarantined
	r.Duration += time.Duration(n) * other.Duration
	r.Bytes += n * other.Bytes
}

// CallKey is where in the reports a call counts.
type CallKey struct {
	TenantID                                   callmodel.TenantID
	Hour                                       int64 // since 1970
	Trunk, Destination, Direction, Type, Cause string
}

// RecordingKey is where in the reports a recording counts.
type RecordingKey struct {
	TenantID       callmodel.TenantID
	Hour           int64
	Status, Reason string
}

// OfCall is where a call counts that can't move any more, and as what.
func OfCall(c *calls.Call) (CallKey, Calls) {
	k := CallKey{
		TenantID: c.TenantID, Hour: HourOf(c.CreatedAt), Trunk: clip(c.Trunk), Direction: string(c.Direction), Type: string(c.Type),
	}
	if d := c.Decision; d != nil && c.Attempt >= 0 && c.Attempt < len(d.Destinations) {
		k.Destination = clip(d.Destinations[c.Attempt].ID)
	}
	s := Calls{Calls: 1}
	if !c.RingingAt.IsZero() {
		s.Rang, s.PostDial = 1, max(c.RingingAt.Sub(c.CreatedAt), 0)
	}
	switch {
	case !c.AnsweredAt.IsZero():
		s.Answered, s.Talk = 1, max(c.EndedAt.Sub(c.AnsweredAt), 0)
		return k, s
	case c.State == calls.Rejected:
		s.Rejected = 1
	case c.State == calls.Failed:
		s.Failed = 1
	default:
		s.Abandoned = 1
	}
	k.Cause = causeOf(c.Cause)
	return k, s
}

func causeOf(c *calls.Cause) string {
	switch {
	case c == nil:
		return "none"
	case c.SIP != 0:
		return "sip:" + strconv.Itoa(c.SIP)
	case c.Q850 != 0 && *c != *calls.EmergencyNoRoute():
		return "q850:" + strconv.Itoa(c.Q850)
	case c.Text != "":
		return clip(c.Text)
	default:
		return "none"
	}
}

// OfRecording is where a recording counts, and as what.
func OfRecording(t callmodel.TenantID, r *record.CallEntry) (RecordingKey, Recordings) {
	s := Recordings{Recordings: 1, Duration: r.Duration}
	for i := range r.Outputs {
		s.Bytes += r.Outputs[i].Bytes
	}
	switch r.Status {
	case record.StatusCompleted:
		s.Completed = 1
	case record.StatusCompletedDegraded:
		s.Degraded = 1
	case record.StatusAbsent:
		s.Absent = 1
	default:
		s.Quarantined = 1
	}
	k := RecordingKey{TenantID: t, Hour: HourOf(r.FinishedAt), Status: clip(string(r.Status))}
	if s.Absent == 1 {
		k.Reason = clip(r.Reason) // others have texts of their own each
	}
	return k, s
}

// clip bounds a value, at the end of a character.
func clip(s string) string {
	if len(s) > MaxValueLen {
		s = s[:MaxValueLen]
	}
	return strings.ToValidUTF8(s, "")
}
