package calldb

import (
	"context"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
)

// jobsChannel is the channel on which PostgreSQL tells listeners of jobs that can run.
// The payload is the queue.
const jobsChannel = "switchtape_jobs"

const (
	// ringEvery is how often a process tells of jobs at most: every NOTIFY wakes the
	// connection of each listener, whatever its queues are, and makes its commit wait for
	// those of others.
	ringEvery = 50 * time.Millisecond
	// ringWait bounds the telling of what was held back.
	ringWait = 5 * time.Second
	// wakeWorkers is how many workers one job wakes, about, of a fleet that has more:
	// the others needn't all ask for it. That many find it soon even if none is woken, by
	// their slow polls.
	wakeWorkers = 16
	// fleetEvery is how often a listener counts the fleet, when it is told of a job.
	fleetEvery = time.Minute
)

// bells tell of a job at once, in its own transaction, and of those that come within
// ringEvery of it together, once they are committed. Timers make that time: nothing here
// looks at the machine's clock.
type bells struct {
	mu   sync.Mutex
	rang bool                // within the last ringEvery
	held map[string]struct{} // queues to tell of at its end
}

// first reports whether nothing was told of within ringEvery, and notes that something
// is now. tell gets what is held back until the end of it.
func (b *bells) first(tell func(queues []string)) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.rang {
		return false
	}
	b.rang = true
	time.AfterFunc(ringEvery, func() { b.next(tell) })
	return true
}

// next tells of what was held back, if there is anything.
func (b *bells) next(tell func(queues []string)) {
	b.mu.Lock()
	queues := slices.Collect(maps.Keys(b.held))
	b.held = nil
	b.rang = len(queues) > 0
	b.mu.Unlock()
	if len(queues) > 0 {
		time.AfterFunc(ringEvery, func() { b.next(tell) })
		tell(queues)
	}
}

// hold keeps queues to be told of, whose jobs are committed.
func (b *bells) hold(queues []string, tell func(queues []string)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.held == nil {
		b.held = map[string]struct{}{}
	}
	for _, q := range queues {
		b.held[q] = struct{}{}
	}
	if !b.rang { // the time has passed while they were committed
		b.rang = true
		time.AfterFunc(0, func() { b.next(tell) })
	}
}

// ring tells the listeners, at the commit or soon after it, that a job in the queue
// can run. A process that dies in between has told nobody: slow polls find the job.
func (t *tx) ring(ctx context.Context, queue string) error {
	if !t.p.d.notifies {
		return nil
	}
	if !t.bells.first(t.tell) {
		t.held = append(t.held, queue)
		return nil
	}
	_, err := t.exec(ctx, "SELECT pg_notify('"+jobsChannel+"', ?)", queue)
	return err
}

// tell tells the listeners of jobs that were committed a moment ago. That it can't is
// no fault of theirs.
func (d *DB) tell(queues []string) {
	ctx, cancel := context.WithTimeout(context.Background(), ringWait)
	defer cancel()
	_, _ = d.write.ExecContext(ctx, "SELECT pg_notify('"+jobsChannel+"', queue) FROM unnest($1::text[]) AS queue", queues)
}

// Listen implements worker.Doorbell on PostgreSQL, over a connection of its own: it
// calls rung when it listens, and then when a job can run in one of the queues (none:
// in any), until the connection is lost or ctx ends. In a large fleet each job rings at
// a part of the workers. SQLite tells nobody: CodeUnsupported.
func (d *DB) Listen(ctx context.Context, queues []string, rung func()) error {
	if d.listenTo == nil {
		return callmodel.Errorf(callmodel.CodeUnsupported, "calldb: %s tells nobody of new jobs", d.name)
	}
	conn, err := pgx.ConnectConfig(ctx, d.listenTo.Copy())
	if err != nil {
		return d.fail("connect to listen for jobs", err)
	}
	defer conn.Close(context.WithoutCancel(ctx)) //nolint:errcheck // it is done with
	if _, err := conn.Exec(ctx, "LISTEN "+jobsChannel); err != nil {
		return d.fail("listen for jobs", err)
	}
	workers, counted := 0, false
	again := time.NewTicker(fleetEvery)
	defer again.Stop()
	for rung(); ; {
		n, err := conn.WaitForNotification(ctx)
		if err != nil {
			return d.fail("listen for jobs", err)
		}
		if len(queues) > 0 && !slices.Contains(queues, n.Payload) {
			continue
		}
		select {
		case <-again.C:
			counted = false
		default:
		}
		if !counted {
			counted, workers = true, d.workersOf(ctx, n.Payload)
		}
		if rand.IntN(max(workers, 1)) < wakeWorkers { //nolint:gosec // no secret
			rung()
		}
	}
}

// workersOf is how many workers serve the queue, 0 if that isn't known.
func (d *DB) workersOf(ctx context.Context, queue string) (n int) {
	there, err := d.Fleet(ctx)
	if err != nil {
		return 0
	}
	for i := range there {
		p := &there[i]
		if p.Role == ledger.RoleWorker && (len(p.Queues) == 0 || slices.Contains(p.Queues, queue)) {
			n++
		}
	}
	return n
}
