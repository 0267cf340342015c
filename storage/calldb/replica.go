package calldb

import (
	"context"
	"database/sql"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/switchtape/switchtape/callmodel"
)

// replica is a standby of the database that is asked for lists and reports in its
// place, as long as it answers and is not far behind.
type replica struct {
	pool   *pool
	name   string
	maxLag time.Duration

	asking sync.Mutex  // held by who asks how far behind it is
	fresh  atomic.Bool // it was asked less than lagEvery ago
	state  atomic.Pointer[Replica]
}

const (
	// lagEvery is how often a replica in use is asked how far behind it is.
	lagEvery = time.Second
	// lagWait is how long it may take to say so.
	lagWait = time.Second
)

// Replica is how a replica was when it was asked last.
type Replica struct {
	Name string // without its password
	// Lag is how far it was behind.
	Lag time.Duration
	// Err is why it can't be asked for lists, nil if it can.
	Err error
}

// Replica says how the replica of Options.ReplicaURL is; false if there is none. It
// asks nothing.
func (d *DB) Replica() (Replica, bool) {
	if d.replica == nil {
		return Replica{}, false
	}
	return *d.replica.state.Load(), true
}

// openReplica opens the replica without connecting.
func openReplica(o *Options) (*replica, error) {
	db, _, err := openPostgres(o.ReplicaURL, o)
	if err != nil {
		return nil, err
	}
	r := &replica{pool: newPool(db, postgresDialect()), name: "PostgreSQL " + redact(o.ReplicaURL), maxLag: o.MaxLag}
	r.state.Store(&Replica{Name: r.name, Err: errors.New("it was not asked yet")})
	return r, nil
}

// list is view for what may be as old as Options.MaxLag: it runs on the replica, if
// there is one that is fit, and if that fails, on the database. fn may run twice. A
// replica that only takes long is not relieved: the database has calls to store.
func (d *DB) list(ctx context.Context, op string, fn func(context.Context, *tx) error) error {
	if d.replica == nil {
		return d.view(ctx, op, fn)
	}
	return d.bounded(ctx, op, func(ctx context.Context) error {
		if err := d.use(ctx); err != nil {
			return err
		}
		if !d.replica.fit(ctx) {
			return d.fail(op, d.once(ctx, d.read, fn))
		}
		err := d.once(ctx, d.replica.pool, fn)
		var own *callmodel.Error
		if err == nil || ctx.Err() != nil || errors.As(err, &own) {
			return d.fail(op, err)
		}
		// It is away, behind the schema, or had to give up what it was reading (hot
		// standby conflicts, PostgreSQL manual section 27.4.2).
		if unfit := d.dialect.classify(err); unfit != faultRetry && unfit != faultOther {
			d.replica.found(0, err)
		}
		return d.fail(op, d.once(ctx, d.read, fn))
	})
}

// fit reports whether the replica may be asked. One caller at a time finds out, the
// others go by what was found last.
func (r *replica) fit(ctx context.Context) bool {
	last := r.state.Load()
	if !r.fresh.Load() && r.asking.TryLock() {
		defer r.asking.Unlock()
		lag, err := r.ask(ctx)
		if ctx.Err() != nil {
			return false
		}
		last = r.found(lag, err)
	}
	return last.Err == nil
}

// found keeps what was found of the replica.
func (r *replica) found(lag time.Duration, err error) *Replica {
	if err == nil && lag > r.maxLag {
		err = callmodel.Errorf(callmodel.CodeUnavailable, "calldb: %s is %v behind the database, more than %v", r.name, lag.Round(time.Millisecond), r.maxLag)
	}
	s := &Replica{Name: r.name, Lag: lag, Err: err}
	r.state.Store(s)
	if !r.fresh.Swap(true) {
		time.AfterFunc(lagEvery, func() { r.fresh.Store(false) })
	}
	return s
}

// lagQuery is how many microseconds the replica is behind: nothing, where it has
// replayed all that it got and is connected to get more. PostgreSQL manual section
// 9.27.4; a server that isn't in recovery is never behind.
const lagQuery = `SELECT CASE
	WHEN NOT pg_is_in_recovery() THEN 0
	WHEN pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() AND EXISTS (SELECT FROM pg_stat_wal_receiver WHERE pid IS NOT NULL) THEN 0
	ELSE (extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp()) * 1000000)::bigint END`

func (r *replica) ask(ctx context.Context) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, lagWait)
	defer cancel()
	var us sql.NullInt64
	if err := r.pool.QueryRowContext(ctx, lagQuery).Scan(&us); err != nil {
		return 0, err
	}
	if !us.Valid {
		return 0, errors.New("it has replayed nothing yet")
	}
	return time.Duration(us.Int64) * time.Microsecond, nil
}
