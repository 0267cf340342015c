package reports

import (
	"slices"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
)

// Dimensions of the promise, beside the hour and the tenant.
const (
	Server  Dimension = "server"  // the telephone server that carried the call
	Version Dimension = "version" // of the software that made the recording; "" of what isn't made
)

// PromiseDimensions are those of reports on the promise.
func PromiseDimensions() []Dimension {
	return []Dimension{Hour, Day, Tenant, Server, Version, Reason}
}

// The promise: of every call that is to be recorded the recording's URL is on the call
// within PromiseWithin of its end, or it is named why not; PromiseObjective of them, in
// PromiseWindow.
const (
	PromiseWithin    = 10 * time.Second
	PromiseObjective = 0.999
	PromiseWindow    = 28 * 24 * time.Hour
	// PromiseOpen is for how long a recording may be waited for without a named reason:
	// longer than legs are by default, and a recording takes.
	PromiseOpen = 2 * time.Minute
)

// Reasons of a promise that is open or was not kept, beside those of jobs and recordings.
const (
	ReasonNoJob   = "no_job"  // nothing records the call: it is unexplained
	ReasonOverdue = "overdue" // nobody has said why its job isn't done: it is unexplained
	ReasonRunning = "running" // the recording is being made
	ReasonFollow  = "follows" // there is a recording, and a whole one may follow
)

// PromiseBounds are the times from a call's end to its URL by which recordings are
// counted: up to each of them. Longer ones are in none.
func PromiseBounds() []time.Duration {
	return []time.Duration{
		500 * time.Millisecond, time.Second, 2 * time.Second, 5 * time.Second, PromiseWithin,
		30 * time.Second, time.Minute, 5 * time.Minute, time.Hour,
	}
}

// Promise are sums over calls that are to be recorded, from the hour of their end on.
type Promise struct {
	// Calls are all of them: the sum of the next six.
	Calls       int64
	Waiting     int64 // their recording is waited for, within its time
	Explained   int64 // their recording is late, and it is named why
	Unexplained int64 // neither recorded, nor waited for within its time, nor is it named why
	Recorded    int64 // their URL is there
	Absent      int64 // there was nothing to record
	Quarantined int64 // their recording could not be made; its inputs are kept
	// By is how many of the recorded had their URL within each of PromiseBounds.
	By [9]int64
	// After is the time from the end to the URL, of all recorded.
	After time.Duration
	// Whole is how many of the recorded have no defect. The others count once in each of:
	Whole       int64
	MissingLegs int64 // a leg wasn't there, was empty or couldn't be read
	Silence     int64 // a leg fell silent while others talked
	Gaps        int64 // a leg has gaps or dropouts
	Drift       int64 // a leg's clock, or its rate, was off
	Short       int64 // a leg is cut off, or was still growing
	Faults      int64 // other faults that are known, survived or repaired
}

// Add adds other's sums, n times: -1 takes them away.
func (p *Promise) Add(other *Promise, n int64) {
	to, from := p.Counters(), other.Counters()
	for i := range to {
		*to[i] += n * *from[i]
	}
	p.After += time.Duration(n) * other.After
}

// Counters are all counts, in the order of the fields, but for Calls, which is their sum.
func (p *Promise) Counters() []*int64 {
	list := []*int64{&p.Waiting, &p.Explained, &p.Unexplained, &p.Recorded, &p.Absent, &p.Quarantined}
	for i := range p.By {
		list = append(list, &p.By[i])
	}
	return append(list, &p.Whole, &p.MissingLegs, &p.Silence, &p.Gaps, &p.Drift, &p.Short, &p.Faults)
}

// Sum sets Calls.
func (p *Promise) Sum() {
	p.Calls = p.Waiting + p.Explained + p.Unexplained + p.Recorded + p.Absent + p.Quarantined
}

// Within is how many of the recorded had their URL within PromiseWithin.
func (p *Promise) Within() int64 {
	for i, bound := range PromiseBounds() {
		if bound == PromiseWithin {
			return p.By[i]
		}
	}
	return 0
}

// Kept is the share of calls for which the promise was kept, 0 to 1, among those of which
// that is known: recorded within PromiseWithin, or absent. Those that wait within their
// time aren't among them. 1 without any.
func (p *Promise) Kept() float64 {
	known := p.Explained + p.Unexplained + p.Recorded + p.Absent + p.Quarantined
	if known == 0 {
		return 1
	}
	return float64(p.Within()+p.Absent) / float64(known)
}

// BurnRate is how fast the budget, which is what PromiseObjective leaves, is spent: 1
// spends it in PromiseWindow exactly.
func (p *Promise) BurnRate() float64 { return (1 - p.Kept()) / (1 - PromiseObjective) }

// BudgetLeft is the share of the budget that is left at the end of a PromiseWindow of
// these sums; below 0 it is overspent.
func (p *Promise) BudgetLeft() float64 { return 1 - p.BurnRate() }

