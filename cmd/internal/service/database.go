package service

import (
	"cmp"
	"context"
	"errors"
	"strings"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/cmd/internal/ops"
	"github.com/switchtape/switchtape/routing/snapshot"
	"github.com/switchtape/switchtape/storage/calldb"
)

// DBOptions name the database.
type DBOptions struct {
	DB string `help:"Database: sqlite:///path/to.db or postgres://user@host/database, with several hosts where one takes over from another. With a password: @FILE, or in the environment." placeholder:"URL" type:"private" required:""`

	DBConns int `help:"Connections to PostgreSQL at most, beside those of the emergency lane. 0: 8, and 3 of a worker." default:"0"`

	SecretOptions

	replica ReplicaOptions
}

// options are those of the connections.
func (o *DBOptions) options() *calldb.Options {
	return &calldb.Options{MaxConns: o.DBConns, ReplicaURL: o.replica.DBReplica, MaxLag: o.replica.DBMaxLag}
}

// ReplicaOptions name a replica of the database.
type ReplicaOptions struct {
	DBReplica string        `help:"Standby of the PostgreSQL database that is asked for lists of calls and reports, as --db. While it is away or too far behind, the database is." placeholder:"URL" type:"private"`
	DBMaxLag  time.Duration `help:"How far behind the replica may be." default:"30s"`
}

// OpenDB connects to the database and checks that its schema is this program's.
func OpenDB(ctx context.Context, o DBOptions, migrate bool) (*calldb.DB, error) {
	return openDB(ctx, o, o.options(), migrate)
}

// workerConns is how many connections a worker has to PostgreSQL at most, beside the one
// that listens for jobs: one to claim, one to renew leases and one to commit, each of
// which it needs for a few milliseconds a job. Three hundred workers need 1,200 then at
// the very most, and 600 while they are idle.
const workerConns = 3

// OpenWorkerDB is OpenDB for a process that only makes recordings.
func OpenWorkerDB(ctx context.Context, o DBOptions, migrate bool) (*calldb.DB, error) {
	return openDB(ctx, o, &calldb.Options{MaxConns: cmp.Or(o.DBConns, workerConns)}, migrate)
}

func openDB(ctx context.Context, o DBOptions, opts *calldb.Options, migrate bool) (*calldb.DB, error) {
	var err error
	if opts.SecretKeys, err = o.KeysOfSecrets(ctx); err != nil {
		return nil, err
	}
	db, err := calldb.Open(ctx, o.DB, opts)
	if err != nil {
		return nil, err
	}
	if migrate {
		_, err = db.Migrate(ctx)
	} else {
		err = db.CheckSchema(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

const (
	// startWait is how long a service that can start without the database waits
	// for its first word: less than reading a large snapshot takes.
	startWait = 250 * time.Millisecond
	// prepareWait is how long it waits for one that does answer, or is a file of this
	// machine: it may be about to migrate, and ordinary calls need it.
	prepareWait = 5 * time.Second
	// retryWait is the time between two attempts at what could not be done then.
	retryWait = time.Second
)

// OpenDBOrSnapshot is OpenDB for a service that keeps its rules in the directory
// at kept. If it holds any, the service can start without the database: when that
// doesn't answer at once, prepare is what has to be done until it succeeds.
// Faults that waiting doesn't mend are errors.
func OpenDBOrSnapshot(ctx context.Context, o DBOptions, migrate bool, kept string) (db *calldb.DB, prepare func(context.Context) error, err error) {
	if kept == "" || !snapshot.Exists(kept) {
		db, err = OpenDB(ctx, o, migrate)
		return db, nil, err
	}
	return openDBOrLater(ctx, o, migrate)
}

// OpenForCalls opens the stores of a service that takes calls. With a snapshot of
// its rules or with somewhere for emergency calls to go it starts without the
// database: see OpenDBOrSnapshot.
func OpenForCalls(ctx context.Context, o DBOptions, migrate bool, api APIOptions) (s *Stores, prepare func(context.Context) error, err error) {
	s = &Stores{}
	o.replica = api.ReplicaOptions
	lane := o
	if api.Lane == LaneHigh {
		o.DBConns = highConns // the flag's are the lane's
	} else {
		lane.DBConns = emergencyConns
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	if len(api.Emergency) > 0 {
		s.DB, prepare, err = openDBOrLater(ctx, o, migrate)
	} else {
		s.DB, prepare, err = OpenDBOrSnapshot(ctx, o, migrate, api.RulesSnapshot)
	}
	if err == nil {
		err = s.OpenEmergency(ctx, lane)
	}
	return s, prepare, err
}

// OpenEmergency gives the emergency lane connections of its own, where they are
// of use: so many as o says, or emergencyConns. It doesn't ask the database anything.
func (s *Stores) OpenEmergency(ctx context.Context, o DBOptions) (err error) {
	if !strings.HasPrefix(o.DB, "sqlite:") {
		s.Emergency, err = calldb.Open(ctx, o.DB, &calldb.Options{Later: true, MaxConns: cmp.Or(o.DBConns, emergencyConns)})
	}
	return err
}

const (
	// emergencyConns is how many connections the emergency lane has.
	emergencyConns = 4
	// highConns is how many a process of that lane alone has beside them: to follow the
	// rules, the users and the keys.
	highConns = 2
)

func openDBOrLater(ctx context.Context, o DBOptions, migrate bool) (db *calldb.DB, prepare func(context.Context) error, err error) {
	opts := o.options()
	opts.Later = true
	if opts.SecretKeys, err = o.KeysOfSecrets(ctx); err != nil {
		return nil, nil, err
	}
	if db, err = calldb.Open(ctx, o.DB, opts); err != nil {
		return nil, nil, err
	}
	prepare = db.CheckSchema
	if migrate {
		prepare = func(ctx context.Context) error {
			_, err := db.Migrate(ctx)
			return err
		}
	}
	once, cancel := context.WithTimeout(ctx, prepareWait)
	defer cancel()
	if err = answers(once, db, o); err == nil {
		err = prepare(once)
	}
	switch {
	case err == nil:
		return db, nil, nil
	case mends(err):
		return db, prepare, nil
	default:
		return nil, nil, errors.Join(err, db.Close())
	}
}

// answers is nil if the database answers within startWait. A file needs no asking.
func answers(ctx context.Context, db *calldb.DB, o DBOptions) error {
	if strings.HasPrefix(o.DB, "sqlite:") {
		return nil
	}
	soon, cancel := context.WithTimeout(ctx, startWait)
	defer cancel()
	return db.Ping(soon)
}

// mends reports whether the fault may be gone later.
func mends(err error) bool {
	return callmodel.CodeOf(err) == callmodel.CodeUnavailable || errors.Is(err, context.DeadlineExceeded)
}

// dbCheck is the database's part in being ready.
func dbCheck(db *calldb.DB) ops.Check { return ops.Check{Name: "database", Check: db.Ping} }

// watchReplica shows how the database's replica is, if it has one.
func watchReplica(db *calldb.DB, m *ops.Metrics) {
	if _, ok := db.Replica(); !ok {
		return
	}
	m.Gauge("switchtape_db_replica_used", func() float64 {
		if r, _ := db.Replica(); r.Err != nil {
			return 0
		}
		return 1
	})
	m.Gauge("switchtape_db_replica_lag_seconds", func() float64 {
		r, _ := db.Replica()
		return r.Lag.Seconds()
	})
}
