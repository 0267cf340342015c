package lifecycle

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
)

// lostFor is how long a deletion stays set aside that lost its workers.
const lostFor = 6 * time.Hour

// goOn puts deletions of the kind back that were set aside as their workers were lost with
// them. A machine that fails again and again takes with it whatever it is at, and a deletion
// decodes nothing that could bring its worker down: it has to come to its end without a
// person. One that does bring workers down does so a few times in six hours, and each time
// is seen by who looks after jobs that were set aside. queues empty: all.
func goOn(ctx context.Context, l interface {
	Jobs(ctx context.Context, f ledger.Filter) ([]ledger.Job, error)
	Retry(ctx context.Context, id callmodel.JobID, actor string) error
	Now(ctx context.Context) (time.Time, error)
}, kind string, queues []string, log *slog.Logger,
) error {
	// Those that are left wait for the next look.
	jobs, err := l.Jobs(ctx, ledger.Filter{State: ledger.Quarantined, Kind: kind, Code: string(ledger.Crashed), Limit: 1000})
	if err != nil || len(jobs) == 0 {
		return err
	}
	now, err := l.Now(ctx)
	if err != nil {
		return err
	}
	for i := range jobs {
		j := &jobs[i]
		// It has run for the last time after RunAt.
		if now.Sub(j.RunAt) < lostFor || len(queues) > 0 && !slices.Contains(queues, j.Queue) {
			continue
		}
		err := l.Retry(ctx, j.ID, actor)
		if callmodel.CodeOf(err) == callmodel.CodeConflict || errors.Is(err, callmodel.ErrNotFound) {
			continue // somebody else has
		}
		if err != nil {
			return err
		}
		log.WarnContext(ctx, "a deletion goes on that was set aside, as its workers were lost with it", "job", j.ID, "kind", kind)
	}
	return nil
}
