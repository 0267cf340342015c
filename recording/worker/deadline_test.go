package worker_test

import (
	"cmp"
	"context"
	"io"
	"net"
	"net/url"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording/worker"
	"github.com/switchtape/switchtape/storage/calldb"
	"github.com/switchtape/switchtape/storage/storetest/pgtest"
)

// hanging is a ledger that doesn't answer a call of one sort, once or for ever.
type hanging struct {
	*calldb.DB

	call string       // the method
	left atomic.Int64 // how often it still does
	hung chan struct{}
}

func hangingLedger(t *testing.T, call string, times int64) *hanging {
	t.Helper()
	h := &hanging{DB: jobLedger(t), call: call, hung: make(chan struct{}, 1000)}
	h.left.Store(times)
	return h
}

// hang doesn't return before ctx ends, if it is the method's turn.
func (h *hanging) hang(ctx context.Context, method string) error {
	if method != h.call || h.left.Add(-1) < 0 {
		return nil
	}
	h.hung <- struct{}{}
	<-ctx.Done()
	return ctx.Err()
}

func (h *hanging) Claim(ctx context.Context, r ledger.Claim) ([]ledger.Lease, error) {
	if err := h.hang(ctx, "Claim"); err != nil {
		return nil, err
	}
	return h.DB.Claim(ctx, r)
}

func (h *hanging) Extend(ctx context.Context, l ledger.Lease, ttl time.Duration) (ledger.Lease, error) {
	if err := h.hang(ctx, "Extend"); err != nil {
		return ledger.Lease{}, err
	}
	return h.DB.Extend(ctx, l, ttl)
}

func (h *hanging) Complete(ctx context.Context, l ledger.Lease, o ledger.Outcome) error {
	if err := h.hang(ctx, "Complete"); err != nil {
		return err
	}
	return h.DB.Complete(ctx, l, o)
}

func (h *hanging) Publish(ctx context.Context, l ledger.Lease, o ledger.Outcome, again time.Duration) error {
	if err := h.hang(ctx, "Publish"); err != nil {
		return err
	}
	return h.DB.Publish(ctx, l, o, again)
}

func (h *hanging) Fail(ctx context.Context, l ledger.Lease, f ledger.Failure) error {
	if err := h.hang(ctx, "Fail"); err != nil {
		return err
	}
	return h.DB.Fail(ctx, l, f)
}

func (h *hanging) Release(ctx context.Context, l ledger.Lease) error {
	if err := h.hang(ctx, "Release"); err != nil {
		return err
	}
	return h.DB.Release(ctx, l)
}

// A call that hangs ends at its deadline, and the worker goes on: the job that it
// was about is done in the end, by this worker's only slot.
func TestHangingCallsEnd(t *testing.T) {
	t.Parallel()
	growing := made
	growing.Defects = []record.Defect{{Code: record.DefectLegGrowing, Leg: "agent"}}
	for call, first := range map[string]func(ctx context.Context, h *hanging) (record.Result, error){
		"Claim":    func(context.Context, *hanging) (record.Result, error) { return made, nil },
		"Complete": func(context.Context, *hanging) (record.Result, error) { return made, nil },
		"Publish":  func(context.Context, *hanging) (record.Result, error) { return growing, nil },
		"Fail":     func(context.Context, *hanging) (record.Result, error) { return made, context.DeadlineExceeded },
		"Extend": func(ctx context.Context, h *hanging) (record.Result, error) {
			select { // until a heartbeat hangs
			case <-h.hung:
			case <-ctx.Done():
			}
			return made, nil
		},
	} {
		t.Run(call, func(t *testing.T) {
			t.Parallel()
			h := hangingLedger(t, call, 1)
			o := options()
			o.Concurrency, o.LeaseTTL, o.LedgerTimeout, o.FollowPause = 1, 3*time.Second, time.Second, time.Millisecond
			var runs atomic.Int64
			id := enqueue(t, h, 1)[0]
			start(t, worker.New(h, processorFunc(func(ctx context.Context, _ record.Spec, _ bool) (record.Result, error) {
				if runs.Add(1) == 1 {
					return first(ctx, h)
				}
				return made, nil
			}), o))
			waitState(t, h, id, ledger.Done)
			require.LessOrEqual(t, h.left.Load(), int64(0), "it hung")
		})
	}
}

// A drain ends although the ledger takes no answer: its release is given up.
func TestDrainEndsWithoutTheLedger(t *testing.T) {
	t.Parallel()
	h := hangingLedger(t, "Release", 1<<40)
	enqueue(t, h, 1)
	o := options()
	o.Grace, o.LeaseTTL, o.LedgerTimeout = time.Millisecond, time.Hour, time.Hour
	began := make(chan struct{})
	stop := start(t, worker.New(h, processorFunc(func(ctx context.Context, _ record.Spec, _ bool) (record.Result, error) {
		close(began)
		<-ctx.Done()
		return record.Result{}, ctx.Err()
	}), o))
	<-began
	stop() // returns, though nothing but Grace bounds the call within any test's time
	require.Len(t, h.hung, 1)
}

