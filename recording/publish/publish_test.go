package publish_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/outbox"
	"github.com/switchtape/switchtape/recording/broker"
	"github.com/switchtape/switchtape/recording/broker/brokertest"
	"github.com/switchtape/switchtape/recording/broker/nats"
	"github.com/switchtape/switchtape/recording/publish"
	"github.com/switchtape/switchtape/storage/calldb"
	"github.com/switchtape/switchtape/storage/calldb/memdb"
	"github.com/switchtape/switchtape/storage/storetest"
)

var (
	_ publish.Outbox = (*calldb.DB)(nil)
	_ publish.Outbox = (*memdb.Store)(nil)
)

func openDB(t testing.TB) *calldb.DB {
	t.Helper()
	db, err := calldb.Open(t.Context(), calldb.SQLiteURL(filepath.Join(t.TempDir(), "ledger.db")), nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	_, err = db.Migrate(t.Context())
	require.NoError(t, err)
	return db
}

// made makes recordings, each of which leaves an event.
func made(t testing.TB, db *calldb.DB, from, n int) {
	t.Helper()
	for i := range n {
		_, _, err := db.Enqueue(t.Context(), storetest.Request(fmt.Sprintf("c%04d", from+i)))
		require.NoError(t, err)
	}
	leases, err := db.Claim(t.Context(), ledger.Claim{Worker: "w", Limit: n, TTL: time.Hour})
	require.NoError(t, err)
	require.Len(t, leases, n)
	for _, l := range leases {
		require.NoError(t, db.Complete(t.Context(), l, storetest.Completed(string(l.Job.CallID))))
	}
}

func topic(t testing.TB, hosts string) broker.Topic {
	t.Helper()
	u, err := broker.ParseURL("nats://" + hosts + "?subject=switchtape.events")
	require.NoError(t, err)
	top, err := broker.Drivers{nats.Driver()}.OpenTopic(u)
	require.NoError(t, err)
	return top
}

func options(holder string) publish.Options {
	return publish.Options{Holder: holder, TTL: time.Second, Poll: 5 * time.Millisecond, Batch: 20, Backoff: time.Millisecond, MaxBackoff: 10 * time.Millisecond}
}

func run(t testing.TB, p *publish.Publisher) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		assert.NoError(t, p.Run(ctx))
	}()
	stop = sync.OnceFunc(func() { cancel(); <-done })
	t.Cleanup(stop)
	return stop
}

func keys(t testing.TB, db *calldb.DB) []string {
	t.Helper()
	events, err := db.OutboxEvents(t.Context(), 0, 1000)
	require.NoError(t, err)
	list := make([]string, len(events))
	for i := range events {
		list[i] = events[i].Key
	}
	return list
}

func ids(t testing.TB, s *brokertest.Stream) []string {
	t.Helper()
	var list []string
	for _, m := range s.Messages(t) {
		list = append(list, m.Header.Get(broker.HeaderID))
	}
	return list
}

// Several processes send what is in the outbox, each event once and in its order, and
// what comes later, too.
func TestPublishes(t *testing.T) {
	t.Parallel()
	db, srv := openDB(t), brokertest.NATS(t)
	s := brokertest.NewStream(t, "EVENTS", "switchtape.events", srv)
	made(t, db, 0, 50)
	var stops []func()
	var all []*publish.Publisher
	for _, name := range []string{"a", "b", "c"} {
		p := publish.New(db, "publish", topic(t, srv.Host()), "nats", options(name))
		all = append(all, p)
		stops = append(stops, run(t, p))
	}
	require.Eventually(t, func() bool { return len(s.Messages(t)) == 50 }, brokertest.Within, brokertest.Tick)
	made(t, db, 50, 30)
	require.Eventually(t, func() bool { return len(s.Messages(t)) == 80 }, brokertest.Within, brokertest.Tick)
	require.Equal(t, keys(t, db), ids(t, s))
	m := s.Messages(t)[0]
	assert.Equal(t, "switchtape.events.recording.completed", m.Subject)
	assert.Equal(t, "acme", m.Header.Get(broker.HeaderTenant))
	assert.Equal(t, "c0000", m.Header.Get(broker.HeaderSubject))
	assert.Contains(t, string(m.Data), `"recording.completed"`)
	for _, stop := range stops {
		stop()
	}
	var sent int64
	for _, p := range all {
		n, failures := p.Sent()
		sent += n
		assert.Zero(t, failures)
	}
	assert.EqualValues(t, 80, sent, "nobody sends what another has sent")
	place, err := db.OutboxPlace(t.Context(), "publish")
	require.NoError(t, err)
	assert.Empty(t, place.Holder, "it was left")

	other := brokertest.NewStream(t, "OTHERS", "others", srv)
	u, err := broker.ParseURL("nats://" + srv.Host() + "?subject=others")
	require.NoError(t, err)
	top, err := nats.Driver().OpenTopic(u)
	require.NoError(t, err)
	run(t, publish.New(db, "second", top, "nats", options("a")))
	require.Eventually(t, func() bool { return len(other.Messages(t)) == 80 }, brokertest.Within, brokertest.Tick, "a reader of its own has a place of its own")
}

