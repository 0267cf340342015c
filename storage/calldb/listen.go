package calldb

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
)

// jobsChannel is the channel on which PostgreSQL tells of every job that can run those who
// listen to any queue, and programs before this one. The payload is the queue.
const jobsChannel = "switchtape_jobs"

// queueChannel is the channel of one queue, so that PostgreSQL doesn't send each of some
// hundred telephone servers what is told to all. A channel's name has 63 bytes at most.
func queueChannel(queue string) string {
	sum := sha256.Sum256([]byte(queue))
	return jobsChannel + "_" + hex.EncodeToString(sum[:12])
}

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
	wakeWorkers = 8
	// fleetEvery is how often a listener counts the fleet, about, while it is told of jobs,
	// fleetSpread within which time, and fleetQueues bounds the queues whose workers it
	// remembers.
	fleetEvery  = time.Minute
	fleetSpread = 10 * time.Second
	fleetQueues = 1000
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
	_, err := t.exec(ctx, "SELECT pg_notify('"+jobsChannel+"', ?), pg_notify(?, ?)", queue, queueChannel(queue), queue)
	return err
}

// tell tells the listeners of jobs that were committed a moment ago. That it can't is
// no fault of theirs.
func (d *DB) tell(queues []string) {
	ctx, cancel := context.WithTimeout(context.Background(), ringWait)
	defer cancel()
	channels := make([]string, len(queues))
	for i, q := range queues {
		channels[i] = queueChannel(q)
	}
	_, _ = d.write.ExecContext(ctx, "SELECT pg_notify('"+jobsChannel+"', queue), pg_notify(channel, queue) FROM unnest($1::text[], $2::text[]) AS told(queue, channel)", queues, channels)
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
	channels := []string{jobsChannel}
	if len(queues) > 0 {
		channels = channels[:0]
		for _, q := range queues {
			channels = append(channels, queueChannel(q))
		}
	}
	for _, c := range channels {
		if _, err := conn.Exec(ctx, "LISTEN "+c); err != nil {
			return d.fail("listen for jobs", err)
		}
	}
	fleet := &census{}
	fleet.take(ctx, d)
	for rung(); ; {
		n, err := conn.WaitForNotification(ctx)
		if err != nil {
			return d.fail("listen for jobs", err)
		}
		if rand.IntN(max(fleet.workers(n.Payload), 1)) < wakeWorkers { //nolint:gosec // no secret
			rung()
		}
		fleet.take(ctx, d) // for the next one: who counted now would make every job wait that all are told of
	}
}

// census is how many workers there are for each queue, as it was a while ago. Until it is
// known every job wakes the worker.
type census struct {
	mu    sync.Mutex
	taken bool // a moment ago, or soon will be
	there []ledger.Presence
	known map[string]int
}

// take counts the fleet if that was long ago, some time from now, so that not all
// listeners do it at once.
func (c *census) take(ctx context.Context, d *DB) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.taken {
		return
	}
	c.taken = true
	time.AfterFunc(rand.N(fleetSpread), func() { //nolint:gosec // no secret
		there, err := d.Fleet(ctx)
		c.mu.Lock()
		defer c.mu.Unlock()
		if err == nil {
			c.there, c.known = there, map[string]int{}
		}
		time.AfterFunc(fleetAgain(), func() {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.taken = false
		})
	})
}

// workers is how many workers serve the queue, 0 if that isn't known.
func (c *census) workers(queue string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	n, counted := c.known[queue]
	if !counted {
		n = workersOf(c.there, queue)
		if c.known != nil && len(c.known) < fleetQueues {
			c.known[queue] = n
		}
	}
	return n
}

// fleetAgain is after how long the fleet is counted again.
func fleetAgain() time.Duration {
	return fleetEvery/2 + rand.N(fleetEvery) //nolint:gosec // no secret
}

// workersOf is how many workers of the fleet serve the queue.
func workersOf(there []ledger.Presence, queue string) (n int) {
	for i := range there {
		p := &there[i]
		if p.Role == ledger.RoleWorker && (len(p.Queues) == 0 || slices.Contains(p.Queues, queue)) {
			n++
		}
	}
	return n
}
