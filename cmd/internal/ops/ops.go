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
}

// checkTimeout bounds what a probe waits for.
const checkTimeout = 2 * time.Second

// Mount adds the endpoints that probes and scrapers use to mux.
func Mount(mux *http.ServeMux, m *Metrics, checks ...Check) {
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, "ok")
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), checkTimeout)
		defer cancel()
		lines, failed := []string{}, false
		for _, c := range checks {
			if err := c.Check(ctx); err != nil {
				failed = true
				lines = append(lines, c.Name+": "+err.Error())
				continue
			}
			lines = append(lines, c.Name+": ok")
		}
		slices.Sort(lines)
		if failed {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		fmt.Fprintln(w, strings.Join(lines, "\n"))
	})
	mux.Handle("GET /metrics", promhttp.HandlerFor(m.Registry, promhttp.HandlerOpts{}))
}