// PromiseKey is where in the reports the promise of a call counts.
type PromiseKey struct {
	TenantID                callmodel.TenantID
	Hour                    int64 // since 1970, of the call's end
	Server, Version, Reason string
}

// Promised is where the promise of a call that has ended counts; false for a call of which
// no recording is due.
func Promised(c *calls.Call) (PromiseKey, bool) {
	if c.State != calls.Ended || c.AnsweredAt.IsZero() || c.Recording == nil || !c.Recording.Enabled {
		return PromiseKey{}, false
	}
	return PromiseKey{TenantID: c.TenantID, Hour: HourOf(c.EndedAt), Server: clip(c.Host)}, true
}

// PromiseJob is what a promise asks of a job of its call.
type PromiseJob struct {
	State  ledger.State
	Reason string
	Leased bool // it runs, and its lease hasn't ended
}

// PromiseState is where a promise stands, from what there is of its call.
type PromiseState struct {
	// Settled says that nothing more comes of it.
	Settled bool
	// Version, Reason and Sums are where, and as what, it counts.
	Version, Reason string
	Sums            Promise
	// HostSoftware and Defects are the recording's, of one that was made: the kinds of its
	// defects, each once, or one "" if it has none.
	HostSoftware string
	Defects      []string
}

// PromiseOf is where the promise of a call stands that ended so long ago: after is from
// the end to the first URL, below 0 if there is none yet; jobs are those that record the
// call, made its recordings.
func PromiseOf(ago, after time.Duration, jobs []PromiseJob, made []record.CallEntry) PromiseState {
	reason, pending := ReasonNoJob, false
	for _, j := range jobs {
		if j.State != ledger.Queued && j.State != ledger.Running {
			continue
		}
		pending = true
		switch {
		case j.Leased:
			reason = ReasonRunning
		case j.Reason != "":
			reason = clip(j.Reason)
		default:
			reason = ReasonOverdue
		}
	}
	switch {
	case !pending && len(made) > 0:
		return settled(after, made)
	case pending && after >= 0:
		return PromiseState{Reason: ReasonFollow, Sums: Promise{Explained: 1}}
	case pending && ago <= PromiseOpen:
		return PromiseState{Sums: Promise{Waiting: 1}}
	case reason == ReasonNoJob || reason == ReasonOverdue:
		return PromiseState{Reason: reason, Sums: Promise{Unexplained: 1}}
	}
	return PromiseState{Reason: reason, Sums: Promise{Explained: 1}}
}

// settled is the state of a promise of which nothing more comes: by the best that was made.
func settled(after time.Duration, made []record.CallEntry) PromiseState {
	best := &made[0]
	for i := range made {
		if better(made[i].Status) > better(best.Status) {
			best = &made[i]
		}
	}
	s := PromiseState{Settled: true, Version: clip(best.Software)}
	switch best.Status {
	case record.StatusCompleted, record.StatusCompletedDegraded:
		s.Sums = Promise{Recorded: 1, After: max(after, 0)}
		for i, bound := range PromiseBounds() {
			if after <= bound {
				s.Sums.By[i] = 1
			}
		}
		s.Sums.countDefects(best.Defects)
		s.HostSoftware, s.Defects = clip(best.HostSoftware), kinds(best.Defects)
	case record.StatusAbsent:
		s.Reason, s.Sums = clip(best.Reason), Promise{Absent: 1}
	default:
		s.Reason, s.Sums = string(record.StatusQuarantined), Promise{Quarantined: 1} // others have texts of their own each
	}
	return s
}

func better(s record.Status) int {
	switch s {
	case record.StatusCompleted:
		return 3
	case record.StatusCompletedDegraded:
		return 2
	case record.StatusAbsent:
		return 1
	case record.StatusQuarantined:
	}
	return 0
}

// kinds are the codes of the defects, each once; one "" if there are none.
func kinds(defects []record.Defect) []string {
	if len(defects) == 0 {
		return []string{""}
	}
	var codes []string
	for i := range defects {
		if code := clip(string(defects[i].Code)); !slices.Contains(codes, code) {
			codes = append(codes, code)
		}
	}
	return codes
}

// countDefects counts a recording by its defects.
func (p *Promise) countDefects(defects []record.Defect) {
	if len(defects) == 0 {
		p.Whole = 1
	}
	for i := range defects {
		switch defects[i].Code {
		case record.DefectLegMissing, record.DefectLegEmpty, record.DefectUnreadableLeg, record.DefectUnsupportedCodec:
			p.MissingLegs = 1
		case record.DefectOneWayAudio, record.DefectAudioLost:
			p.Silence = 1
		case record.DefectGapSuspected, record.DefectDropoutSuspected:
			p.Gaps = 1
		case record.DefectDriftCorrected, record.DefectWrongRateSuspected, record.DefectWrongRateCorrected:
			p.Drift = 1
		case record.DefectTruncated, record.DefectLegGrowing:
			p.Short = 1
		default:
			p.Faults = 1
		}
	}
}