// A broker that is away loses nothing, and it is told.
func TestBrokerAway(t *testing.T) {
	t.Parallel()
	db, srv := openDB(t), brokertest.NATS(t)
	s := brokertest.NewStream(t, "EVENTS", "switchtape.events", srv)
	p := publish.New(db, "publish", topic(t, srv.Host()), "nats", options("a"))
	run(t, p)
	made(t, db, 0, 5)
	require.Eventually(t, func() bool { return len(s.Messages(t)) == 5 }, brokertest.Within, brokertest.Tick)
	srv.Kill()
	made(t, db, 5, 5)
	require.Eventually(t, func() bool { away, err := p.Away(); return away > 0 && err != nil }, brokertest.Within, brokertest.Tick)
	srv.Start(t)
	require.Eventually(t, func() bool { return len(s.Messages(t)) == 10 }, brokertest.Within, brokertest.Tick)
	require.Equal(t, keys(t, db), ids(t, s))
	require.Eventually(t, func() bool { away, err := p.Away(); return away == 0 && err == nil }, brokertest.Within, brokertest.Tick)
	_, failures := p.Sent()
	require.Positive(t, failures)
}

var errKilled = errors.New("the process was killed")

// mortal is an outbox and a topic that are out of reach for a process which has died.
type mortal struct {
	publish.Outbox
	broker.Topic

	kill func()
	mu   sync.Mutex
	rng  *rand.Rand
	dead bool
	seen *[]string // what the broker has got, in its order
}

func (m *mortal) step() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.dead && m.rng.IntN(60) == 0 {
		m.dead = true
		m.kill()
	}
	if m.dead {
		return errKilled
	}
	return nil
}

func (m *mortal) Send(ctx context.Context, o *broker.Outgoing) error {
	if err := m.step(); err != nil {
		return err
	}
	if err := m.Topic.Send(ctx, o); err != nil {
		return err
	}
	*m.seen = append(*m.seen, o.ID)
	return m.step()
}

func (m *mortal) AdvanceOutbox(ctx context.Context, r outbox.Reader, through int64) error {
	if err := m.step(); err != nil {
		return err
	}
	if err := m.Outbox.AdvanceOutbox(ctx, r, through); err != nil {
		return err
	}
	return m.step()
}

func (m *mortal) LeaveOutbox(ctx context.Context, r outbox.Reader) error {
	if m.step() != nil {
		return errKilled
	}
	return m.Outbox.LeaveOutbox(ctx, r)
}

// Killed between sending and noting it, by seed: every event is sent, again with the same
// id, and what is sent first is in order.
func TestKilledBetweenTwoSteps(t *testing.T) {
	t.Parallel()
	events := brokertest.DrillMessages()
	db, srv := openDB(t), brokertest.NATS(t)
	s := brokertest.NewStream(t, "EVENTS", "switchtape.events", srv)
	made(t, db, 0, events)
	rng := rand.New(rand.NewPCG(1, 2))
	var seen []string
	lives := 0
	for ; ; lives++ {
		place, err := db.OutboxPlace(t.Context(), "publish")
		require.NoError(t, err)
		if left, err := db.OutboxEvents(t.Context(), place.Through, 1); err == nil && len(left) == 0 {
			break
		}
		ctx, kill := context.WithCancel(t.Context())
		m := &mortal{Outbox: db, Topic: topic(t, srv.Host()), kill: kill, rng: rand.New(rand.NewPCG(rng.Uint64(), 3)), seen: &seen}
		// One life that takes another's place waits until that has been silent for its TTL:
		// the same name is the same process, started anew.
		o := options("a")
		done := make(chan struct{})
		p := publish.New(m, "publish", m, "nats", o)
		go func() {
			defer close(done)
			assert.NoError(t, p.Run(ctx))
		}()
		require.Eventually(t, func() bool {
			select {
			case <-done:
				return true
			default:
			}
			at, err := db.OutboxPlace(t.Context(), "publish")
			left, lerr := db.OutboxEvents(t.Context(), at.Through, 1)
			return err == nil && lerr == nil && len(left) == 0
		}, brokertest.Within, brokertest.Tick)
		kill()
		<-done
	}
	want := keys(t, db)
	require.Equal(t, want, ids(t, s), "each once in the stream, which knows their ids")
	var first []string
	known := map[string]bool{}
	for _, id := range seen {
		if !known[id] {
			known[id], first = true, append(first, id)
		}
	}
	require.Equal(t, want, first)
	again := len(seen) - len(first)
	t.Logf("%d lives, %d events, of which %d were sent again", lives, events, again)
	require.Positive(t, again)
	require.Greater(t, lives, 2)
}

