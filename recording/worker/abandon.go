package worker

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// A system call knows no context: a read of a hung mount, or of a pipe that nobody
// writes to, returns when it likes. So each attempt runs in a goroutine of its own,
// and the worker lets go of one that doesn't end when its context has.

// ended is what an attempt came to.
type ended struct {
	made made
	err  error
}

// bounded does the job within Options.JobTimeout. An attempt that has not
// returned Options.LetGo after that, or after ctx has ended, is abandoned: nobody
// hears of its result any more.
func (w *Worker) bounded(ctx context.Context, d doing) (m made, abandoned bool, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, w.opts.JobTimeout, errTimeout)
	defer cancel()
	end := make(chan ended, 1)
	go func() {
		m, err := guarded(ctx, d)
		end <- ended{m, err}
	}()
	select {
	case e := <-end:
		return e.made, false, w.timedOut(ctx, e.err)
	case <-ctx.Done():
	}
	late := time.NewTimer(w.letGo(ctx))
	defer late.Stop()
	select {
	case e := <-end:
		return e.made, false, w.timedOut(ctx, e.err)
	case <-late.C:
	}
	a, n := d.leased(), w.hung.add(1)
	w.opts.Logger.ErrorContext(ctx, "an attempt doesn't end, and is abandoned: a file or a server that it reads or writes hangs",
		"job", a.Job.ID, "tenant", a.Job.TenantID, "call", a.Job.CallID, "elapsed", a.elapsed(), "abandoned", n)
	go func() {
		<-end
		w.hung.add(-1)
		ring(w.freed)
		w.opts.Logger.InfoContext(ctx, "an abandoned attempt has ended; nothing is made of it", "job", a.Job.ID, "elapsed", a.elapsed())
	}()
	return made{}, true, w.timedOut(ctx, fmt.Errorf("%w; it was abandoned", context.Cause(ctx)))
}

// timedOut explains the error of an attempt that took too long.
func (w *Worker) timedOut(ctx context.Context, err error) error {
	switch {
	case err == nil, !errors.Is(context.Cause(ctx), errTimeout):
		return err
	case errors.Is(err, errTimeout):
		return fmt.Errorf("after %v: %w", w.opts.JobTimeout, err)
	}
	return fmt.Errorf("%w after %v", errTimeout, w.opts.JobTimeout)
}

// letGo is how long an attempt may take to return whose context has ended.
func (w *Worker) letGo(ctx context.Context) time.Duration {
	if errors.Is(context.Cause(ctx), errDraining) {
		return min(w.opts.LetGo, w.releaseTime()/2) // the rest is for the release
	}
	return w.opts.LetGo
}

// Abandoned is how many attempts the worker has let go of that still haven't
// ended. Each holds memory, and perhaps a thread.
func (w *Worker) Abandoned() int {
	n, _ := w.hung.count()
	return n
}

// Stuck is for how long as many attempts have been abandoned as the worker has
// places, or more; 0 while there are fewer. Such a worker takes one job at a time.
func (w *Worker) Stuck() time.Duration {
	_, since := w.hung.count()
	if since.IsZero() {
		return 0
	}
	return now().Sub(since)
}

// free is how many jobs may be claimed. While the worker is stuck they run one at
// a time, so that what hangs takes few jobs along, and few threads.
func (w *Worker) free() int {
	free := w.opts.Concurrency - w.Running()
	if w.Stuck() > 0 {
		free = min(free, 1-w.Running())
	}
	return free
}

// hungAttempts counts abandoned attempts.
type hungAttempts struct {
	places int

	mu    sync.Mutex
	n     int
	since time.Time // when they became as many as there are places; zero if they aren't
}

func (h *hungAttempts) add(n int) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.n += n
	switch {
	case h.n < h.places:
		h.since = time.Time{}
	case h.since.IsZero():
		h.since = now()
	}
	return h.n
}

func (h *hungAttempts) count() (n int, since time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.n, h.since
}
