//go:build unix

package lifecycle_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording"
	"github.com/switchtape/switchtape/recording/lifecycle"
	"github.com/switchtape/switchtape/recording/local"
	"github.com/switchtape/switchtape/recording/recordingtest/samplecall"
	"github.com/switchtape/switchtape/recording/task"
	"github.com/switchtape/switchtape/recording/task/stored"
	"github.com/switchtape/switchtape/recording/worker"
	"github.com/switchtape/switchtape/storage"
	"github.com/switchtape/switchtape/storage/calldb"
)

// deleterDir makes the test binary a worker on that directory, which kills itself at the
// step of deleterStep, or ends when the legs' job is done.
const (
	deleterDir  = "SWITCHTAPE_TEST_DELETER_DIR"
	deleterStep = "SWITCHTAPE_TEST_DELETER_STEP"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(deleterDir); dir != "" {
		do := deleteUntilKilled
		if os.Getenv(deleterOf) != "" {
			do = eraseUntilKilled
		}
		if err := do(dir, os.Getenv(deleterStep)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// steps are what a process does on its way, in their order. It is killed before the one
// of that number.
type steps struct {
	mu   sync.Mutex
	left int
}

func (s *steps) step() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.left == 0 {
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {} // it comes at once
	}
	s.left--
}

// mortalLedger is a ledger two hours later.
type mortalLedger struct {
	*calldb.DB
	*steps
}

func (l mortalLedger) LegsDue(ctx context.Context, q ledger.LegsDue) (ledger.LegsFound, error) {
	q.Keep = 0
	return l.DB.LegsDue(ctx, q)
}

func (l mortalLedger) Now(ctx context.Context) (time.Time, error) {
	now, err := l.DB.Now(ctx)
	return now.Add(2 * time.Hour), err
}

func (l mortalLedger) Enqueue(ctx context.Context, r ledger.Request) (callmodel.JobID, bool, error) {
	l.step()
	id, created, err := l.DB.Enqueue(ctx, r)
	l.step()
	return id, created, err
}

func (l mortalLedger) Complete(ctx context.Context, lease ledger.Lease, o ledger.Outcome) error {
	l.step()
	return l.DB.Complete(ctx, lease, o)
}

type mortalPlace struct {
	*local.Dir
	*steps
}

func (p mortalPlace) RemoveLeg(ctx context.Context, below, uri string, size int64, modified time.Time) (bool, error) {
	p.step()
	return p.Dir.RemoveLeg(ctx, below, uri, size, modified)
}

type mortalObjects struct {
	*storage.Store
	*steps
}

func (o mortalObjects) Open(ctx context.Context, key string) (io.ReadCloser, error) {
	o.step()
	return o.Store.Open(ctx, key)
}

// allSteps is how many steps there are: the job is enqueued, three objects are read, two
// files are removed, and the job is done.
const allSteps = 2 + 3 + 2 + 1

func deleteUntilKilled(dir, step string) error {
	n, err := strconv.Atoi(step)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	s := &steps{left: n}
	db, err := calldb.Open(ctx, calldb.SQLiteURL(filepath.Join(dir, "ledger.db")), nil)
	if err != nil {
		return err
	}
	store, err := storage.Open(ctx, "file://"+filepath.Join(dir, "bucket"), nil)
	if err != nil {
		return errors.Join(err, db.Close())
	}
	place := mortalPlace{local.NewDir(filepath.Join(dir, "legs")), s}
	on := mortalLedger{db, s}
	l, err := lifecycle.NewLegs(on, place, stored.NewLibrary(db, mortalObjects{store, s}), lifecycle.Options{
		Keep: time.Hour, Now: func() time.Time { return time.Now().Add(2 * time.Hour) },
	})
	if err != nil {
		return err
	}
	if _, err := l.Sweep(ctx); err != nil {
		return err
	}
	kinds, err := task.NewKinds(l.Kind())
	if err != nil {
		return err
	}
	running, stop := context.WithCancel(ctx)
	w := worker.New(on, nil, &worker.Options{
		Name: fmt.Sprint("process-", os.Getpid()), AllLegs: true, Kinds: kinds, LeaseTTL: 200 * time.Millisecond, Poll: 5 * time.Millisecond,
		Finished: func(r worker.Report) {
			if r.Outcome == worker.Done {
				stop()
			}
		},
	})
	return errors.Join(w.Run(running), ctx.Err(), place.Close(), store.Close(), db.Close())
}

// TestKilledWhileDeleting: a process that is killed at any step of the deletion leaves it
// to be repeated to its end: all legs are gone then, each once, and the recording isn't.
func TestKilledWhileDeleting(t *testing.T) {
	t.Parallel()
	for step := range allSteps {
		t.Run(strconv.Itoa(step), func(t *testing.T) {
			t.Parallel()
			killedAt(t, step)
		})
	}
}

func killedAt(t *testing.T, step int) {
	t.Helper()
	dir := t.TempDir()
	db, err := calldb.Open(t.Context(), calldb.SQLiteURL(filepath.Join(dir, "ledger.db")), nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	_, err = db.Migrate(t.Context())
	require.NoError(t, err)
	s := &server{clock: &clock{at: time.Now()}, legs: filepath.Join(dir, "legs")}
	files := []string{s.put(t, "c1/agent.wav", samplecall.Agent()), s.put(t, "c1/customer.wav", samplecall.Customer())}
	legs := local.NewDir(s.legs)
	t.Cleanup(func() { require.NoError(t, legs.Close()) })
	store := openStore(t, filepath.Join(dir, "bucket"))
	r, err := record.NewJob(newSpec("c1", "c1/agent.wav", "c1/customer.wav"), "", 0)
	require.NoError(t, err)
	id, _, err := db.Enqueue(t.Context(), r)
	require.NoError(t, err)
	ctx, made := context.WithCancel(t.Context())
	require.NoError(t, worker.New(db, recording.NewProcessor(legs, store, nil), &worker.Options{
		AllLegs: true, Poll: time.Millisecond, MissingLegWait: -1, Quiet: -1, Finished: func(worker.Report) { made() },
	}).Run(ctx))
	bucket := listed(t, filepath.Join(dir, "bucket"))

	process := func(at int) error {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^$")
		cmd.Env = append(os.Environ(), deleterDir+"="+dir, deleterStep+"="+strconv.Itoa(at))
		cmd.Stderr = os.Stderr
		return cmd.Run()
	}
	dead, ok := errors.AsType[*exec.ExitError](process(step))
	require.True(t, ok, "it was killed")
	status, ok := dead.Sys().(syscall.WaitStatus)
	require.True(t, ok)
	require.Equal(t, syscall.SIGKILL, status.Signal())
	require.NoError(t, process(1000))

	for _, f := range files {
		require.False(t, exists(t, f))
	}
	require.Equal(t, bucket, listed(t, filepath.Join(dir, "bucket")))
	jobs, err := db.Jobs(t.Context(), ledger.Filter{})
	require.NoError(t, err)
	require.Len(t, jobs, 2)
	require.Equal(t, id, jobs[0].ID)
	require.Equal(t, ledger.Done, jobs[1].State)
	var d lifecycle.Deleted
	require.NoError(t, json.Unmarshal(jobs[1].Result, &d))
	require.Equal(t, record.StatusCompleted, d.Status)
	require.Len(t, d.Files, 2)
	gone := 0
	for _, f := range d.Files {
		if f.End == lifecycle.FileGone {
			gone++
		}
	}
	require.Equal(t, min(max(step-5, 0), 2), gone, "removed by the one that was killed")
	lines, err := db.AuditEvents(t.Context(), "acme", 0, 1000)
	require.NoError(t, err)
	done := 0
	for _, line := range lines {
		if line.Action == callmodel.AuditJobCompleted && line.Detail["kind"] == lifecycle.KindDeleteLegs {
			done++
		}
	}
	require.Equal(t, 1, done)
}
