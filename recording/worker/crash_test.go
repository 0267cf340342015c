package worker_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording/task"
	"github.com/switchtape/switchtape/recording/worker"
	"github.com/switchtape/switchtape/storage/calldb"
	"github.com/switchtape/switchtape/storage/storetest"
	"github.com/switchtape/switchtape/storage/storetest/pgtest"
)

const (
	// crashURL makes the test binary a worker on that database, until it is killed or
	// its standard input ends.
	crashURL = "SWITCHTAPE_TEST_CRASH_URL"
	// crashWith is how many jobs it lets come together before one of them goes on.
	crashWith = "SWITCHTAPE_TEST_CRASH_WITH"
	// crashDir makes it a worker that notes in that directory what it has finished: see
	// outageWorker.
	crashDir = "SWITCHTAPE_TEST_CRASH_DIR"
	// poison is the call whose recording ends the process.
	poison = "c3"
	// crashed is how it ends then.
	crashed = 86
)

func TestMain(m *testing.M) {
	if at := os.Getenv(crashURL); at != "" {
		run := crashWorker
		if os.Getenv(crashDir) != "" {
			run = outageWorker
		}
		if err := run(context.Background(), at); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// crashWorker runs a worker with eight places.
func crashWorker(ctx context.Context, at string) error {
	together, err := strconv.ParseInt(os.Getenv(crashWith), 10, 64)
	if err != nil {
		return err
	}
	db, err := calldb.Open(ctx, at, nil)
	if err != nil {
		return err
	}
	defer db.Close()
	var begun atomic.Int64
	all := make(chan struct{})
	kinds, err := task.NewKinds(task.Of("serve", func(ctx context.Context, _ *task.Job, _ order) (any, error) {
		<-ctx.Done() // it is killed
		return nil, ctx.Err()
	}))
	if err != nil {
		return err
	}
	w := worker.New(db, processorFunc(func(ctx context.Context, s record.Spec, _ bool) (record.Result, error) {
		if begun.Add(1) == together {
			close(all)
		}
		select {
		case <-all:
		case <-ctx.Done():
			return record.Result{}, ctx.Err()
		}
		if s.CallID == poison {
			os.Exit(crashed)
		}
		select { // the work
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			return record.Result{}, ctx.Err()
		}
		return storetest.Result(string(s.CallID)), nil
	}), &worker.Options{
		Name: fmt.Sprint(os.Getpid()), Kinds: kinds, Concurrency: 8, LeaseTTL: 300 * time.Millisecond, Poll: 10 * time.Millisecond,
	})
	ctx, stop := context.WithCancel(ctx)
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		stop()
	}()
	fmt.Println("working")
	return w.Run(ctx)
}

// crashing is such a worker.
type crashing struct {
	*exec.Cmd

	stdin io.Closer
	ended chan error
}

func spawn(t *testing.T, at string, together int) *crashing {
	t.Helper()
	return spawnWith(t, crashURL+"="+at, crashWith+"="+strconv.Itoa(together))
}

func spawnWith(t *testing.T, env ...string) *crashing {
	t.Helper()
	c := &crashing{Cmd: exec.Command(os.Args[0], "-test.run=^$"), ended: make(chan error, 1)}
	c.Env = append(os.Environ(), env...)
	c.Stderr = os.Stderr
	in, err := c.StdinPipe()
	require.NoError(t, err)
	c.stdin = in
	out, err := c.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, c.Start())
	_, err = bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	go func() { c.ended <- c.Wait() }()
	return c
}

// crashes reports whether the worker ended by the poison.
func crashes(t *testing.T, err error) bool {
	t.Helper()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() == crashed {
		return true
	}
	require.NoError(t, err)
	return false
}

// onBothLedgers runs test on an empty ledger of each kind.
func onBothLedgers(t *testing.T, test func(t *testing.T, at string, db *calldb.DB)) {
	t.Helper()
	for name, at := range map[string]func(*testing.T) string{
		"SQLite": func(t *testing.T) string {
			t.Helper()
			return calldb.SQLiteURL(filepath.Join(t.TempDir(), "ledger.db"))
		},
		"PostgreSQL": func(t *testing.T) string { t.Helper(); return pgtest.URL(t) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			at := at(t)
			db, err := calldb.Open(t.Context(), at, nil)
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, db.Close()) })
			_, err = db.Migrate(t.Context())
			require.NoError(t, err)
			test(t, at, db)
		})
	}
}

