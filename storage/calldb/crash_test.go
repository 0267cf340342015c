package calldb_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/storage/calldb"
	"github.com/switchtape/switchtape/storage/storetest"
)

// workerURL makes the test binary a worker on that database, until it is killed.
const workerURL = "SWITCHTAPE_TEST_WORKER_URL"

func TestMain(m *testing.M) {
	if at := os.Getenv(workerURL); at != "" {
		if err := work(context.Background(), at); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// work enqueues, claims and completes with several goroutines, so that a kill
// always hits a transaction. It ends when every job is done.
func work(ctx context.Context, at string) error {
	db, err := calldb.Open(ctx, at, &calldb.Options{BusyTimeout: time.Minute})
	if err != nil {
		return err
	}
	defer db.Close()
	fmt.Println("working")
	errs := make([]error, 4)
	var wg sync.WaitGroup
	for w := range errs {
		wg.Go(func() { errs[w] = drain(ctx, db) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

func drain(ctx context.Context, db *calldb.DB) error {
	for {
		// Short leases: a killed worker's jobs come back soon.
		leases, err := db.Claim(ctx, ledger.Claim{Worker: fmt.Sprint(os.Getpid()), Limit: 3, TTL: 150 * time.Millisecond})
		if err != nil {
			return err
		}
		for _, l := range leases {
			id := string(l.Job.CallID)
			if _, err := db.AppendEvent(ctx, "acme", l.Job.CallID, calls.Event{
				ID: "after-" + id, Type: calls.EventEnded, Legs: storetest.Spec(id).Legs,
			}, "w", storetest.Defaults()); err != nil {
				return err
			}
			switch rand.IntN(4) {
			case 0:
				err = db.Fail(ctx, l, ledger.Failure{Cause: "not today", Uncounted: true})
			case 1:
				err = db.Publish(ctx, l, storetest.Completed(id), 0)
			default:
				err = db.Complete(ctx, l, storetest.Completed(id))
			}
			if err != nil && !errors.Is(err, callmodel.ErrLeaseLost) {
				return err
			}
		}
		q, err := db.Stats(ctx)
		if err != nil || len(leases) == 0 && q.Queued+q.Running == 0 {
			return err
		}
	}
}

// TestKillMinusNine kills workers in the middle of their transactions, over
// and over, and then looks for what was lost or done twice.
func TestKillMinusNine(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes seconds: not with -short")
	}
	onBoth(t, func(t *testing.T, at string) {
		db := migrated(t, at)
		const jobs = 300
		for i := range jobs {
			id := fmt.Sprintf("c%04d", i)
			_, err := db.CreateCall(t.Context(), storetest.NewCall(id))
			require.NoError(t, err)
			_, _, err = db.Enqueue(t.Context(), storetest.Request(id))
			require.NoError(t, err)
		}
		// A job whose worker is killed three times is quarantined, as it should
		// be: a person puts it back.
		rescue := func() {
			aside, err := db.Jobs(t.Context(), ledger.Filter{State: ledger.Quarantined, Limit: 1000})
			require.NoError(t, err)
			for _, j := range aside {
				require.NoError(t, db.Retry(t.Context(), j.ID, "test"))
			}
		}
		kills := 0
		for range 12 {
			if spawn(t, at, time.Duration(5+rand.IntN(60))*time.Millisecond) {
				kills++
			}
			rescue()
		}
		require.Positive(t, kills)
		for ended := false; !ended; {
			require.NoError(t, t.Context().Err())
			rescue()
			spawn(t, at, 0)
			q, err := db.Stats(t.Context())
			require.NoError(t, err)
			ended = q.Done == jobs
		}
		audited(t, db, jobs)
	})
}

// spawn runs a worker and kills it after d, if d is not 0. It reports whether
// it had to.
func spawn(t *testing.T, at string, d time.Duration) bool {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), workerURL+"="+at)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	_, err = bufio.NewReader(out).ReadString('\n') // it is working now
	assert.NoError(t, err)
	if d == 0 {
		require.NoError(t, cmd.Wait())
		return false
	}
	time.Sleep(d) // the instant of the kill, not a wait for something
	killed := cmd.Process.Kill() == nil
	var exit *exec.ExitError
	return errors.As(cmd.Wait(), &exit) && killed
}

// audited requires that each of n jobs was done once, with all its traces.
func audited(t *testing.T, db *calldb.DB, n int) {
	t.Helper()
	keys, published, last := map[string]int{}, 0, int64(0)
	for {
		page, err := db.OutboxEvents(t.Context(), last, 1000)
		require.NoError(t, err)
		if len(page) == 0 {
			break
		}
		for _, ev := range page {
			last = ev.ID
			var body struct{ Provisional bool }
			require.NoError(t, json.Unmarshal(ev.Body, &body))
			switch {
			case body.Provisional:
				published++
			case ev.Type == "recording.completed":
				keys[ev.Subject]++
			}
		}
	}
	require.Len(t, keys, n)
	completed, last := 0, int64(0)
	for {
		page, err := db.AuditEvents(t.Context(), "acme", last, 1000)
		require.NoError(t, err)
		if len(page) == 0 {
			break
		}
		for _, a := range page {
			last = a.ID
			switch a.Action {
			case callmodel.AuditJobCompleted:
				completed++
			case callmodel.AuditJobPublished:
				published--
			}
		}
	}
	require.Equal(t, n, completed, "one audit line each")
	require.Zero(t, published, "and one for each version before the last")
	for id, times := range keys {
		require.Equal(t, 1, times, id)
		c, err := db.Call(t.Context(), "acme", callmodel.CallID(id))
		require.NoError(t, err)
		require.Len(t, c.Recordings, 1, id)
		require.Equal(t, storetest.Result(id).Outputs[0].URL, c.Recordings[0].URL)
	}
}

// TestTwoPools: two services work on one ledger, each with its own connections.
func TestTwoPools(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, at string) {
		a := migrated(t, at)
		b := open(t, at)
		const jobs = 200
		var mu sync.Mutex
		claimed := map[callmodel.JobID]int{}
		var wg sync.WaitGroup
		for w := range 8 {
			db := []*calldb.DB{a, b}[w%2]
			wg.Go(func() {
				for i := range jobs { // everybody enqueues everything
					if i%4 == w/2 {
						_, _, err := db.Enqueue(t.Context(), storetest.Request(fmt.Sprintf("c%04d", i)))
						assert.NoError(t, err)
					}
				}
				for {
					leases, err := db.Claim(t.Context(), ledger.Claim{Worker: "w", Limit: 5, TTL: time.Hour})
					if !assert.NoError(t, err) || len(leases) == 0 {
						return
					}
					for _, l := range leases {
						mu.Lock()
						claimed[l.Job.ID]++
						mu.Unlock()
						assert.NoError(t, db.Complete(t.Context(), l, storetest.Completed(string(l.Job.CallID))))
					}
				}
			})
		}
		wg.Wait()
		require.Len(t, claimed, jobs)
		for id, n := range claimed {
			require.Equal(t, 1, n, id)
		}
		q, err := b.Stats(t.Context())
		require.NoError(t, err)
		require.EqualValues(t, jobs, q.Done)
		require.Zero(t, q.Queued+q.Running+q.Quarantined)
	})
}
