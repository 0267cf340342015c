package service

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/switchtape/switchtape/callmodel/seals"
	"github.com/switchtape/switchtape/cmd/internal/clock"
	"github.com/switchtape/switchtape/cmd/internal/ops"
)

const (
	// sealEvery is how long a line of the audit log waits for its seal, about.
	sealEvery = 10 * time.Second
	// tellEvery is how often the log tells of the newest seal. It is where somebody finds
	// it who wants to know whether the end of the audit log was cut off, and it is in
	// another place than the database.
	tellEvery = 10 * time.Minute
)

// auditLog is what a sealer seals.
type auditLog interface {
	SealAudit(ctx context.Context) (seal *seals.Seal, more bool, err error)
}

// sealer seals the audit log. Every process of a fleet has one; who comes first makes a
// seal.
type sealer struct {
	audit  auditLog
	log    *slog.Logger
	last   atomic.Int64 // Unix time of the last attempt that didn't fail
	told   time.Time
	failed bool
}

func newSealer(a auditLog, m *ops.Metrics, log *slog.Logger) *sealer {
	s := &sealer{audit: a, log: log}
	s.last.Store(clock.Now().Unix())
	m.Gauge("switchtape_audit_unsealed_seconds", func() float64 {
		return max(clock.Now().Sub(time.Unix(s.last.Load(), 0)).Seconds()-sealEvery.Seconds(), 0)
	})
	return s
}

// run seals until ctx ends.
func (s *sealer) run(ctx context.Context) error {
	every := time.NewTicker(sealEvery)
	defer every.Stop()
	for {
		s.once(ctx)
		select {
		case <-ctx.Done():
			return nil
		case <-every.C:
		}
	}
}

// once seals what there is.
func (s *sealer) once(ctx context.Context) {
	for more := true; more; {
		var seal *seals.Seal
		var err error
		seal, more, err = s.audit.SealAudit(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			if !s.failed {
				s.log.WarnContext(ctx, "the audit log can't be sealed; it is tried again", "error", err)
			}
			s.failed = true
			return
		}
		s.failed = false
		now := clock.Now()
		s.last.Store(now.Unix())
		if seal != nil && !more && now.Sub(s.told) >= tellEvery {
			s.told = now
			s.log.InfoContext(ctx, "audit log sealed", "seal", seal.Seq, "to_line", seal.ToID, "hash", seal.Hash)
		}
	}
}
