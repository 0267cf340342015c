package problem_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/problem"
)

func TestWrite(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		err    error
		status int
		detail string
	}{
		{callmodel.ErrNotFound, 404, "not found"},
		{fmt.Errorf("call c1: %w", callmodel.ErrIdempotencyMismatch), 422, "another request"},
		{callmodel.FieldErrors{{Path: "a", Message: "is bad"}, {Path: "b", Message: "is worse"}}, 422, "2 faults"},
		{callmodel.FieldErrors{{Path: "a", Message: "is bad"}}, 422, "a: is bad"},
		{errors.New("password=hunter2"), 500, "logged"},
		{callmodel.Errorf(callmodel.CodeUnavailable, "db 10.0.0.1: %w", errors.New("refused")), 503, "try again"},
		{callmodel.Errorf(callmodel.CodeOverloaded, "too many calls at once"), 429, "too many"},
		{callmodel.Errorf(callmodel.CodeMethodNotAllowed, "GET is not for this path"), 405, "GET"},
		{callmodel.Errorf(callmodel.CodeNotAcceptable, "the answer is JSON"), 406, "JSON"},
		{callmodel.Errorf(callmodel.CodeUnsupportedMediaType, "send JSON"), 415, "send"},
		{&callmodel.TransitionError{Subject: "call c1", From: "ended", Event: "answered"}, 409, "while it is ended"},
	} {
		w := httptest.NewRecorder()
		problem.Write(w, c.err)
		require.Equal(t, c.status, w.Code)
		assert.Equal(t, "application/problem+json", w.Header().Get("Content-Type"))
		assert.Equal(t, c.status == 429 || c.status == 503, w.Header().Get("Retry-After") != "")
		var p problem.Problem
		require.NoError(t, json.Unmarshal(w.Body.Bytes(), &p))
		assert.Contains(t, p.Detail, c.detail)
		assert.NotContains(t, w.Body.String(), "hunter2")
		assert.NotContains(t, w.Body.String(), "10.0.0.1")
	}
}

// TestRetryAfter: clients are told the time of the error, in whole seconds and at least one.
func TestRetryAfter(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		code  callmodel.Code
		after time.Duration
		want  string
	}{
		{callmodel.CodeOverloaded, 0, "1"},
		{callmodel.CodeOverloaded, time.Millisecond, "1"},
		{callmodel.CodeOverloaded, time.Second, "1"},
		{callmodel.CodeUnavailable, 1001 * time.Millisecond, "2"},
		{callmodel.CodeInFlight, time.Minute, "60"},
		{callmodel.CodeConflict, time.Minute, ""},
	} {
		w := httptest.NewRecorder()
		problem.Write(w, fmt.Errorf("it is so: %w", callmodel.RetryAfter(callmodel.Errorf(c.code, "later"), c.after)))
		assert.Equal(t, c.want, w.Header().Get("Retry-After"), "%s %v", c.code, c.after)
		assert.NotContains(t, w.Body.String(), "etry_after")
	}
}

func TestBodyIsBounded(t *testing.T) {
	t.Parallel()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader(strings.Repeat("x", 100)))
	_, err := problem.Body(httptest.NewRecorder(), r, 10)
	require.Equal(t, callmodel.CodeTooLarge, callmodel.CodeOf(err))
}

func TestPrincipal(t *testing.T) {
	t.Parallel()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
	_, err := problem.Principal(r, callmodel.ScopeCallsRead)
	require.Equal(t, callmodel.CodeUnauthenticated, callmodel.CodeOf(err))
	r = r.WithContext(callmodel.WithPrincipal(r.Context(), callmodel.Principal{TenantID: "acme", Scopes: []callmodel.Scope{callmodel.ScopeCallsRead}}))
	_, err = problem.Principal(r, callmodel.ScopeRulesWrite)
	require.Equal(t, callmodel.CodeForbidden, callmodel.CodeOf(err))
	p, err := problem.Principal(r, callmodel.ScopeCallsRead)
	require.NoError(t, err)
	assert.Equal(t, callmodel.TenantID("acme"), p.TenantID)
}

// TestFail: what is no fault of the request's is logged, and what is is not. A
// request that has ended is no defect.
func TestFail(t *testing.T) {
	t.Parallel()
	ended, end := context.WithCancel(t.Context())
	end()
	for _, c := range []struct {
		ctx    context.Context
		err    error
		status int
		logged bool
	}{
		{t.Context(), callmodel.FieldErrors{{Path: "from", Message: "is missing"}}, http.StatusUnprocessableEntity, false},
		{t.Context(), callmodel.Errorf(callmodel.CodeUnavailable, "the database is down"), http.StatusServiceUnavailable, true},
		{t.Context(), errors.New("a defect"), http.StatusInternalServerError, true},
		{t.Context(), context.Canceled, http.StatusInternalServerError, true},                                  // of something else
		{t.Context(), fmt.Errorf("calldb: %w", context.DeadlineExceeded), http.StatusServiceUnavailable, true}, // an endpoint's own time
		{t.Context(), callmodel.Errorf(callmodel.CodeConflict, "too late: %w", context.DeadlineExceeded), http.StatusConflict, false},
		{ended, fmt.Errorf("reading: %w", context.Canceled), http.StatusServiceUnavailable, true},
	} {
		var text strings.Builder
		for _, log := range []*slog.Logger{nil, slog.New(slog.NewTextHandler(&text, nil))} {
			w := httptest.NewRecorder()
			problem.Fail(w, httptest.NewRequestWithContext(c.ctx, http.MethodGet, "/v1/calls", nil), c.err, log)
			require.Equal(t, c.status, w.Code, "%v", c.err)
		}
		require.Equal(t, c.logged, strings.Contains(text.String(), "path=/v1/calls"), "%v: %s", c.err, text.String())
	}
}
