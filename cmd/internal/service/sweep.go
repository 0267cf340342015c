package service

import (
	"context"
	"log/slog"
	"time"

	"github.com/switchtape/switchtape/cmd/internal/clock"
	"github.com/switchtape/switchtape/storage"
)

// Sweeping the bucket costs a request or two.
const (
	sweepEvery = 6 * time.Hour
	// sweepOlder is much longer than an attempt at a recording may take.
	sweepOlder = 48 * time.Hour
	// sweepFirst is when a process sweeps first: it has other things to do when it
	// starts.
	sweepFirst = time.Minute
	sweepTime  = 10 * time.Minute
)

// SweepUploads takes back uploads that were cut, now and then until ctx ends.
func SweepUploads(ctx context.Context, s *storage.Store, log *slog.Logger) error {
	return everySweep(ctx, func(ctx context.Context, before time.Time) { sweepOnce(ctx, s, before, log) })
}

// everySweep calls sweep now and then until ctx ends, for what is older than before.
func everySweep(ctx context.Context, sweep func(ctx context.Context, before time.Time)) error {
	next := time.NewTimer(sweepFirst)
	defer next.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-next.C:
		}
		timed, cancel := context.WithTimeout(ctx, sweepTime)
		sweep(timed, clock.Now().Add(-sweepOlder))
		cancel()
		next.Reset(sweepEvery)
	}
}

func sweepOnce(ctx context.Context, s *storage.Store, before time.Time, log *slog.Logger) {
	n, err := s.Sweep(ctx, before)
	if n > 0 {
		log.InfoContext(ctx, "uploads that were cut have been taken back", "bucket", s.URL(""), "uploads", n)
	}
	if err != nil {
		log.WarnContext(ctx, "the bucket couldn't be swept of uploads that were cut; a rule of the bucket's may do it", "bucket", s.URL(""), "error", err)
	}
}
