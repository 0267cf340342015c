package worker_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/recording/worker"
	"github.com/switchtape/switchtape/storage/calldb/memdb"
	"github.com/switchtape/switchtape/storage/storetest"
)

// lines is a log that goroutines write to.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) with(text string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.b.String(), text)
}

// A queue that nobody serves is alarmed once, by one process; and no more when the
// jobs were moved.
func TestAttendance(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		db := memdb.New(nil)
		r := storetest.Request("c1")
		r.Queue = "pbx-l"
		id, _, err := db.Enqueue(t.Context(), r)
		require.NoError(t, err)
		_, _, err = db.Enqueue(t.Context(), storetest.Request("c2"))
		require.NoError(t, err)

		log := &lines{}
		opts := &worker.AttendanceOptions{Logger: slog.New(slog.NewTextHandler(log, nil))}
		start := func(who ledger.Presence) (a *worker.Attendance, stop func()) {
			ctx, cancel := context.WithCancel(t.Context())
			a = worker.NewAttendance(db, who, opts)
			ended := make(chan error, 1)
			go func() { ended <- a.Run(ctx) }()
			return a, func() {
				cancel()
				require.NoError(t, <-ended)
			}
		}
		first, stopFirst := start(ledger.Presence{Role: ledger.RoleAPI, Name: "api"})
		second, stopSecond := start(ledger.Presence{Role: ledger.RoleWorker, Name: "w", Queues: []string{ledger.DefaultQueue}})
		synctest.Wait()
		there, err := db.Fleet(t.Context())
		require.NoError(t, err)
		require.Len(t, there, 2)
		require.Zero(t, log.with("nobody serves"), "a worker may be started anew")

		time.Sleep(ledger.UnservedAfter + 2*time.Minute)
		synctest.Wait()
		require.Equal(t, 1, log.with("nobody serves"))
		require.Equal(t, 1, log.with("queue=pbx-l kind=record jobs=1"))
		queues, jobs := first.Unserved()
		require.Equal(t, [2]int64{1, 1}, [2]int64{queues, jobs})
		queues, _ = second.Unserved()
		require.Zero(t, queues, "one process looks after them")
		there, err = db.Fleet(t.Context())
		require.NoError(t, err)
		require.Len(t, there, 2, "they say so again and again")

		stopFirst()
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		queues, _ = second.Unserved()
		require.EqualValues(t, 1, queues, "the next one does then")
		_, err = db.Move(t.Context(), []callmodel.JobID{id}, ledger.DefaultQueue, "ann")
		require.NoError(t, err)
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		queues, jobs = second.Unserved()
		require.Equal(t, [2]int64{0, 0}, [2]int64{queues, jobs})
		require.Equal(t, 1, log.with("no jobs wait any more"))

		stopSecond()
		there, err = db.Fleet(t.Context())
		require.NoError(t, err)
		require.Empty(t, there, "who ends says so")
	})
}

// One that compares, and is the first by its role, doesn't keep the queues from being looked
// after.
func TestAttendanceBesideAVerifier(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		db := memdb.New(nil)
		r := storetest.Request("c1")
		r.Queue = "pbx-l"
		_, _, err := db.Enqueue(t.Context(), r)
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 2)
		w := worker.NewAttendance(db, ledger.Presence{Role: ledger.RoleWorker, Name: "w", Queues: []string{ledger.DefaultQueue}}, nil)
		v := worker.NewAttendance(db, ledger.Presence{Role: ledger.RoleVerifier, Name: "w"}, nil)
		go func() { ended <- v.Run(ctx) }()
		go func() { ended <- w.Run(ctx) }()
		time.Sleep(ledger.UnservedAfter + 2*time.Minute)
		synctest.Wait()
		queues, _ := w.Unserved()
		require.EqualValues(t, 1, queues)
		queues, _ = v.Unserved()
		require.Zero(t, queues)
		cancel()
		require.NoError(t, errors.Join(<-ended, <-ended))
	})
}

// silentRegister answers nobody.
type silentRegister struct{ worker.Register }

func (silentRegister) Present(context.Context, ledger.Presence) error { return errors.New("away") }
func (silentRegister) Gone(context.Context, ledger.Presence) error    { return errors.New("away") }

func TestAttendanceWithoutARegister(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log := &lines{}
		a := worker.NewAttendance(silentRegister{}, ledger.Presence{Role: ledger.RoleWorker, Name: "w"},
			&worker.AttendanceOptions{Logger: slog.New(slog.NewTextHandler(log, nil))})
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
		defer cancel()
		require.NoError(t, a.Run(ctx))
		require.Equal(t, 1, log.with("trying again"), "one line, not one every time")
		require.Equal(t, 1, log.with("couldn't be noted; it counts"))
	})
}