func TestUnanswered(t *testing.T) {
	t.Parallel()
	h := hangingLedger(t, "Claim", 1<<40)
	o := options()
	o.LedgerTimeout = 20 * time.Millisecond
	w := worker.New(h, processorFunc(func(context.Context, record.Spec, bool) (record.Result, error) { return made, nil }), o)
	silent, err := w.Unanswered()
	require.Zero(t, silent)
	require.ErrorIs(t, err, worker.ErrNoAnswerYet)
	start(t, w)
	for range 3 {
		<-h.hung
	}
	require.Eventually(t, func() bool {
		silent, err := w.Unanswered()
		return silent > 2*o.LedgerTimeout && assert.ErrorIs(t, err, worker.ErrNoAnswerYet) &&
			callmodel.CodeOf(err) == callmodel.CodeUnavailable
	}, time.Minute, time.Millisecond, "over several calls")
	h.left.Store(0)
	require.Eventually(t, func() bool {
		silent, err := w.Unanswered()
		return silent < time.Minute && err == nil
	}, time.Minute, time.Millisecond, "it answers again")
}

// proxy stands between a worker and its database, and goes silent at will: what
// is sent then arrives nowhere, and no connection is closed.
type proxy struct {
	net.Listener

	network, to string

	silent atomic.Bool
	open   sync.WaitGroup
	mu     sync.Mutex
	conns  []net.Conn
}

// between starts a proxy, and returns the database's URL through it.
func between(t *testing.T, at string) (*proxy, string) {
	t.Helper()
	u, err := url.Parse(at)
	require.NoError(t, err)
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	p := &proxy{Listener: l, network: "tcp", to: u.Host}
	q := u.Query()
	if dir := q.Get("host"); dir != "" { // the tests' own server listens on a socket
		p.network, p.to = "unix", filepath.Join(dir, ".s.PGSQL."+cmp.Or(q.Get("port"), "5432"))
		q.Del("host")
		q.Del("port")
		u.RawQuery = q.Encode()
	}
	p.open.Go(func() { p.serve(context.WithoutCancel(t.Context())) })
	t.Cleanup(func() {
		assert.NoError(t, l.Close())
		p.mu.Lock()
		for _, c := range p.conns {
			_ = c.Close() // it may be closed already
		}
		p.mu.Unlock()
		p.open.Wait()
	})
	u.Host = l.Addr().String()
	return p, u.String()
}

func (p *proxy) serve(ctx context.Context) {
	for {
		in, err := p.Accept()
		if err != nil {
			return
		}
		out, err := (&net.Dialer{}).DialContext(ctx, p.network, p.to)
		if err != nil {
			_ = in.Close()
			return
		}
		p.mu.Lock()
		p.conns = append(p.conns, in, out)
		p.mu.Unlock()
		p.open.Go(func() { p.forward(in, out) })
		p.open.Go(func() { p.forward(out, in) })
	}
}

func (p *proxy) forward(from, to net.Conn) {
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		if err != nil {
			if !p.silent.Load() {
				_ = to.Close()
			}
			return
		}
		if p.silent.Load() {
			continue // and for this connection there is no way back
		}
		if _, err := to.Write(buf[:n]); err != nil {
			_, _ = io.Copy(io.Discard, from)
			return
		}
	}
}

// A database that hangs behind connections that stay open takes neither a slot of
// the worker nor its drain along; the worker knows of it, and goes on with new
// connections once the database answers.
func TestSilentDatabase(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes seconds: not with -short")
	}
	at := pgtest.URL(t)
	direct, err := calldb.Open(t.Context(), at, nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, direct.Close()) })
	_, err = direct.Migrate(t.Context())
	require.NoError(t, err)
	p, through := between(t, at)
	q, err := calldb.Open(t.Context(), through, nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, q.Close()) })

	o := options()
	o.Concurrency, o.LeaseTTL, o.LedgerTimeout, o.Grace = 1, time.Hour, 2*time.Second, time.Second
	began, finish := make(chan struct{}, 10), make(chan struct{})
	w := worker.New(q, processorFunc(func(ctx context.Context, _ record.Spec, _ bool) (record.Result, error) {
		began <- struct{}{}
		select {
		case <-finish:
		case <-ctx.Done():
			return record.Result{}, ctx.Err()
		}
		return made, nil
	}), o)
	stop := start(t, w)
	ids := enqueue(t, direct, 3)
	<-began
	p.silent.Store(true)
	finish <- struct{}{} // its commit hangs
	require.Eventually(t, func() bool {
		silent, err := w.Unanswered()
		return silent > o.LedgerTimeout && callmodel.CodeOf(err) == callmodel.CodeUnavailable
	}, time.Minute, time.Millisecond)
	p.silent.Store(false)
	waitState(t, direct, ids[0], ledger.Done)
	<-began // the slot is free: the next one runs
	p.silent.Store(true)
	stop() // returns, though its release is not answered either
}
