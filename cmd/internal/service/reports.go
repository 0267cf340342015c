package service

import (
	"context"
	"log/slog"
	"time"
)

// How often calls and recordings are counted for the reports.
const (
	countEvery = 2 * time.Second
	// countAgain is the pause after a count that failed.
	countAgain = 30 * time.Second
)

// reportCounter counts for the reports.
type reportCounter interface {
	CountReports(ctx context.Context) (more bool, err error)
}

// countReports counts what is to be, until ctx ends. Every process of a fleet does: who
// comes first counts.
func countReports(ctx context.Context, db reportCounter, log *slog.Logger) error {
	failed := false
	next := time.NewTimer(countEvery)
	defer next.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-next.C:
		}
		began := time.Now()
		more, err := db.CountReports(ctx)
		switch {
		case err == nil && more:
			// Half of the time is left to calls: on SQLite nobody writes beside it.
			next.Reset(max(time.Since(began), time.Millisecond))
			continue
		case err == nil:
			if failed {
				log.InfoContext(ctx, "calls and recordings are counted for the reports again")
			}
			failed = false
			next.Reset(countEvery)
			continue
		case ctx.Err() == nil && !failed:
			log.WarnContext(ctx, "calls and recordings couldn't be counted for the reports; trying again", "error", err)
		}
		failed = true
		next.Reset(countAgain)
	}
}
