package worker

import (
	"fmt"
	"slices"
	"time"

	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording"
)

// AllQueues among Options.Queues means that jobs of every queue are taken. It names
// the worker for none: see Options.AllLegs.
const AllQueues = "*"

// queues are those that jobs are taken from; nil for every one.
func (o *Options) queues() []string {
	if slices.Contains(o.Queues, AllQueues) {
		return nil
	}
	return o.Queues
}

// sees reports whether the worker is named for the queue: whether a leg of a job of
// that queue that isn't here is missing, and not only elsewhere.
func (o *Options) sees(queue string) bool {
	return o.AllLegs || slices.Contains(o.Queues, queue)
}

// elsewhere is why a worker that isn't named for the job's queue leaves a job whose
// legs aren't here: another machine may have them. To this worker their place is away.
func elsewhere(lacks *recording.LegsNotReadyError, queue string) error {
	e := &recording.LegsAwayError{Leg: lacks.Legs[0]}
	if len(lacks.Files) > 0 {
		e.URI = lacks.Files[0].URI
	}
	e.Err = fmt.Errorf("%w: the legs may be elsewhere, as this worker isn't named for queue %q: "+
		"name one that sees them, by --queues %s (worker.Options.Queues), or say that the legs of every queue are here, by --all-legs (AllLegs)",
		lacks, queue, queue)
	return e
}

// leaveToOthers is how much later than it can run this worker rings for a job whose
// legs aren't here and may be on another machine: of many workers another's poll comes
// first then. Otherwise the same worker would look on its own disk again and again.
func (w *Worker) leaveToOthers(t *recordingAttempt, why ledger.Reason) time.Duration {
	here := w.opts.AllLegs || w.opts.sees(t.Job.Queue) && t.Job.Queue != ledger.DefaultQueue
	if here || why != record.LegsMissing && why != record.LegsAway {
		return 0
	}
	return w.opts.IdlePoll / 4
}
