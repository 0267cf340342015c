package service

import (
	"cmp"
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/problem"
	"github.com/switchtape/switchtape/cmd/internal/auth"
	"github.com/switchtape/switchtape/cmd/internal/ops"
)

// AdminOptions say where a process shows its metrics and profiles.
type AdminOptions struct {
	AdminListener string `help:"Address of its own, on loopback if it names no host, for /metrics, /debug/pprof (for this machine alone) and probes; the other has no /metrics then. Default: it has, and there are no profiles." name:"admin-listener" placeholder:"ADDR"`
	// NoLedgerMetrics is for fleets of hundreds: each process that counts the ledger asks the database.
	NoLedgerMetrics bool `help:"Leave the counts of the whole ledger, switchtape_jobs and its age, out of /metrics: for the many workers of a fleet whose APIs have them." name:"no-ledger-metrics"`
}

func (o AdminOptions) set() bool { return o.AdminListener != "" }

// Admin is the listener; nil if there is none.
type Admin struct{ l net.Listener }

// OpenAdmin opens the listener, if there is to be one.
func (o AdminOptions) OpenAdmin(ctx context.Context) (*Admin, error) {
	if !o.set() {
		return nil, nil //nolint:nilnil // it is said so above
	}
	host, port, err := net.SplitHostPort(o.AdminListener)
	if err != nil {
		return nil, callmodel.Errorf(callmodel.CodeInvalid, "--admin-listener: %w", err)
	}
	l, err := Listen(ctx, net.JoinHostPort(cmp.Or(host, "127.0.0.1"), port))
	if err != nil {
		return nil, err
	}
	return &Admin{l}, nil
}

// Close gives up a listener that nobody serves.
func (a *Admin) Close() error {
	if a == nil {
		return nil
	}
	return a.l.Close()
}

// Addr is the listener's address; nil without one.
func (a *Admin) Addr() net.Addr {
	if a == nil {
		return nil
	}
	return a.l.Addr()
}

// Serve answers requests until ctx ends.
func (a *Admin) Serve(ctx context.Context, h http.Handler, log *slog.Logger) error {
	if a == nil {
		return nil
	}
	log.InfoContext(ctx, "metrics and profiles", "address", a.l.Addr().String())
	return Serve(ctx, a.l, h, log)
}

func adminHandler(m *ops.Metrics, checks []ops.Check) http.Handler {
	mux := http.NewServeMux()
	ops.Mount(mux, checks...)
	ops.MountMetrics(mux, m)
	// Not the command line, which may hold secrets.
	for path, f := range map[string]http.HandlerFunc{
		"/debug/pprof/": pprof.Index, "/debug/pprof/profile": pprof.Profile,
		"/debug/pprof/symbol": pprof.Symbol, "/debug/pprof/trace": pprof.Trace,
		"/debug/pprof/cmdline": problem.NotFound,
	} {
		mux.Handle(path, thisMachine(f))
	}
	return mux
}

// thisMachine answers h to requests from this machine alone: profiles show what is in
// memory, and take the processor to make.
func thisMachine(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, _, err := net.SplitHostPort(r.RemoteAddr)
		if err != nil || !auth.Loopback(host) || r.Header.Get("X-Forwarded-For") != "" {
			problem.Write(w, callmodel.Errorf(callmodel.CodeForbidden, "profiles are for this machine alone"))
			return
		}
		h.ServeHTTP(w, r)
	})
}
