package worker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording"
)

// A leg that is missing or still being written when the wait for it is over is
// followed: what there is of the call is recorded and published, so that the call
// has its URL, and the job is put back. At each turn nothing is read or put unless
// a leg has come or is whole, and then the next version is made. Of a call without
// any leg it is published that its recording is absent. All that the next turn must
// know is in the ledger.

// accepts says what the attempt puts up with: before the wait is over, and at the
// turns of a follow-up, nothing; at the end whatever there is. A worker that isn't
// named for the job's queue doesn't put up with a leg that isn't here at all.
//
// Of a call that has just ended the files are finished, and as new as can be,
// unless they look cut. But of one that was seen growing, or after the wait, a new
// file is one that is being written, however it looks.
func (w *Worker) accepts(t *recordingAttempt) *recording.ProcessOptions {
	old, followed := age(t.Lease), t.published != nil
	over := old+t.elapsed() >= w.opts.MissingLegWait
	o := &recording.ProcessOptions{AcceptMissing: over, AcceptGrowing: over}
	if followed {
		o = &recording.ProcessOptions{AcceptMissing: !w.follows(old), AcceptGrowing: !w.follows(old), NewVersion: true, Version: t.published.Version()}
		if m := t.published.Manifest; m != nil {
			o.Manifest = m.SHA256
		}
	}
	o.AcceptMissing = o.AcceptMissing && w.opts.sees(t.Job.Queue)
	if w.opts.Quiet > 0 {
		o.CutQuietSince = t.started.Add(-w.opts.Quiet)
	}
	waited := over && w.opts.MissingLegWait > 0
	if w.opts.Quiet > 0 && (followed || waited || t.Job.Reason == record.LegsGrowing) {
		o.QuietSince = t.started.Add(-w.opts.Quiet)
	}
	return o
}

// make makes the recording, as accepts says. A follow-up that finds more than the
// published version has makes the next one, of what legs there are.
func (w *Worker) make(ctx context.Context, t *recordingAttempt) (record.Result, error) {
	o := w.accepts(t)
	process := w.process
	if t.away != nil {
		process = w.opts.Backup
	}
	r, err := process.Process(ctx, t.spec, o)
	lacks, ok := errors.AsType[*recording.LegsNotReadyError](err)
	switch {
	case !ok:
		return r, err
	case !w.opts.sees(t.Job.Queue):
		if len(lacks.Legs) > 0 && age(t.Lease)+t.elapsed() >= w.opts.MissingLegWait {
			err = elsewhere(lacks, t.Job.Queue)
		}
		return r, err
	}
	for t.published != nil && changed(t.published, lacks) {
		// Whether a leg still grows may only show when all of it was read.
		o.AcceptMissing, o.AcceptGrowing = true, o.AcceptMissing || len(lacks.Growing) > 0
		r, err = process.Process(ctx, t.spec, o)
		more, ok := errors.AsType[*recording.LegsNotReadyError](err)
		if !ok {
			return r, err
		}
		lacks = &recording.LegsNotReadyError{Legs: lacks.Legs, Files: lacks.Files, Growing: more.Growing}
		err = lacks
	}
	return r, err
}

// changed reports whether the next version is to be made although legs aren't ready:
// a leg has more files than in the published version, or is whole. If a leg has lost
// files the next version will not be kept, but the job ends with it, unless a file
// of another leg may still come.
func changed(published *record.Result, lacks *recording.LegsNotReadyError) bool {
	var lost, awaited bool
	for i := range published.Legs {
		leg := published.Legs[i].Name
		had, grew := lacked(published, leg)
		has := 0
		for _, f := range lacks.Files {
			if f.Leg == leg {
				has++
			}
		}
		grows := slices.Contains(lacks.Growing, leg)
		switch {
		case has > had:
			lost = true
		case !grows && (has < had || grew):
			return true
		case has > 0 || grows:
			awaited = true
		}
	}
	return lost && !awaited
}

