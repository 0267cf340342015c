// Package problem answers HTTP requests that fail: the one map from the codes
// of callmodel to statuses, as application/problem+json (RFC 9457), and the
// small checks that every handler makes before its own.
package problem

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/switchtape/switchtape/callmodel"
)

// Status is the HTTP status of a code.
func Status(c callmodel.Code) int {
	switch c {
	case callmodel.CodeMalformed:
		return http.StatusBadRequest
	case callmodel.CodeInvalid, callmodel.CodeIdempotencyMismatch, callmodel.CodeUnsupported:
		return http.StatusUnprocessableEntity
	case callmodel.CodeNotFound, callmodel.CodeNoRoute:
		return http.StatusNotFound
	case callmodel.CodeGone:
		return http.StatusGone
	case callmodel.CodeConflict, callmodel.CodeInFlight, callmodel.CodeLeaseLost:
		return http.StatusConflict
	case callmodel.CodeUnauthenticated:
		return http.StatusUnauthorized
	case callmodel.CodeForbidden:
		return http.StatusForbidden
	case callmodel.CodeTooLarge:
		return http.StatusRequestEntityTooLarge
	case callmodel.CodeOverloaded:
		return http.StatusTooManyRequests
	case callmodel.CodePrecondition:
		return http.StatusPreconditionFailed
	case callmodel.CodePreconditionRequired:
		return http.StatusPreconditionRequired
	case callmodel.CodeMethodNotAllowed:
		return http.StatusMethodNotAllowed
	case callmodel.CodeNotAcceptable:
		return http.StatusNotAcceptable
	case callmodel.CodeUnsupportedMediaType:
		return http.StatusUnsupportedMediaType
	case callmodel.CodeMisdirected:
		return http.StatusMisdirectedRequest
	case callmodel.CodeUnavailable, callmodel.CodeNoCapacity, callmodel.CodeKeyMissing:
		return http.StatusServiceUnavailable
	default:
		return http.StatusInternalServerError
	}
}

// Problem is the body of an answer that failed.
type Problem struct {
	Type   string                `json:"type"` // "about:blank": the code says it all
	Title  string                `json:"title"`
	Status int                   `json:"status"`
	Detail string                `json:"detail"`
	Code   callmodel.Code        `json:"code"`
	Errors callmodel.FieldErrors `json:"errors,omitempty"`
	// RequestID is that of WithRequestID.
	RequestID string `json:"request_id,omitempty"`
	// CallID and Explanation tell of a call that was stored all the same.
	CallID      callmodel.CallID `json:"call_id,omitempty"`
	Explanation string           `json:"explanation,omitempty"` // a path of this API
	// RetryAfter is what the client of a status that may be tried again is told to wait,
	// in whole seconds, rounded up. Less than one, and so 0, is one.
	RetryAfter time.Duration `json:"-"`
}

// Of describes err, with the time of a [callmodel.RetryAfterError] in its chain. What is inside an internal error stays inside: it is for
// the log, not for strangers.
func Of(err error) Problem {
	code := callmodel.CodeOf(err)
	p := Problem{Type: "about:blank", Status: Status(code), Code: code, Detail: err.Error()}
	p.Title = http.StatusText(p.Status)
	if fields, ok := errors.AsType[callmodel.FieldErrors](err); ok {
		p.Errors = fields
		p.Detail = "the request has " + strconv.Itoa(len(fields)) + " faults; see errors"
		if len(fields) == 1 {
			p.Detail = fields[0].Error()
		}
	}
	if later, ok := errors.AsType[*callmodel.RetryAfterError](err); ok {
		p.RetryAfter = later.After
	}
	switch code {
	case callmodel.CodeInternal:
		p.Detail = "something went wrong on our side; it was logged"
	case callmodel.CodeUnavailable:
		p.Detail = "a service that this needs is not available; try again later"
	default:
	}
	return p
}

// retryAfter is what clients are told to wait, in seconds.
func (p *Problem) retryAfter() string {
	return strconv.FormatInt(int64(max((p.RetryAfter+time.Second-1)/time.Second, 1)), 10)
}

// Write answers with err.
func Write(w http.ResponseWriter, err error) { WriteProblem(w, Of(err)) }

