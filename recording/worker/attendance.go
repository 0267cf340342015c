package worker

import (
	"cmp"
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/switchtape/switchtape/callmodel/ledger"
)

// Register is where processes say that they are there, and where it shows which queues
// nobody serves. *calldb.DB and *memdb.Store are registers: every one passes
// storetest.Jobs.
type Register interface {
	// Present says that the process is there, for ledger.PresenceTTL.
	Present(ctx context.Context, p ledger.Presence) error
	// Gone says that it isn't any more.
	Gone(ctx context.Context, p ledger.Presence) error
	// Fleet lists those that are there, by role and name.
	Fleet(ctx context.Context) ([]ledger.Presence, error)
	// Queues lists the queues that jobs wait or run in, those first whose jobs have
	// waited longest.
	Queues(ctx context.Context, f ledger.QueueFilter) ([]ledger.QueueState, error)
}

// AttendanceOptions configure an Attendance. The zero value works.
type AttendanceOptions struct {
	// Every is how often the process says that it is there. 0 means
	// ledger.PresenceEvery (15 s).
	Every time.Duration
	// QueuesEvery is how often the queues are looked at, by one process of the fleet.
	// 0 means one minute.
	QueuesEvery time.Duration
	// Timeout bounds every call of the register. 0 means 10 s.
	Timeout time.Duration
	// Logger gets a line when jobs are found in a queue that nobody serves, and one
	// when that is over. Nil: nothing is logged.
	Logger *slog.Logger
}

// Attendance says that a process is there as long as it runs. The first one of the
// fleet's workers and APIs, by role and name, looks after the queues, too: one with jobs that can run, and
// that no living worker serves, raises an alarm. So that costs a query a minute however
// many processes there are.
type Attendance struct {
	register Register
	who      ledger.Presence
	opts     AttendanceOptions

	silent bool // the last word didn't reach the register
	looked time.Time

	mu       sync.Mutex
	unserved map[ledger.QueueState]bool // by kind and queue
	jobs     int64
}

// NewAttendance makes the attendance of the process who. It starts nothing. o may be nil.
func NewAttendance(r Register, who ledger.Presence, o *AttendanceOptions) *Attendance {
	opts := AttendanceOptions{}
	if o != nil {
		opts = *o
	}
	opts.Every = cmp.Or(opts.Every, ledger.PresenceEvery)
	opts.QueuesEvery = cmp.Or(opts.QueuesEvery, time.Minute)
	opts.Timeout = cmp.Or(opts.Timeout, 10*time.Second)
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	return &Attendance{register: r, who: who, opts: opts, unserved: map[ledger.QueueState]bool{}}
}

// Unserved is how many queues have jobs that can run and that nobody serves, and how
// many jobs those are. Both are 0 in all processes but the one that looks after the
// queues.
func (a *Attendance) Unserved() (queues, jobs int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return int64(len(a.unserved)), a.jobs
}

// Run attends until ctx ends, and says then that the process has gone. It returns nil.
func (a *Attendance) Run(ctx context.Context) error {
	for {
		a.attend(ctx)
		t := time.NewTimer(jitter(a.opts.Every))
		select {
		case <-ctx.Done():
			t.Stop()
			gone, cancel := context.WithTimeout(context.WithoutCancel(ctx), a.opts.Timeout)
			defer cancel()
			if err := a.register.Gone(gone, a.who); err != nil {
				a.opts.Logger.WarnContext(gone, "the end of the process couldn't be noted; it counts as there for a while", "error", err)
			}
			return nil
		case <-t.C:
		}
	}
}

// attend says once that the process is there, and looks after the queues when it is
// time.
func (a *Attendance) attend(ctx context.Context) {
	timed, cancel := context.WithTimeout(ctx, a.opts.Timeout)
	defer cancel()
	err := a.register.Present(timed, a.who)
	if err == nil && now().Sub(a.looked) >= a.opts.QueuesEvery {
		err = a.lookAfter(timed)
	}
	if err != nil && !a.silent && ctx.Err() == nil {
		a.opts.Logger.WarnContext(ctx, "it couldn't be noted that the process is there; trying again", "error", err)
	}
	a.silent = err != nil
}

// lookAfter looks at the queues, if that is this process's part.
func (a *Attendance) lookAfter(ctx context.Context) error {
	there, err := a.register.Fleet(ctx)
	if err != nil {
		return err
	}
	there = slices.DeleteFunc(there, func(p ledger.Presence) bool { return p.Role == ledger.RoleVerifier })
	var queues []ledger.QueueState
	if len(there) > 0 && there[0].Role == a.who.Role && there[0].Name == a.who.Name {
		if queues, err = a.register.Queues(ctx, ledger.QueueFilter{Limit: 1000}); err != nil {
			return err
		}
	} else if len(there) > 0 {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.unserved, a.jobs = map[ledger.QueueState]bool{}, 0 // it is somebody else's affair
		a.looked = now()
		return nil
	}
	a.looked = now()
	a.raise(ctx, queues)
	return nil
}

// raise raises the alarm of queues that have come to be unserved, and takes back that
// of others. Each is logged once.
func (a *Attendance) raise(ctx context.Context, queues []ledger.QueueState) {
	a.mu.Lock()
	defer a.mu.Unlock()
	before := a.unserved
	a.unserved, a.jobs = map[ledger.QueueState]bool{}, 0
	for i := range queues {
		q := &queues[i]
		if !q.Unserved() {
			continue
		}
		key := ledger.QueueState{Kind: q.Kind, Queue: q.Queue}
		a.unserved[key], a.jobs = true, a.jobs+q.Due
		if !before[key] {
			a.opts.Logger.ErrorContext(ctx, "jobs wait in a queue that nobody serves: start a worker for it, or move them with \"switchtape jobs move\"",
				"queue", q.Queue, "kind", q.Kind, "jobs", q.Due, "oldest", q.Oldest.Round(time.Second))
		}
	}
	for key := range before {
		if !a.unserved[key] {
			a.opts.Logger.InfoContext(ctx, "no jobs wait any more in a queue that nobody served", "queue", key.Queue, "kind", key.Kind)
		}
	}
}