// A process that is silent is followed by another after its TTL.
func TestSilentProcessIsFollowed(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)
	var mu sync.Mutex
	db := memdb.New(func() time.Time { mu.Lock(); defer mu.Unlock(); return now })
	_, _, err := db.Enqueue(t.Context(), storetest.Request("c1"))
	require.NoError(t, err)
	leases, err := db.Claim(t.Context(), ledger.Claim{Worker: "w", TTL: time.Hour})
	require.NoError(t, err)
	require.NoError(t, db.Complete(t.Context(), leases[0], storetest.Completed("c1")))
	_, err = db.TakeOutbox(t.Context(), outbox.Reader{Name: "publish", Holder: "silent", TTL: time.Minute})
	require.NoError(t, err)
	srv := brokertest.NATS(t)
	s := brokertest.NewStream(t, "EVENTS", "switchtape.events", srv)
	run(t, publish.New(db, "publish", topic(t, srv.Host()), "nats", options("b")))
	mu.Lock()
	now = now.Add(time.Minute + time.Second)
	mu.Unlock()
	require.Eventually(t, func() bool { return len(s.Messages(t)) == 1 }, brokertest.Within, brokertest.Tick)
	require.ErrorIs(t, db.AdvanceOutbox(t.Context(), outbox.Reader{Name: "publish", Holder: "silent"}, 9), callmodel.ErrLeaseLost)
	require.False(t, slices.Contains(ids(t, s), ""))
}

// hanging is an outbox that doesn't answer a use of it, once, until that is given up.
type hanging struct {
	publish.Outbox

	use  string
	hung atomic.Bool
}

func (h *hanging) hang(ctx context.Context, use string) error {
	if use != h.use || !h.hung.CompareAndSwap(false, true) {
		return nil
	}
	<-ctx.Done()
	return ctx.Err()
}

func (h *hanging) OutboxEvents(ctx context.Context, after int64, limit int) ([]callmodel.OutboxEvent, error) {
	if err := h.hang(ctx, "events"); err != nil {
		return nil, err
	}
	return h.Outbox.OutboxEvents(ctx, after, limit)
}

func (h *hanging) OutboxPlace(ctx context.Context, name string) (outbox.Place, error) {
	if err := h.hang(ctx, "place"); err != nil {
		return outbox.Place{}, err
	}
	return h.Outbox.OutboxPlace(ctx, name)
}

func (h *hanging) TakeOutbox(ctx context.Context, r outbox.Reader) (outbox.Place, error) {
	if err := h.hang(ctx, "take"); err != nil {
		return outbox.Place{}, err
	}
	return h.Outbox.TakeOutbox(ctx, r)
}

func (h *hanging) AdvanceOutbox(ctx context.Context, r outbox.Reader, through int64) error {
	if err := h.hang(ctx, "advance"); err != nil {
		return err
	}
	return h.Outbox.AdvanceOutbox(ctx, r, through)
}

func (h *hanging) LeaveOutbox(ctx context.Context, r outbox.Reader) error {
	if err := h.hang(ctx, "leave"); err != nil {
		return err
	}
	return h.Outbox.LeaveOutbox(ctx, r)
}

// A database that doesn't answer is given up in time, and asked again: nothing waits for it
// for ever, whatever was asked of it.
func TestOutboxThatHangs(t *testing.T) {
	t.Parallel()
	for _, use := range []string{"events", "place", "take", "advance", "leave"} {
		t.Run(use, func(t *testing.T) {
			t.Parallel()
			db, srv := openDB(t), brokertest.NATS(t)
			s := brokertest.NewStream(t, "EVENTS", "switchtape.events", srv)
			made(t, db, 0, 10)
			box := &hanging{Outbox: db, use: use}
			o := options("a")
			o.TTL = 300 * time.Millisecond
			p := publish.New(box, "publish", topic(t, srv.Host()), "nats", o)
			stop := run(t, p)
			want := keys(t, db)
			require.Eventually(t, func() bool {
				got := ids(t, s)
				slices.Sort(got)
				place, err := db.OutboxPlace(t.Context(), "publish")
				require.NoError(t, err)
				return len(slices.Compact(got)) == len(want) && !place.More
			}, brokertest.Within, brokertest.Tick)
			stop()
			assert.True(t, box.hung.Load(), "it hung, and was given up")
		})
	}
}
