package simulation

import (
	"context"
	"fmt"
	"time"
)

// process is one life of a process. What it does after its death has no effect: all its
// ports are closed.
type process struct {
	world *world
	name  string
	life  int // from 1
	ctx   context.Context
	end   context.CancelFunc // tells it to end
	died  chan struct{}
	dead  bool
	ended bool
	// stopped is until when its calls aren't answered, as if it had been stopped by a signal.
	stopped time.Time
	run     func(*process)
}

func (p *process) String() string { return fmt.Sprintf("%s.%d", p.name, p.life) }

// isDead reports whether it was killed.
func (p *process) isDead() bool {
	select {
	case <-p.died:
		return true
	default:
		return false
	}
}

// start starts a process, and again whenever it has ended.
func (w *world) start(name string, life int, run func(*process)) {
	ctx, cancel := context.WithCancel(context.Background())
	p := &process{world: w, name: name, life: life, ctx: ctx, end: cancel, died: make(chan struct{}), run: run}
	w.lives[name] = p
	w.processes.Go(func() {
		run(p)
		cancel()
		w.mu.Lock()
		again := !p.dead && !p.ended
		p.ended = true
		w.mu.Unlock()
		if again {
			p.again()
		}
	})
}

// die ends the process at once. It is called by the one goroutine that runs.
func (p *process) die() {
	p.world.mu.Lock()
	again := !p.dead && !p.ended
	p.dead = true
	p.world.mu.Unlock()
	if !again {
		return
	}
	close(p.died)
	p.end()
	p.world.buried(p)
	p.again()
}

// again starts the process's next life after a while.
func (p *process) again() {
	w := p.world
	w.mu.Lock()
	closing := w.closing
	w.mu.Unlock()
	if closing {
		return
	}
	wait := w.between(100*time.Millisecond, 40*time.Second, "restart", p.String())
	w.at(time.Now().Add(wait), fmt.Sprintf("%s.%d begins", p.name, p.life+1), func() { w.start(p.name, p.life+1, p.run) })
}
