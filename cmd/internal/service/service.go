// Package service wires the rooms of the library into the processes that the
// binaries run: stores, the API, the worker, and the HTTP server around them.
//
//	flags ─▶ Open ─▶ Stores ─┬─▶ API ────▶ handler ─┐
//	                         └─▶ Worker ─▶ run ─────┼─▶ Group.Run until SIGTERM
//	                                       Server ──┘
package service

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/cmd/internal/auth"
	"github.com/switchtape/switchtape/cmd/internal/ops"
	"github.com/switchtape/switchtape/routing/snapshot"
	"github.com/switchtape/switchtape/storage"
	"github.com/switchtape/switchtape/storage/calldb"
)

// DefaultTenant is whom a machine's own user acts for when there are no API keys.
const DefaultTenant callmodel.TenantID = "default"

// DBOptions name the database.
type DBOptions struct {
	DB string `help:"Database: sqlite:///path/to.db or postgres://user:password@host/database." placeholder:"URL" required:""`
}

// BucketOptions name the bucket.
type BucketOptions struct {
	Bucket      string        `help:"Bucket of the recordings: s3://, gs://, azblob:// or file:///path." placeholder:"URL" required:""`
	SpoolDir    string        `help:"Directory in which large recordings wait for their upload. Default: the system's temporary directory." type:"path"`
	BucketStall time.Duration `help:"An upload or download that moves no byte for so long fails, and is tried again." default:"30s"`
	PublicURL   string        `help:"URL under which this server is reached, for signed links to a file:// bucket." placeholder:"URL"`
	SignSecret  string        `help:"Secret that signs links to a file:// bucket; the same on every server." placeholder:"SECRET"`
}

// Stores are a process's connections.
type Stores struct {
	DB *calldb.DB
	// Emergency is the same database over connections of its own, for emergency
	// calls. Nil: they share DB's, as on SQLite, which has one writer anyway.
	Emergency *calldb.DB
	Objects   *storage.Store
}

// OpenDB connects to the database and checks that its schema is this program's.
func OpenDB(ctx context.Context, o DBOptions, migrate bool) (*calldb.DB, error) {
	return openDB(ctx, o, nil, migrate)
}

// workerConns is how many connections a worker has to PostgreSQL at most, beside the one
// that listens for jobs: one to claim, one to renew leases and one to commit, each of
// which it needs for a few milliseconds a job. Three hundred workers need 1,200 then at
// the very most, and 600 while they are idle.
const workerConns = 3

// OpenWorkerDB is OpenDB for a process that only makes recordings.
func OpenWorkerDB(ctx context.Context, o DBOptions, migrate bool) (*calldb.DB, error) {
	return openDB(ctx, o, &calldb.Options{MaxConns: workerConns}, migrate)
}

func openDB(ctx context.Context, o DBOptions, opts *calldb.Options, migrate bool) (*calldb.DB, error) {
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
		err = s.OpenEmergency(ctx, o)
	}
	return s, prepare, err
}

// OpenEmergency gives the emergency lane connections of its own, where they are
// of use. It doesn't ask the database anything.
func (s *Stores) OpenEmergency(ctx context.Context, o DBOptions) (err error) {
	if !strings.HasPrefix(o.DB, "sqlite:") {
		s.Emergency, err = calldb.Open(ctx, o.DB, &calldb.Options{Later: true, MaxConns: emergencyConns})
	}
	return err
}

// emergencyConns is how many connections the emergency lane has.
const emergencyConns = 4

func openDBOrLater(ctx context.Context, o DBOptions, migrate bool) (db *calldb.DB, prepare func(context.Context) error, err error) {
	if db, err = calldb.Open(ctx, o.DB, &calldb.Options{Later: true}); err != nil {
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

// Close closes both.
func (s *Stores) Close() error {
	var err error
	if s.Objects != nil {
		err = s.Objects.Close()
	}
	for _, db := range []*calldb.DB{s.Emergency, s.DB} {
		if db != nil {
			err = errors.Join(err, db.Close())
		}
	}
	return err
}

// Listen opens a TCP address. A port in use is an error that says so.
func Listen(ctx context.Context, addr string) (net.Listener, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, callmodel.Errorf(callmodel.CodeUnavailable, "%s is in use by another program; stop it, or give another address with --listen: %w",
			addr, err)
	}
	if err != nil {
		return nil, callmodel.Errorf(callmodel.CodeUnavailable, "listening on %s: %w", addr, err)
	}
	return l, nil
}

// shutdownGrace is how long open requests may take once the process is told to end.
const shutdownGrace = 10 * time.Second

// Serve answers requests on l until ctx ends, and then those that are open.
func Serve(ctx context.Context, l net.Listener, h http.Handler, log *slog.Logger) error {
	return serve(ctx, l, h, 0, log)
}

// serve is Serve with at most so many connections; 0 means any number.
func serve(ctx context.Context, l net.Listener, h http.Handler, most int, log *slog.Logger) error {
	srv := &http.Server{
		Handler:           h,
		ConnState:         newConns(most).changed,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       60 * time.Second,
		WriteTimeout:      10 * time.Minute, // a long recording over a slow line
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
		BaseContext:       func(net.Listener) context.Context { return context.WithoutCancel(ctx) },
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("serving on %s: %w", l.Addr(), err)
		}
		return nil
	})
	group.Go(func() error {
		<-ctx.Done()
		stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownGrace)
		defer cancel()
		if err := srv.Shutdown(stop); err != nil {
			return errors.Join(fmt.Errorf("requests were still open after %v", shutdownGrace), srv.Close())
		}
		return nil
	})
	return group.Wait()
}

// onLoopback refuses an address that other machines can reach.
func onLoopback(addr net.Addr) error {
	host, _, err := net.SplitHostPort(addr.String())
	if err != nil || !auth.Loopback(host) {
		return callmodel.Errorf(callmodel.CodeInvalid,
			"%s can be reached from other machines; ask for API keys with --keys or --db-keys, or listen on 127.0.0.1", addr)
	}
	return nil
}

// dbCheck is the database's part in being ready.
func dbCheck(db *calldb.DB) ops.Check { return ops.Check{Name: "database", Check: db.Ping} }

// HostName is this machine's name as a queue and worker name: characters that
// an id can't have become '-'.
func HostName() string {
	name, err := os.Hostname()
	if err != nil || name == "" {
		return ledger.DefaultQueue
	}
	clean := []byte(name)
	for i := range clean {
		if !callmodel.ValidID("x" + string(clean[i])) {
			clean[i] = '-'
		}
	}
	if s := strings.Trim(string(clean), "-."); callmodel.ValidID(s) {
		return s
	}
	return ledger.DefaultQueue
}

// SQLiteURL is the database of a directory.
func SQLiteURL(dir string) string { return calldb.SQLiteURL(filepath.Join(dir, "switchtape.db")) }

// FileURL is the bucket of a directory.
func FileURL(dir string) string {
	abs, err := filepath.Abs(dir)
	if err != nil {
		abs = dir
	}
	return (&url.URL{Scheme: "file", Path: filepath.ToSlash(abs)}).String()
}