// Eight jobs are in flight when one of them ends the process, and again whenever it
// runs. It is set aside after its share of crashes, and none of the others is.
func TestPoisonTakesNobodyAlong(t *testing.T) {
	t.Parallel()
	onBothLedgers(t, func(t *testing.T, at string, db *calldb.DB) {
		ids := enqueue(t, db, 8)
		count := 0
		for together := len(ids); ; together = 1 {
			c := spawn(t, at, together)
			if waitEnd(t, db, c, len(ids)) {
				require.NoError(t, c.stdin.Close())
				require.NoError(t, <-c.ended)
				break
			}
			count++
		}
		require.Equal(t, 1+ledger.MaxAttempts, count, "once beside the others, and then alone")
		for i, id := range ids {
			j, err := db.Job(t.Context(), id)
			require.NoError(t, err)
			if fmt.Sprint("c", i) == poison {
				require.Equal(t, ledger.Quarantined, j.State)
				require.Equal(t, ledger.MaxAttempts, j.Attempts)
				continue
			}
			require.Equal(t, ledger.Done, j.State, "job %d: %s", i, j.LastError)
			require.Zero(t, j.Attempts)
		}
	})
}

// waitEnd waits until n jobs have come to an end, which is true, or the worker has by
// the poison.
func waitEnd(t *testing.T, db *calldb.DB, c *crashing, n int) bool {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case err := <-c.ended:
			require.True(t, crashes(t, err))
			return false
		case <-tick.C:
		}
		q, err := db.Stats(t.Context())
		require.NoError(t, err)
		if q.Done+q.Quarantined == int64(n) {
			return true
		}
	}
}

// Workers are killed at any moment, with eight jobs in flight each. Nothing is set
// aside, and everything is done.
func TestKilledWorkersConvictNobody(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes seconds: not with -short")
	}
	onBothLedgers(t, func(t *testing.T, at string, db *calldb.DB) {
		const jobs, kills = 120, 8
		for i := range jobs {
			_, _, err := db.Enqueue(t.Context(), storetest.RequestOf(spec(fmt.Sprint("k", i))))
			require.NoError(t, err)
		}
		for range kills {
			c := spawn(t, at, 1)
			// The instant of the kill, not a wait for something.
			time.Sleep(time.Duration(20+rand.IntN(200)) * time.Millisecond)
			require.NoError(t, c.Process.Kill())
			require.Error(t, <-c.ended)
		}
		c := spawn(t, at, 1)
		require.True(t, waitEnd(t, db, c, jobs))
		require.NoError(t, c.stdin.Close())
		require.NoError(t, <-c.ended)
		q, err := db.Stats(t.Context())
		require.NoError(t, err)
		require.EqualValues(t, jobs, q.Done)
		aside, err := db.Jobs(t.Context(), ledger.Filter{State: ledger.Quarantined})
		require.NoError(t, err)
		require.Empty(t, aside)
	})
}

// A worker with jobs in flight lets them end before it runs a suspect, starts none
// beside it, and gives the others their share.
func TestSuspectsRunWithNothingBesideThem(t *testing.T) {
	t.Parallel()
	q := jobLedger(t)
	first := enqueue(t, q, 6)
	leases, err := q.Claim(t.Context(), ledger.Claim{Worker: "dead", Limit: 6, TTL: time.Millisecond})
	require.NoError(t, err)
	require.Len(t, leases, 6)
	suspect := map[callmodel.CallID]bool{}
	for _, l := range leases {
		suspect[l.Job.CallID] = true
	}
	for i := range 20 {
		_, _, err := q.Enqueue(t.Context(), storetest.RequestOf(spec(fmt.Sprint("fresh", i))))
		require.NoError(t, err)
	}
	var running, alone atomic.Int64
	order := make(chan bool, 26)
	start(t, worker.New(q, processorFunc(func(_ context.Context, s record.Spec, _ bool) (record.Result, error) {
		n := running.Add(1)
		defer running.Add(-1)
		if suspect[s.CallID] {
			if n > 1 {
				return record.Result{}, fmt.Errorf("%d run beside it", n-1)
			}
			alone.Store(1)
			defer alone.Store(0)
		} else if alone.Load() > 0 {
			return record.Result{}, errors.New("it runs beside a suspect")
		}
		<-time.After(2 * time.Millisecond) // the work
		order <- suspect[s.CallID]
		return storetest.Result(string(s.CallID)), nil
	}), options()))
	for _, id := range first {
		j := waitState(t, q, id, ledger.Done)
		require.Zero(t, j.Attempts)
	}
	others := 0
	for seen := 0; seen < len(first); {
		if <-order {
			seen++
		} else {
			others++
		}
	}
	require.Positive(t, others, "fresh jobs aren't kept waiting for all suspects")
}
