// Package ops is what a running service shows of itself: structured logs,
// /healthz, /readyz and /metrics.
package ops

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// LogOptions say what is logged and how.
type LogOptions struct {
	LogLevel  string `default:"info" enum:"debug,info,warn,error" help:"Least severe level that is logged: ${enum}."`
	LogFormat string `default:"json" enum:"json,text"             help:"Form of the log lines: ${enum}."`
}

// Logger makes the logger.
func (o LogOptions) Logger(w io.Writer) *slog.Logger {
	var level slog.Level
	if level.UnmarshalText([]byte(o.LogLevel)) != nil {
		level = slog.LevelInfo
	}
	opts := &slog.HandlerOptions{Level: level}
	if o.LogFormat == "text" {
		return slog.New(slog.NewTextHandler(w, opts))
	}
	return slog.New(slog.NewJSONHandler(w, opts))
}

// Check is one thing that must work for the service to be ready.
type Check struct {
	Name  string
	Check func(ctx context.Context) error
	// Detail is said when it works, instead of "ok". Nil or "": "ok".
	Detail func() string
	// Tolerated reports whether the service is ready all the same when it
	// doesn't work. Nil: it isn't.
	Tolerated func() bool
	// Alive is an error when the process had better be started anew: /healthz fails
	// with it. Nil: it never needs to be for this.
	Alive func() error
}

func (c *Check) line(ctx context.Context) (text string, ok bool) {
	err := c.Check(ctx)
	switch {
	case err != nil && c.Tolerated != nil && c.Tolerated():
		return c.Name + ": degraded: " + err.Error(), true
	case err != nil:
		return c.Name + ": " + err.Error(), false
	case c.Detail != nil && c.Detail() != "":
		return c.Name + ": " + c.Detail(), true
	default:
		return c.Name + ": ok", true
	}
}

// checkTimeout bounds what a probe waits for.
const checkTimeout = 2 * time.Second

// Mount adds the endpoints that probes and scrapers use to mux.
func Mount(mux *http.ServeMux, m *Metrics, checks ...Check) {
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		for _, c := range checks {
			if c.Alive == nil {
				continue
			}
			if err := c.Alive(); err != nil {
				w.WriteHeader(http.StatusServiceUnavailable)
				fmt.Fprintln(w, c.Name+": "+err.Error())
				return
			}
		}
		fmt.Fprintln(w, "ok")
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), checkTimeout)
		defer cancel()
		lines, failed := []string{}, false
		for _, c := range checks {
			line, ok := c.line(ctx)
			lines, failed = append(lines, line), failed || !ok
		}
		slices.Sort(lines)
		if failed {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		fmt.Fprintln(w, strings.Join(lines, "\n"))
	})
	// Without the database there is no word of the ledger, and of the rest there is.
	mux.Handle("GET /metrics", promhttp.HandlerFor(m.Registry, promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError}))
}
