package service

import (
	"context"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
)

// Hangups is the process's SIGHUPs. It is made before anything else, so that a
// SIGHUP at the start doesn't end the process either.
type Hangups chan os.Signal

// CatchHangups catches the signals from now on.
func CatchHangups() Hangups {
	c := make(Hangups, 1)
	signal.Notify(c, syscall.SIGHUP)
	return c
}

// Reload is something that is read again at SIGHUP.
type Reload struct {
	Name string
	Do   func() error
}

// Run reads everything again at each signal, until ctx ends. What can't be read
// stays as it is, and is logged.
func (h Hangups) Run(ctx context.Context, log *slog.Logger, list ...Reload) error {
	defer signal.Stop(h)
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-h:
		}
		for _, r := range list {
			if err := r.Do(); err != nil {
				log.ErrorContext(ctx, r.Name+" can't be read again; those in use stay", "error", err)
				continue
			}
			log.InfoContext(ctx, r.Name+" read again")
		}
	}
}
