package ops

import (
	"cmp"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/problem"
	"github.com/switchtape/switchtape/callmodel/tracing"
)

// exemplarFrom is from when a request has an exemplar: the quick ones, of which there are
// thousands a second, need none.
const exemplarFrom = 10 * time.Millisecond

// HTTP measures the requests that next answers, and writes each to the access log, unless
// that is nil. Routes are the patterns that Noted, which is to stand around the routes
// themselves, has found, so that ids in paths don't become labels.
func (m *Metrics) HTTP(next http.Handler, access *slog.Logger) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := m.now()
		rec := &recorder{ResponseWriter: w, status: http.StatusOK}
		if m.Tracer != nil {
			ctx := m.Tracer.Within(r.Context(), r.Header.Get(tracing.Header))
			ctx, rec.span = m.Tracer.Start(ctx, r.Method)
			rec.trace = traceID(m.Tracer.Traceparent(ctx))
			r = r.WithContext(ctx)
		}
		next.ServeHTTP(rec, r)
		elapsed := m.now().Sub(start)
		rec.endSpan()
		observe(m.requests.WithLabelValues(rec.route(), strconv.Itoa(rec.status)), elapsed.Seconds(), rec.exemplar(elapsed))
		if access != nil {
			rec.log(r, elapsed, access)
		}
	})
}

// Logged writes each request that next answers to the access log, as HTTP does, and measures
// none: pages stay open as long as somebody looks, and are no part of the API's times. A nil
// log is none.
func (m *Metrics) Logged(next http.Handler, access *slog.Logger) http.Handler {
	if access == nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := m.now()
		rec := &recorder{ResponseWriter: w, status: http.StatusOK}
		next.ServeHTTP(rec, r)
		rec.log(r, m.now().Sub(start), access)
	})
}

// Noted notes for HTTP and Logged what is known of a request only where it is answered: the pattern of
// its route, who asks, and which call or job it is about.
func Noted(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(w, r)
		rec, ok := w.(*recorder)
		if !ok {
			return
		}
		rec.pattern = r.Pattern
		rec.principal, _ = callmodel.PrincipalFrom(r.Context())
		if rec.id = r.PathValue("id"); rec.id == "" {
			rec.id = r.PathValue("call")
		}
	})
}

// recorder is a response, and what is to be told of it.
type recorder struct {
	http.ResponseWriter

	status int
	wrote  bool
	bytes  int64

	pattern   string
	principal callmodel.Principal
	id        string // of the path

	span  tracing.Span // nil: the request isn't traced
	trace string       // its trace's id; "" if nothing of it is kept
}

// traceID is the id in a traceparent; "" if the trace isn't kept.
func traceID(traceparent string) string {
	if !tracing.Valid(traceparent) || !strings.HasSuffix(traceparent, "1") {
		return ""
	}
	return traceparent[3:35]
}

// endSpan ends the request's span, with what has become known of it. The names of its
// attributes are those of OpenTelemetry's semantic conventions for HTTP.
func (s *recorder) endSpan() {
	if s.span == nil {
		return
	}
	s.span.Name(s.route())
	s.span.Set("http.route", s.route())
	s.span.SetInt("http.response.status_code", int64(s.status))
	call, job := s.subject()
	for _, kv := range [][2]string{
		{"switchtape.request", s.Header().Get(problem.RequestIDHeader)},
		{"switchtape.tenant", string(s.principal.TenantID)},
		{"switchtape.call", call},
		{"switchtape.job", job},
	} {
		if kv[1] != "" {
			s.span.Set(kv[0], kv[1])
		}
	}
	var err error
	if s.status >= http.StatusInternalServerError {
		err = errors.New(http.StatusText(s.status))
	}
	s.span.End(err)
}

func (s *recorder) WriteHeader(status int) {
	if !s.wrote && status >= http.StatusOK { // others are informational
		s.status, s.wrote = status, true
	}
	s.ResponseWriter.WriteHeader(status)
}

func (s *recorder) Write(b []byte) (int, error) {
	s.wrote = true
	n, err := s.ResponseWriter.Write(b)
	s.bytes += int64(n)
	return n, err
}

// Unwrap lets http.ResponseController reach the connection.
func (s *recorder) Unwrap() http.ResponseWriter { return s.ResponseWriter }

func (s *recorder) route() string {
	if s.pattern == "" || s.pattern == "/" {
		return "other"
	}
	return s.pattern
}

const callsRoute = "/v1/calls"

// subject is the call or the job that the request is about; "" for neither.
func (s *recorder) subject() (call, job string) {
	_, path, _ := strings.Cut(s.pattern, " ")
	switch {
	case path == callsRoute:
		call, _ = strings.CutPrefix(s.Header().Get("Location"), callsRoute+"/")
	case strings.HasPrefix(path, callsRoute+"/{id}"), strings.HasPrefix(path, "/calls/{call}"): // the API's, the console's
		call = s.id
	case strings.HasPrefix(path, "/v1/recordings/jobs/{id}"), strings.HasPrefix(path, "/v1/jobs/{id}"), strings.HasPrefix(path, "/jobs/{id}"):
		job = s.id
	}
	return call, job
}

func (s *recorder) exemplar(elapsed time.Duration) prometheus.Labels {
	if elapsed < exemplarFrom {
		return nil
	}
	call, job := s.subject()
	return exemplar("trace_id", s.trace, "request_id", s.Header().Get(problem.RequestIDHeader), "call_id", call, "job_id", job)
}

// log writes the request's line. It has the pattern of the route, and neither the path nor
// the query, in which there may be numbers.
func (s *recorder) log(r *http.Request, elapsed time.Duration, access *slog.Logger) {
	method, path, found := strings.Cut(s.route(), " ")
	if !found {
		method, path = r.Method, s.route()
	}
	attrs := append(make([]slog.Attr, 0, 9),
		slog.String("method", method), slog.String("route", path), slog.Int("status", s.status), slog.Duration("elapsed", elapsed),
		slog.Int64("bytes", s.bytes), slog.String("request_id", s.Header().Get(problem.RequestIDHeader)))
	if s.principal.Subject != "" {
		attrs = append(attrs, slog.String("tenant", string(s.principal.TenantID)), slog.String("principal", s.principal.Subject))
	}
	if call, job := s.subject(); call != "" || job != "" {
		name := "call"
		if job != "" {
			name = "job"
		}
		attrs = append(attrs, slog.String(name, cmp.Or(call, job)))
	}
	access.LogAttrs(r.Context(), slog.LevelInfo, "request", attrs...)
}
