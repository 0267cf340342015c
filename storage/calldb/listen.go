package calldb

import (
	"context"
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
	// ringEvery is how often a process tells of a queue at most: every NOTIFY makes its
	// commit wait for those of others. Who was told looks again a little later.
	ringEvery = 100 * time.Millisecond
	// ringQueues bounds the queues that are remembered.
	ringQueues = 1000
	// wakeWorkers is how many workers one job wakes, about, of a fleet that has more:
	// the others needn't all ask for it. That many find it soon even if none is woken, by
	// their slow polls.
	wakeWorkers = 16
	// fleetEvery is how often a listener counts the fleet, when it is told of a job.
	fleetEvery = time.Minute
)

// bells remember of which queues this process told a moment ago. Timers make that
// moment: nothing here looks at the machine's clock.
type bells struct {
	mu   sync.Mutex
	told map[string]struct{}
}

// due reports whether the queue is to be told of, and notes that it is.
func (b *bells) due(queue string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, told := b.told[queue]; told {
		return false
	}
	if b.told == nil {
		b.told = map[string]struct{}{}
	}
	if len(b.told) < ringQueues {
		b.told[queue] = struct{}{}
		time.AfterFunc(ringEvery, func() {
			b.mu.Lock()
			defer b.mu.Unlock()
			delete(b.told, queue)
		})
	}
	return true
}

// ring tells the listeners, at the commit, that a job in the queue can run.
func (t *tx) ring(ctx context.Context, queue string) error {
	if !t.p.d.notifies || !t.bells.due(queue) {
		return nil
	}
	_, err := t.exec(ctx, "SELECT pg_notify('"+jobsChannel+"', ?)", queue)
	return err
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
