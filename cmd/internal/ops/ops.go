// Package ops is what a running service shows of itself: structured logs,
// /healthz (and /livez), /readyz, /metrics and /debug/pprof.
package ops

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.opentelemetry.io/otel/trace"
)

// LogOptions say what is logged and how.
type LogOptions struct {
	LogLevel  string `default:"info" enum:"debug,info,warn,error" help:"Least severe level that is logged: ${enum}."`
	LogFormat string `default:"json" enum:"json,text"             help:"Form of the log lines: ${enum}."`

	LogLevelFile string `help:"File that holds the level, in the place of --log-level; read again at SIGHUP." placeholder:"FILE" type:"path"`
}

// Logger makes the logger.
func (o LogOptions) Logger(w io.Writer) *slog.Logger {
	log, _ := o.Reloadable(w)
	return log
}

// Level is the log level of a running process.
type Level struct {
	level slog.LevelVar
	file  string // that of --log-level-file; "": there is none
}

// Set changes the level to the one of that name; others are none.
func (l *Level) Set(name string) {
	if l.file == "" {
		_ = l.level.UnmarshalText([]byte(name)) // one of the levels, or else as if nothing was said
	}
}

// Reload reads the level again from its file. Without a file, or if it can't be read, the
// level stays.
func (l *Level) Reload() error {
	if l.file == "" {
		return nil
	}
	b, err := os.ReadFile(l.file)
	if err != nil {
		return fmt.Errorf("--log-level-file: %w", err)
	}
	if err := l.level.UnmarshalText(bytes.TrimSpace(b)); err != nil {
		return fmt.Errorf("--log-level-file: %s: %w", l.file, err)
	}
	return nil
}

// Reloadable makes the logger, and what changes its level.
func (o LogOptions) Reloadable(w io.Writer) (*slog.Logger, *Level) {
	level := &Level{file: o.LogLevelFile}
	_ = level.level.UnmarshalText([]byte(o.LogLevel)) // one of the levels, or else as if nothing was said
	opts := &slog.HandlerOptions{Level: &level.level, ReplaceAttr: withUnits}
	var handler slog.Handler = slog.NewJSONHandler(w, opts)
	if o.LogFormat == "text" {
		handler = slog.NewTextHandler(w, opts)
	}
	log := slog.New(traced{handler})
	if err := level.Reload(); err != nil {
		log.Error("the log level can't be read from its file", "error", err)
	}
	return log, level
}

// traceKey is the name of a trace's id in the log.
const traceKey = "trace_id"

// traced is a handler whose lines have the id of the trace that they belong to, if that
// is kept.
type traced struct{ slog.Handler }

// Handle implements slog.Handler.
func (t traced) Handle(ctx context.Context, r slog.Record) error {
	if span := trace.SpanContextFromContext(ctx); span.IsSampled() {
		r.AddAttrs(slog.String(traceKey, span.TraceID().String()))
	}
	return t.Handler.Handle(ctx, r)
}

// WithAttrs implements slog.Handler.
func (t traced) WithAttrs(attrs []slog.Attr) slog.Handler { return traced{t.Handler.WithAttrs(attrs)} }

// WithGroup implements slog.Handler.
func (t traced) WithGroup(name string) slog.Handler { return traced{t.Handler.WithGroup(name)} }

// withUnits writes durations as 8.127s: JSON has them as a number of nanoseconds otherwise,
// which looks like any other.
func withUnits(_ []string, a slog.Attr) slog.Attr {
	if a.Value.Kind() == slog.KindDuration {
		d := a.Value.Duration()
		if d > time.Second || d < -time.Second {
			d = d.Round(time.Millisecond)
		}
		a.Value = slog.StringValue(d.String())
	}
	return a
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

// Mount adds the endpoints that probes use to mux.
func Mount(mux *http.ServeMux, checks ...Check) {
	alive := func(w http.ResponseWriter, _ *http.Request) {
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
	}
	mux.HandleFunc("GET /healthz", alive)
	mux.HandleFunc("GET /livez", alive)
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
}

// MountMetrics adds /metrics to mux.
func MountMetrics(mux *http.ServeMux, m *Metrics) {
	// Without the database there is no word of the ledger, and of the rest there is. A scraper
	// that takes OpenMetrics gets exemplars.
	mux.Handle("GET /metrics", promhttp.HandlerFor(m.Registry, promhttp.HandlerOpts{
		ErrorHandling: promhttp.ContinueOnError, EnableOpenMetrics: true,
	}))
}