// Fail answers the request with err, and logs what is no fault of the request's
// own: CodeInternal and CodeUnavailable. An err that is the end of the request's
// context is answered as CodeUnavailable: the client gave up, or the host's time
// limit was reached. So is one without a code that is a deadline's, as each endpoint's
// time has: it may come in time when it is asked again. A nil log logs nothing.
func Fail(w http.ResponseWriter, r *http.Request, err error, log *slog.Logger) {
	ctx := r.Context()
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		err = callmodel.Errorf(callmodel.CodeUnavailable, "the request ended before its answer: %w", err)
	}
	if callmodel.CodeOf(err) == callmodel.CodeInternal && errors.Is(err, context.DeadlineExceeded) {
		err = callmodel.Errorf(callmodel.CodeUnavailable, "the time for it was over before its answer: %w", err)
	}
	switch callmodel.CodeOf(err) {
	case callmodel.CodeInternal, callmodel.CodeUnavailable:
		if log != nil {
			log.ErrorContext(ctx, "request failed", "method", r.Method, "path", r.URL.Path, "request_id", w.Header().Get(RequestIDHeader), "error", err)
		}
	default:
	}
	Write(w, err)
}

// NotFound answers requests for what no endpoint is at, by any method: see [Elsewhere].
func NotFound(w http.ResponseWriter, _ *http.Request) {
	Write(w, callmodel.Errorf(callmodel.CodeNotFound, "there is nothing at this path"))
}

// WriteProblem answers with p.
func WriteProblem(w http.ResponseWriter, p Problem) {
	h := w.Header()
	p.RequestID = h.Get(RequestIDHeader)
	h.Set("Content-Type", "application/problem+json")
	switch p.Status {
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		if p.Code != callmodel.CodeKeyMissing { // no time by itself brings a key
			h.Set("Retry-After", p.retryAfter())
		}
	case http.StatusConflict:
		if p.Code == callmodel.CodeInFlight {
			h.Set("Retry-After", p.retryAfter())
		}
	case http.StatusUnauthorized:
		h.Set("WWW-Authenticate", "Bearer")
	}
	write(w, p.Status, p)
}

// WriteJSON answers with v.
func WriteJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	write(w, status, v)
}

func write(w http.ResponseWriter, status int, v any) {
	body, _ := bodies.Get().(*bytes.Buffer)
	body.Reset()
	if err := json.NewEncoder(body).Encode(v); err != nil {
		body.Reset()
		status = http.StatusInternalServerError
		body.WriteString(`{"title":"Internal Server Error","status":500,"code":"internal"}` + "\n")
	}
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write(body.Bytes()) // the client may be gone
	if body.Cap() <= maxKept {
		bodies.Put(body)
	}
}

// bodies are buffers of answers that have been written.
var bodies = sync.Pool{New: func() any { return new(bytes.Buffer) }} //nolint:gochecknoglobals // room alone

// maxKept is the largest that is kept.
const maxKept = 64 << 10

// Body reads a request's body of at most limit bytes. With an error it returns what
// was read of it: of one that is larger the first limit+1 bytes, and r.Body has the
// rest (http.MaxBytesReader would lose the byte between them).
func Body(w http.ResponseWriter, r *http.Request, limit int64) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r.Body, limit+1))
	switch {
	case int64(len(b)) > limit:
		w.Header().Set("Connection", "close") // nobody reads the rest
		return b, callmodel.Errorf(callmodel.CodeTooLarge, "the body is larger than %d bytes", limit)
	case err != nil:
		return b, callmodel.Errorf(callmodel.CodeMalformed, "the body could not be read: %w", err)
	}
	return b, nil
}

// Decode reads a body of at most limit bytes into v by callmodel.DecodeJSON. The
// error is of Body or of that.
func Decode(w http.ResponseWriter, r *http.Request, limit int64, v any) error {
	body, err := Body(w, r, limit)
	if err != nil {
		return err
	}
	return callmodel.DecodeJSON(body, v)
}

// Principal is the request's principal if it has the scope. The error is
// CodeUnauthenticated without a principal, CodeForbidden without the scope.
func Principal(r *http.Request, scope callmodel.Scope) (callmodel.Principal, error) {
	p, ok := callmodel.PrincipalFrom(r.Context())
	switch {
	case !ok:
		return p, callmodel.Errorf(callmodel.CodeUnauthenticated, "the request has no valid credentials")
	case !p.Allows(scope):
		return p, callmodel.Errorf(callmodel.CodeForbidden, "the credentials may not do this; it needs the scope %q", scope)
	}
	return p, nil
}

// Time reads an optional RFC 3339 query parameter.
func Time(r *http.Request, name string, fallback time.Time) (time.Time, error) {
	s := Values(r).Get(name)
	if s == "" {
		return fallback, nil
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return t, callmodel.FieldErrors{{Path: name, Message: "is not a time like 2026-01-31T15:04:05Z"}}
	}
	return t, nil
}

// Int reads an optional whole number from the query, within bounds.
func Int(r *http.Request, name string, fallback, least, most int) (int, error) {
	s := Values(r).Get(name)
	if s == "" {
		return fallback, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < least || n > most {
		return 0, callmodel.FieldErrors{{Path: name, Message: "must be a whole number from " + strconv.Itoa(least) + " to " + strconv.Itoa(most)}}
	}
	return n, nil
}