// lacked is how many files of the leg were missing or empty in the recording, and
// whether one was still being written.
func lacked(r *record.Result, leg string) (files int, grew bool) {
	for _, d := range r.Defects {
		switch {
		case d.Leg != leg:
		case d.Code == record.DefectLegMissing || d.Code == record.DefectLegEmpty:
			files++
		case d.Code == record.DefectLegGrowing:
			grew = true
		}
	}
	return files, grew
}

// incomplete reports whether a later version of the recording may hold more, as a
// leg may come or grow.
func incomplete(r *record.Result) bool {
	return r.Has(record.DefectLegGrowing) || r.Has(record.DefectLegMissing) || r.Has(record.DefectLegEmpty)
}

// noAudio reports whether no leg has audio that could be read.
func noAudio(r *record.Result) bool {
	return r.Status == record.StatusAbsent && r.Reason == record.ReasonNoMedia || r.Status == record.StatusQuarantined
}

// tellsAbsence reports whether a recording is published as absent although legs may
// still come: only where they should be here. A job in the queue that names no host
// may be of another machine's disk, and is said to be absent at the end alone.
func (w *Worker) tellsAbsence(t *recordingAttempt, r *record.Result) bool {
	return r.Status == record.StatusAbsent && (w.opts.AllLegs || t.Job.Queue != ledger.DefaultQueue)
}

// isNew reports whether the recording is another than the published one.
func (t *recordingAttempt) isNew(r *record.Result) bool {
	return t.published == nil || !slices.Equal(r.Outputs, t.published.Outputs) || !slices.Equal(r.Defects, t.published.Defects)
}

// lacking is the error of a recording whose legs may still come or grow.
func lacking(r *record.Result) error {
	e := &recording.LegsNotReadyError{}
	for i := range r.Legs {
		leg := r.Legs[i].Name
		files, grows := lacked(r, leg)
		if files > 0 {
			e.Legs = append(e.Legs, leg)
		}
		if grows {
			e.Growing = append(e.Growing, leg)
		}
	}
	return fmt.Errorf("%w%s", e, describe(r.Defects, ""))
}

// follows reports whether legs of a job of that age are followed.
func (w *Worker) follows(old time.Duration) bool { return old < w.opts.FollowGrowing }

// maxFollow is how many times Options.FollowPause the longest pause is.
const maxFollow = 60

// followIn is the pause until the next follow-up of a job of that age. The last
// one is at the end of Options.FollowGrowing.
func (w *Worker) followIn(old time.Duration) time.Duration {
	pause := w.opts.Jitter(min(max(old/8, w.opts.FollowPause), maxFollow*w.opts.FollowPause))
	return max(min(pause, w.opts.FollowGrowing-old), time.Millisecond)
}

// legsPause is the pause until the next look for legs that weren't ready at an
// attempt that has just ended.
func (w *Worker) legsPause(t *recordingAttempt) time.Duration {
	old := age(t.Lease) + t.elapsed()
	if t.published != nil || age(t.Lease) >= w.opts.MissingLegWait {
		return w.look(&w.late, w.followIn(old), w.opts.FollowGrowing-old)
	}
	left := w.opts.MissingLegWait - old
	return w.look(&w.soon, max(min(max(old/4, 100*time.Millisecond), 5*time.Second, left), time.Millisecond), left)
}

// keeps reports whether the published recording stays, as r would lose some of
// it: what was on the call once is never made less.
func (w *Worker) keeps(ctx context.Context, t *recordingAttempt, r *record.Result) bool {
	if t.published == nil || !t.published.Made() {
		return false
	}
	lost := r.Loses(t.published)
	if lost == "" {
		return false
	}
	w.opts.Logger.WarnContext(ctx, "the later version of a recording holds less than the published one, which stays",
		"job", t.Job.ID, "tenant", t.Job.TenantID, "call", t.Job.CallID,
		"lost", lost+describe(r.Defects, ""), "published", t.published.URL(), "later", r.URL())
	return true
}
