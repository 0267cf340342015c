package spool

import (
	"context"
	"errors"
	"path/filepath"

	"github.com/fsnotify/fsnotify"
)

// watch is the notifications about the tree.
type watch struct {
	w    *fsnotify.Watcher
	left int // directories that may still be added
}

// maxWatched bounds the directories that are watched: the system has so many for all
// programs of a user. Others are swept.
const maxWatched = 4096

// notifications gives a hint whenever something has changed, until ctx ends. Nil: the
// system has none.
func (s *Spool) notifications(ctx context.Context) <-chan struct{} {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		s.opts.Logger.InfoContext(ctx, "the system doesn't tell when something changes in the spool: it is looked at every so often", "spool", s.dir, "every", s.opts.Every.String(), "error", err)
		return nil
	}
	s.watch = &watch{w: w, left: maxWatched}
	hints := make(chan struct{}, 1)
	hint := func() {
		select {
		case hints <- struct{}{}:
		default: // one is there already
		}
	}
	go func() {
		defer w.Close() //nolint:errcheck // it ends
		for {
			select {
			case <-ctx.Done():
				return
			case _, ok := <-w.Events:
				if !ok {
					return
				}
				hint()
			case err, ok := <-w.Errors:
				if !ok {
					return
				}
				if errors.Is(err, fsnotify.ErrEventOverflow) {
					s.stats.overflows.Add(1)
				}
				hint()
			}
		}
	}()
	return hints
}

// watchDir has the system tell when something changes in the directory.
func (s *Spool) watchDir(dir string, st *dirState) {
	if s.watch == nil || st.watched || s.watch.left == 0 {
		return
	}
	st.watched = true // tried once: without a watch it is swept
	s.watch.left--
	_ = s.watch.w.Add(filepath.Join(s.dir, filepath.FromSlash(dir)))
}
