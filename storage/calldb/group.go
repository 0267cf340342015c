package calldb

import (
	"context"
	"errors"
	"slices"
	"sync"
)

// groupMost bounds how many transactions share one commit.
const groupMost = 64

// group makes one commit of the transactions that wait for SQLite's only
// writer, so that they share its fsync. Each succeeds or fails by itself,
// in a savepoint. There is no goroutine: the first one to come leads, runs what is
// queued with its own, and hands the lead to the next one waiting.
type group struct {
	d *DB

	mu      sync.Mutex
	leading bool
	queue   []*member
}

type member struct {
	ctx  context.Context //nolint:containedctx // lives only as long as its caller waits
	fn   func(context.Context, *tx) error
	wake chan bool // true: lead; false: err is set
	err  error
}

func (g *group) do(ctx context.Context, fn func(context.Context, *tx) error) error {
	m := &member{ctx: ctx, fn: fn, wake: make(chan bool, 1)}
	g.mu.Lock()
	g.queue = append(g.queue, m)
	lead := !g.leading
	g.leading = true
	g.mu.Unlock()
	if !lead {
		select {
		case lead = <-m.wake:
		case <-ctx.Done():
			if g.withdraw(m) {
				return ctx.Err()
			}
			lead = <-m.wake // it is being written, or was just asked to lead
		}
	}
	if lead {
		g.lead(m) //nolint:contextcheck // it works for others too, whose contexts are their own
	}
	return m.err
}

// withdraw takes m out of the queue, if nobody has begun with it.
func (g *group) withdraw(m *member) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	i := slices.Index(g.queue, m)
	if i < 0 || len(m.wake) > 0 {
		return false
	}
	g.queue = slices.Delete(g.queue, i, i+1)
	return true
}

// lead runs one batch, which holds m, and passes the lead on.
func (g *group) lead(m *member) {
	g.mu.Lock()
	n := min(len(g.queue), groupMost)
	batch := g.queue[:n:n]
	g.queue = append([]*member(nil), g.queue[n:]...)
	g.mu.Unlock()

	g.run(batch)

	for _, other := range batch {
		if other != m {
			other.wake <- false
		}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.queue) == 0 {
		g.leading = false
		return
	}
	g.queue[0].wake <- true // stays queued: it runs its own batch
}

// run commits the batch and sets every member's err.
func (g *group) run(batch []*member) {
	// A statement that a context interrupts would make SQLite undo the whole
	// transaction under the others, so the statements don't see it. They are
	// short, and the wait for the lock is bounded by the busy timeout.
	ctx := context.Background()
	if len(batch) == 1 {
		ctx = context.WithoutCancel(batch[0].ctx)
	}
	var err error
	if live(batch) {
		err = g.commit(ctx, batch)
	}
	for _, m := range batch {
		if err != nil && !errors.Is(m.err, context.Canceled) && !errors.Is(m.err, context.DeadlineExceeded) {
			m.err = err // nothing of the batch is stored
		}
	}
}

// live marks the members whose context has ended and reports whether any is left.
func live(batch []*member) bool {
	left := false
	for _, m := range batch {
		m.err = m.ctx.Err()
		left = left || m.err == nil
	}
	return left
}

func (g *group) commit(ctx context.Context, batch []*member) error {
	t, err := g.d.write.begin(ctx)
	if err != nil {
		return err
	}
	w := g.d.newTx(g.d.write, t)
	stored := false
	for _, m := range batch {
		if m.err != nil {
			continue
		}
		if m.err = m.savepoint(ctx, w); m.err == nil {
			stored = true
		} else if errors.Is(m.err, errUndone) {
			return errors.Join(m.err, rolledBack(t))
		}
	}
	if !stored { // every one failed, and each keeps its own error
		return rolledBack(t)
	}
	if err := t.Commit(); err != nil {
		return errors.Join(err, rolledBack(t))
	}
	return nil
}

// errUndone: the database has undone the whole transaction by itself.
var errUndone = errors.New("the transaction was undone")

// savepoint runs one member so that only its own writes are undone if it fails.
func (m *member) savepoint(ctx context.Context, w *tx) error {
	if _, err := w.exec(ctx, "SAVEPOINT member"); err != nil {
		return errors.Join(errUndone, err)
	}
	if err := m.fn(ctx, w); err != nil {
		_, undo := w.exec(ctx, "ROLLBACK TO member")
		if undo == nil {
			_, undo = w.exec(ctx, "RELEASE member")
		}
		if undo == nil {
			return err
		}
		if codedIn(err) != nil { // this member's own affair, not the batch's
			err = nil
		}
		return errors.Join(errUndone, err, undo)
	}
	if _, err := w.exec(ctx, "RELEASE member"); err != nil {
		return errors.Join(errUndone, err)
	}
	return nil
}
