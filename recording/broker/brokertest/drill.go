package brokertest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/deadletter"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording/broker"
	"github.com/switchtape/switchtape/recording/intake"
	"github.com/switchtape/switchtape/recording/task"
)

// Drilled is what a drill is done with.
type Drilled struct {
	Broker   Broker
	Seed     uint64
	Messages int // that ask for recordings; some are sent twice, and malformed ones are between them
	Ledger   interface {
		intake.Ledger
		Jobs(ctx context.Context, f ledger.Filter) ([]ledger.Job, error)
	}
	Letters interface {
		intake.DeadLetters
		intake.Desk
	}
	// Disturb does something to the broker at the beginning of a life, as stopping it for
	// a while. Nil for nothing.
	Disturb func(t *testing.T, life int)
}

// errKilled is what a process sees that was killed: nothing, but Go has to say something.
var errKilled = errors.New("the process was killed")

// life is one run of an intake, which is killed between two steps by chance: from then on
// nothing that it does reaches the broker or the database.
type life struct {
	d    *Drilled
	kill context.CancelFunc

	mu   sync.Mutex
	rng  *rand.Rand
	dead atomic.Bool
}

// step is a moment between two steps: an error says that the process is dead.
func (l *life) step() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.dead.Load() && l.rng.IntN(150) == 0 {
		l.dead.Store(true)
		l.kill()
	}
	if l.dead.Load() {
		return errKilled
	}
	return nil
}

// fault is now and then a failure that isn't the end.
func (l *life) fault() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.rng.IntN(40) == 0 {
		return callmodel.Errorf(callmodel.CodeUnavailable, "by chance")
	}
	return nil
}

// around does do between two steps, after a fault that may come.
func (l *life) around(do func() error) error {
	if err := errors.Join(l.step(), l.fault()); err != nil {
		return err
	}
	if err := do(); err != nil {
		return err
	}
	return l.step()
}

type mortalSubscription struct {
	broker.Subscription

	l *life
}

func (s mortalSubscription) Receive(ctx context.Context) (*broker.Message, error) {
	m, err := s.Subscription.Receive(ctx)
	if err != nil {
		return nil, err
	}
	if err := s.l.step(); err != nil {
		return nil, err
	}
	m.Receipt = mortalReceipt{m.Receipt, s.l}
	return m, nil
}

type mortalReceipt struct {
	broker.Receipt

	l *life
}

func (r mortalReceipt) Ack(ctx context.Context) error {
	return r.l.around(func() error { return r.Receipt.Ack(ctx) })
}

func (r mortalReceipt) Nack(ctx context.Context, delay time.Duration) error {
	return r.l.around(func() error { return r.Receipt.Nack(ctx, delay) })
}

type mortalLedger struct {
	intake.Ledger

	l *life
}

func (m mortalLedger) Enqueue(ctx context.Context, r ledger.Request) (id callmodel.JobID, created bool, err error) {
	err = m.l.around(func() error {
		id, created, err = m.Ledger.Enqueue(ctx, r)
		return err
	})
	return id, created, err
}

type mortalLetters struct {
	intake.DeadLetters

	l *life
}

func (m mortalLetters) KeepLetter(ctx context.Context, n deadletter.New) (id deadletter.ID, created bool, err error) {
	err = m.l.around(func() error {
		id, created, err = m.DeadLetters.KeepLetter(ctx, n)
		return err
	})
	return id, created, err
}

// drillSpec is the recording that the message i asks for.
func drillSpec(i int) ([]byte, error) {
	id := fmt.Sprintf("drill-%05d", i)
	return json.Marshal(record.Spec{
		CallID: callmodel.CallID(id), RecordingID: callmodel.RecordingID(id), StartedAt: time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC),
		Legs:    []record.LegSpec{{Name: "agent", Segments: []record.SegmentSpec{{URI: id + ".wav"}}}},
		Outputs: []record.OutputSpec{{Codec: record.CodecWAV, Layout: record.LayoutMono}},
	})
}

