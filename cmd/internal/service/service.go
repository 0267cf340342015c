// Package service wires the rooms of the library into the processes that the
// binaries run: stores, the API, the worker, and the HTTP server around them.
//
//	flags ─▶ Open ─▶ Stores ─┬─▶ API ────▶ handler ─┐
//	                         └─▶ Worker ─▶ run ─────┼─▶ Group.Run until SIGTERM
//	                                       Server ──┘
package service

import (
	"context"
	"database/sql"
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
	"github.com/switchtape/switchtape/cmd/internal/cli"
	"github.com/switchtape/switchtape/storage"
	"github.com/switchtape/switchtape/storage/calldb"
)

// DefaultTenant is whom a machine's own user acts for when there are no API keys.
const DefaultTenant callmodel.TenantID = "default"

// BucketOptions name the bucket.
type BucketOptions struct {
	Bucket       string        `help:"Bucket of the recordings: s3://, gs://, azblob:// or file:///path." placeholder:"URL" required:""`
	BackupBucket string        `help:"Where recordings are stored while their bucket is away; they are moved to it, and removed here, when it is back. Give it to the APIs, too, which serve them meanwhile. Default: they wait." placeholder:"URL"`
	SpoolDir     string        `help:"Directory in which large recordings wait for their upload. Default: the system's temporary directory." type:"path"`
	BucketStall  time.Duration `help:"An upload or download that moves no byte for so long fails, and is tried again." default:"30s"`
	PublicURL    string        `help:"URL under which this server is reached, for signed links to a file:// bucket." placeholder:"URL"`
	SignSecret   cli.Secret    `help:"Secret that signs links to a file:// bucket; the same on every server. In a file, or in the environment." placeholder:"@FILE"`

	EncryptionOptions
}

// Stores are a process's connections.
type Stores struct {
	DB *calldb.DB
	// Emergency is the same database over connections of its own, for emergency
	// calls. Nil: they share DB's, as on SQLite, which has one writer anyway.
	Emergency *calldb.DB
	Objects   *storage.Store
	// Backup is where recordings are while Objects is away; nil for none. Objects reads
	// from it, too.
	Backup *storage.Store
	// SpoolDir is where large recordings wait for their upload; "" for the system's
	// temporary directory.
	SpoolDir string

	keys *currentKeys // that the buckets are opened with; nil: none
}

// pools are the connections to the database, by what they are for.
func (s *Stores) pools() map[string]sql.DBStats {
	all := s.DB.Connections()
	if s.Emergency != nil {
		all["emergency"] = s.Emergency.Connections()["calls"]
	}
	return all
}

// Close closes all.
func (s *Stores) Close() error {
	var err error
	for _, b := range []*storage.Store{s.Objects, s.Backup} {
		if b != nil {
			err = errors.Join(err, b.Close())
		}
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
