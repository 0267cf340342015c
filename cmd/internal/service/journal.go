package service

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/switchtape/switchtape/routing/callservice/journal"
)

// lateJournal is a journal whose directory may not be usable when the service
// starts: calls are answered all the same, and it is opened as soon as it can be.
type lateJournal struct {
	dir    string
	opts   journal.Options
	log    *slog.Logger
	opened atomic.Pointer[journal.Journal]
	// found takes up what is in the journal, once it is open; set before Run.
	found func(ctx context.Context) error
}

var errNotOpen = errors.New("the journal can't be opened yet")

// openJournal opens the journal now, if that goes. Another process's is an error:
// waiting doesn't mend that.
func openJournal(ctx context.Context, dir string, reserveMB int64, log *slog.Logger) (*lateJournal, error) {
	l := &lateJournal{dir: dir, opts: journal.Options{Reserve: reserveMB << 20}, log: log}
	j, err := journal.Open(dir, &l.opts)
	switch {
	case errors.Is(err, journal.ErrLocked):
		return nil, err
	case err != nil:
		log.ErrorContext(ctx, "the journal can't be opened; until it can, what is answered and not stored is in memory alone", "directory", dir, "error", err)
	default:
		l.opened.Store(j)
	}
	return l, nil
}

// Append implements callservice.Journal.
func (l *lateJournal) Append(body []byte) (seq uint64, err error) {
	if j := l.opened.Load(); j != nil {
		return j.Append(body)
	}
	return 0, errNotOpen
}

// Done implements callservice.Journal.
func (l *lateJournal) Done(seq uint64) {
	if j := l.opened.Load(); j != nil {
		j.Done(seq)
	}
}

// Pending implements callservice.Journal. Nothing is pending in a journal that
// isn't open.
func (l *lateJournal) Pending(after uint64, limit int) ([]journal.Entry, error) {
	if j := l.opened.Load(); j != nil {
		return j.Pending(after, limit)
	}
	return nil, nil
}

// Run implements callservice.Journal.
func (l *lateJournal) Run(ctx context.Context) error {
	for l.opened.Load() == nil {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(retryWait):
		}
		j, err := journal.Open(l.dir, &l.opts)
		if err != nil {
			continue // it was said at the start, and each call in vain is counted
		}
		l.opened.Store(j)
		l.log.InfoContext(ctx, "the journal is open", "directory", l.dir)
		if err := l.found(ctx); err != nil {
			l.log.ErrorContext(ctx, "a part of the journal can't be read; it stays there", "directory", l.dir, "error", err)
		}
	}
	return l.opened.Load().Run(ctx)
}

// reserve is the disk space that is held for entries to come, in bytes.
func (l *lateJournal) reserve() float64 {
	if j := l.opened.Load(); j != nil {
		return float64(j.Stats().Reserve)
	}
	return 0
}

// syncFailures is how often the disk failed to sync.
func (l *lateJournal) syncFailures() float64 {
	if j := l.opened.Load(); j != nil {
		return float64(j.Stats().SyncFailures)
	}
	return 0
}

// Close closes the journal, if it was opened.
func (l *lateJournal) Close() error {
	if j := l.opened.Load(); j != nil {
		return j.Close()
	}
	return nil
}