// Drill sends messages and takes them in with intakes that are killed between any two
// steps, by the seed: in the end there is one row of each recording that was asked for,
// one dead letter of each malformed message, and nothing left with the broker.
func Drill(t *testing.T, d *Drilled) {
	t.Helper()
	rng := rand.New(rand.NewPCG(d.Seed, 1))
	malformed := 0
	for i := range d.Messages {
		body, err := drillSpec(i)
		require.NoError(t, err)
		d.Broker.Send(t, body, nil)
		if rng.IntN(10) == 0 {
			d.Broker.Send(t, body, nil)
		}
		if rng.IntN(20) == 0 {
			d.Broker.Send(t, fmt.Appendf(nil, `{"call_id": "malformed-%d", "legs": "none"}`, i), nil)
			malformed++
		}
	}
	lives := 0
	deadline := time.Now().Add(4 * time.Minute)
	var all intake.Counts
	for ; !d.done(t, malformed); lives++ {
		require.True(t, time.Now().Before(deadline), "after %d lives it is not done: %+v", lives, all)
		if d.Disturb != nil {
			d.Disturb(t, lives)
		}
		c := d.live(t, rng.Uint64(), malformed)
		all = sum(all, c)
	}
	t.Logf("seed %d: %d lives, %d deliveries of %d recordings and %d malformed messages: %+v", d.Seed, lives, all.Received, d.Messages, malformed, all)
	s := d.Broker.Subscribe(t)
	defer ended(t, s)
	d.drain(t, s, malformed)
}

// live runs one intake until it is killed, or all is done.
func (d *Drilled) live(t *testing.T, seed uint64, malformed int) intake.Counts {
	t.Helper()
	ctx, kill := context.WithCancel(t.Context())
	defer kill()
	l := &life{d: d, kill: kill, rng: rand.New(rand.NewPCG(seed, 2))}
	in, err := intake.New(mortalLedger{d.Ledger, l}, mortalLetters{d.Letters, l}, intake.NewDoor(intake.Checks{}, task.Kinds{}),
		intake.Source{Name: "drill", Subscription: mortalSubscription{d.Broker.Subscribe(t), l}, Tenants: intake.Tenants{One: "acme"}},
		&intake.Options{Concurrency: 4, MaxTries: 1000, Backoff: time.Millisecond, MaxBackoff: 20 * time.Millisecond, Timeout: 5 * time.Second})
	require.NoError(t, err)
	over := make(chan struct{})
	go func() {
		defer close(over)
		_ = in.Run(ctx) // it returns no error
	}()
	look := time.NewTicker(200 * time.Millisecond)
	defer look.Stop()
	for {
		select {
		case <-over:
			return in.Counts()
		case <-look.C:
			if d.done(t, malformed) {
				kill()
			}
		}
	}
}

// done reports whether every message is a row, and fails the test where one is two.
func (d *Drilled) done(t *testing.T, malformed int) bool {
	t.Helper()
	keys := map[string]bool{}
	for after := callmodel.JobID(""); ; {
		jobs, err := d.Ledger.Jobs(t.Context(), ledger.Filter{After: after, Limit: 1000})
		require.NoError(t, err)
		for i := range jobs {
			require.False(t, keys[jobs[i].Key], "%s is two rows", jobs[i].Key)
			keys[jobs[i].Key] = true
			after = jobs[i].ID
		}
		if len(jobs) < 1000 {
			break
		}
	}
	letters, err := d.Letters.Letters(t.Context(), deadletter.Filter{Limit: 1000})
	require.NoError(t, err)
	require.LessOrEqual(t, len(keys), d.Messages)
	require.LessOrEqual(t, len(letters), malformed, "dead letters")
	return len(keys) == d.Messages && len(letters) == malformed
}

// drain acknowledges what is left, all of which is in the database, and sees that it is.
func (d *Drilled) drain(t *testing.T, s broker.Subscription, malformed int) {
	t.Helper()
	in, err := intake.New(d.Ledger, d.Letters, intake.NewDoor(intake.Checks{}, task.Kinds{}),
		intake.Source{Name: "drill", Subscription: unclosed{s}, Tenants: intake.Tenants{One: "acme"}}, &intake.Options{MaxTries: 1000})
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 2500*time.Millisecond) // longer than the brokers of the tests wait
	defer cancel()
	require.NoError(t, in.Run(ctx))
	require.Zero(t, in.Counts().Taken, "it was done")
	require.True(t, d.done(t, malformed))
	none(t, s)
}

type unclosed struct{ broker.Subscription }

func (unclosed) Close(context.Context) error { return nil }

func sum(a, b intake.Counts) intake.Counts {
	return intake.Counts{
		Received: a.Received + b.Received, Taken: a.Taken + b.Taken, Doubles: a.Doubles + b.Doubles, Dead: a.Dead + b.Dead,
		LetGo: a.LetGo + b.LetGo, Unacked: a.Unacked + b.Unacked,
	}
}
