package recording

import (
	"context"
	"sync"
)

// pump moves the buses forward in step, block by block, to their ends.
type pump struct {
	buses   []*bus
	block   int
	fastest *bus // whose frames block counts
	steps   int64
	reports []Progress
	// check must have no error before the readers may finish.
	check func() error

	mu    sync.Mutex
	ended bool // nobody may read the legs any more
}

func (p *Processor) newPump(call *timedCall, buses []*bus, o *ProcessOptions) *pump {
	u := &pump{buses: buses, block: p.block, fastest: buses[0], check: func() error { return checkFinished(call, o) }}
	for _, b := range buses {
		if b.rate > u.fastest.rate {
			u.fastest = b
		}
	}
	for _, report := range []Progress{p.progress, o.Progress} {
		if report != nil {
			u.reports = append(u.reports, report)
		}
	}
	return u
}

// finished reports whether every bus is at its end.
func (u *pump) finished() bool {
	for _, b := range u.buses {
		if b.done < b.total {
			return false
		}
	}
	return true
}

// step renders the next block of every bus.
func (u *pump) step(ctx context.Context) error {
	u.steps++
	for _, b := range u.buses {
		until := min(b.total, u.steps*int64(u.block)*int64(b.rate)/int64(u.fastest.rate))
		if err := b.advance(ctx, until); err != nil {
			return err
		}
	}
	for _, report := range u.reports {
		report(u.fastest.done, u.fastest.total)
	}
	return nil
}

// drive renders everything for readers that have goroutines of their own. They
// have ended when it returns. If it fails it cancels ctx with the cause.
func (u *pump) drive(ctx context.Context, cancel context.CancelCauseFunc, readers []*reader) {
	for _, r := range readers {
		go r.work(ctx, cancel)
	}
	var err error
	for err == nil && !u.finished() {
		err = u.step(ctx)
	}
	if err == nil {
		err = u.check()
	}
	if err != nil {
		cancel(err) // and leave blocks open: to close them would say that all is there
	} else {
		for _, r := range readers {
			close(r.blocks)
		}
	}
	for _, r := range readers {
		<-r.done
	}
}

// serve lets the only reader render each block as it takes it. To wake a goroutine
// for every block would cost a quarter of what it takes to mix two files.
func (u *pump) serve(ctx context.Context, cancel context.CancelCauseFunc, r *reader) {
	r.pull = func(ctx context.Context) error {
		err := u.next(ctx, r)
		if err != nil {
			cancel(err) // first, or the store or the encoder would get the blame
		}
		return err
	}
	r.work(ctx, cancel)
	// A store that has given up may still have its write running.
	u.mu.Lock()
	u.ended = true
	u.mu.Unlock()
}

// next puts a block into r.blocks, or closes it at the end.
func (u *pump) next(ctx context.Context, r *reader) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	for len(r.blocks) == 0 {
		switch {
		case u.ended:
			return context.Canceled
		case !u.finished():
			if err := u.step(ctx); err != nil {
				return err
			}
			continue
		}
		if err := u.check(); err != nil {
			return err
		}
		r.pull = nil
		close(r.blocks)
		return nil
	}
	return nil
}
