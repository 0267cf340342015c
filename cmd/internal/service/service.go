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
	Bucket     string `help:"Bucket of the recordings: s3://, gs://, azblob:// or file:///path." placeholder:"URL" required:""`
	SpoolDir   string `help:"Directory in which large recordings wait for their upload. Default: the system's temporary directory." type:"path"`
	PublicURL  string `help:"URL under which this server is reached, for signed links to a file:// bucket." placeholder:"URL"`
	SignSecret string `help:"Secret that signs links to a file:// bucket; the same on every server." placeholder:"SECRET"`
}

// Stores are a process's connections.
type Stores struct {
	DB      *calldb.DB
	Objects *storage.Store
}

// OpenDB connects to the database and checks that its schema is this program's.
func OpenDB(ctx context.Context, o DBOptions, migrate bool) (*calldb.DB, error) {
	db, err := calldb.Open(ctx, o.DB, nil)
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
	// for it: less than reading a large snapshot takes.
	startWait = 250 * time.Millisecond
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
	once, cancel := context.WithTimeout(ctx, startWait)
	defer cancel()
	switch err := prepare(once); {
	case err == nil:
		return db, nil, nil
	case mends(err):
		return db, prepare, nil
	default:
		return nil, nil, errors.Join(err, db.Close())
	}
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
	if s.DB != nil {
		err = errors.Join(err, s.DB.Close())
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
	srv := &http.Server{
		Handler:           h,
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

// Guard puts the authentication around h: the keys of keyFile, or, without
// one and on loopback only, this machine's user as the default tenant's operator.
func Guard(h http.Handler, keyFile string, addr net.Addr) (http.Handler, error) {
	if keyFile != "" {
		keys, err := auth.Load(keyFile)
		if err != nil {
			return nil, err
		}
		return keys.Require(h), nil
	}
	host, _, err := net.SplitHostPort(addr.String())
	if err != nil || !auth.Loopback(host) {
		return nil, callmodel.Errorf(callmodel.CodeInvalid,
			"%s can be reached from other machines; give a file of API keys with --keys, or listen on 127.0.0.1", addr)
	}
	return auth.Local(callmodel.Principal{TenantID: DefaultTenant, Subject: "local", Scopes: auth.RoleScopes(auth.RoleOperator)}, h), nil
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
