package worker

import (
	"context"
	"time"

	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording"
)

// A leg that is still being written when the wait for it is over is recorded as
// far as it goes, and published, so that the call has its URL. Its job is put
// back and follows the leg: at each turn nothing is put until the leg is whole,
// and then the next version is made of it. All that the next turn must know is
// in the ledger.

// accepts says what the attempt puts up with. A follow-up takes what legs there
// are: the published version did without the others, too.
//
// Of a call that has just ended the files are finished, and as new as can be,
// unless they look cut. But of one that was seen growing, or after the wait, a new
// file is one that is being written, however it looks.
func (w *Worker) accepts(t *task) *recording.ProcessOptions {
	old, followed := age(t.Lease), t.published != nil
	over := old+t.elapsed() >= w.opts.MissingLegWait
	o := &recording.ProcessOptions{AcceptMissing: over, AcceptGrowing: over}
	if followed {
		o = &recording.ProcessOptions{AcceptMissing: true, AcceptGrowing: !w.follows(old), NewVersion: true}
	}
	if w.opts.Quiet > 0 {
		o.CutQuietSince = t.started.Add(-w.opts.Quiet)
	}
	waited := over && w.opts.MissingLegWait > 0
	if w.opts.Quiet > 0 && (followed || waited || t.Job.Reason == record.LegsGrowing) {
		o.QuietSince = t.started.Add(-w.opts.Quiet)
	}
	return o
}

// follows reports whether growing legs of a job of that age are followed.
func (w *Worker) follows(old time.Duration) bool { return old < w.opts.FollowGrowing }

// maxFollow is how many times Options.FollowPause the longest pause is.
const maxFollow = 60

// followIn is the pause until the next follow-up of a job of that age. The last
// one is at the end of Options.FollowGrowing.
func (w *Worker) followIn(old time.Duration) time.Duration {
	pause := jitter(min(max(old/8, w.opts.FollowPause), maxFollow*w.opts.FollowPause))
	return max(min(pause, w.opts.FollowGrowing-old), time.Millisecond)
}

// keeps reports whether the published recording stays, as r would lose some of
// it: what was on the call once is never made less.
func (w *Worker) keeps(ctx context.Context, t *task, r *record.Result) bool {
	if t.published == nil {
		return false
	}
	lost := r.Loses(t.published)
	if lost == "" {
		return false
	}
	w.opts.Logger.WarnContext(ctx, "the later version of a recording holds less than the published one, which stays",
		"job", t.Job.ID, "tenant", t.Job.TenantID, "call", t.Job.CallID,
		"lost", lost+describe(r.Defects), "published", t.published.URL(), "later", r.URL())
	return true
}
