package console_test

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	nethtml "golang.org/x/net/html"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/problem"
	"github.com/switchtape/switchtape/cmd/internal/auth"
	"github.com/switchtape/switchtape/cmd/internal/console"
)

// markup is text as an attacker would send it. It must come out as the same text, or the page
// is somebody else's.
const markup = `"><script>alert(1)</script><img src=x onerror=alert(2)>'&{{.}}`

// hostile is an API whose every text is markup: what the real one holds is what callers sent.
func hostile(t *testing.T) http.Handler {
	t.Helper()
	mux := http.NewServeMux()
	answer := func(pattern string, v any) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			if _, err := problem.Principal(r, callmodel.ScopeCallsRead); err != nil {
				problem.Write(w, err)
				return
			}
			problem.WriteJSON(w, http.StatusOK, v)
		})
	}
	call := json.RawMessage(strings.ReplaceAll(`{"id":"c-1","tenant_id":"acme","state":"ended","type":"voice","direction":"inbound","trunk":"@","host":"@",
		"from":{"number":"@","raw":"@"},"to":{"number":"@","raw":"@"},"metadata":{"@":"@"},"cause":{"text":"@"},
		"decision":{"source":"rules","rule":"@","ruleset":"@","destinations":[{"id":"@","uri":"javascript:alert(3)","number":"@"}]},
		"created_at":"2026-01-01T00:00:00Z","answered_at":"2026-01-01T00:00:01Z","ended_at":"2026-01-01T00:01:00Z",
		"recordings":[{"recording_id":"@","job_id":"@","state":"@","status":"completed","reason":"@","url":"javascript:alert(4)",
			"outputs":[{"name":"@","codec":"mp3","layout":"stereo","channels":2,"rate":8000,"url":"javascript:alert(5)","bytes":5}],
			"defects":[{"code":"@","leg":"@","detail":"@"}]}]}`, "@", jsonText(t, markup)))
	answer("GET /v1/calls", map[string]any{"calls": []json.RawMessage{call}, "next": markup})
	answer("GET /v1/calls/{id}", call)
	answer("GET /v1/calls/{id}/events", map[string]any{"events": []any{map[string]any{"id": "1", "type": markup, "at": "2026-01-01T00:00:00Z", "host": markup}}})
	answer("GET /v1/calls/{id}/explanation", map[string]any{"considered": []any{map[string]any{"rule": markup, "reason": markup}}})
	answer("GET /v1/recordings/jobs/{id}/erasures", map[string]any{"erasures": []any{map[string]any{"reason": markup, "actor": markup, "kind": markup, "state": markup, "begun_at": "2026-01-01T00:00:00Z"}}})
	answer("GET /v1/recordings/jobs/{id}", json.RawMessage(strings.ReplaceAll(`{"id":"@","kind":"record","call_id":"c-1","queue":"@","state":"done","last_error":"@","created_at":"2026-01-01T00:00:00Z",
		"spec":{"legs":[{"name":"@","segments":[{"uri":"x"}]}],"redactions":[{"from_ms":0,"to_ms":1000,"legs":["@"]}]},
		"result":{"legs":[{"name":"@","channel":0,"gaps":[{"kind":"@","from_ms":0,"to_ms":10}]}],"outputs":[]}}`, "@", jsonText(t, markup))))
	answer("GET /v1/holds", map[string]any{"holds": []any{map[string]any{"id": markup, "reason": markup, "placed_by": markup, "placed_at": "2026-01-01T00:00:00Z"}}})
	answer("GET /v1/shares", map[string]any{"shares": []any{map[string]any{"id": markup}}})
	answer("GET /v1/audit", map[string]any{"events": []any{map[string]any{"id": 1, "actor": markup, "action": markup, "subject": markup, "at": "2026-01-01T00:00:00Z", "detail": map[string]string{"reason": markup, "codec": markup}}}})
	hostileJobs(t, answer)
	hostileRules(t, mux, answer)
	return mux
}

// hostileJobs are jobs, queues and dead letters whose every text is markup.
func hostileJobs(t *testing.T, answer func(pattern string, v any)) {
	t.Helper()
	job := json.RawMessage(strings.ReplaceAll(`{"id":"@","kind":"@","call_id":"@","key":"@","queue":"@","state":"quarantined","last_error":"@","reason":"@","worker":"@",
		"created_at":"2026-01-01T00:00:00Z","spec":{"@":"@"},"result":{"status":"@","reason":"@","defects":[{"code":"@","leg":"@","detail":"@"}]}}`, "@", jsonText(t, markup)))
	answer("GET /v1/jobs", map[string]any{"jobs": []json.RawMessage{job}, "next": markup})
	answer("GET /v1/jobs/{id}", job)
	answer("GET /v1/jobs/queues", map[string]any{"queues": []any{
		map[string]any{"queue": markup, "kind": markup, "waiting": 1, "served_by": []any{map[string]any{"name": markup}}},
		map[string]any{"queue": markup, "unserved": true},
	}})
	answer("POST /v1/jobs/retry", map[string]any{"jobs": []string{markup}, "more": true, "dry_run": true})
	answer("POST /v1/jobs/move", map[string]any{"jobs": []string{markup}, "more": true, "dry_run": true})
	letter := json.RawMessage(strings.ReplaceAll(`{"id":"@","source":"@","message_id":"@","kind":"@","code":"@","reason":"@","text":"@","bytes":5,"state":"waiting",
		"at":"2026-01-01T00:00:00Z","settled_at":"2026-01-01T00:00:00Z","settled_by":"@","job_id":"@"}`, "@", jsonText(t, markup)))
	answer("GET /v1/dead-letters", map[string]any{"letters": []json.RawMessage{letter}, "next": markup})
	answer("GET /v1/dead-letters/{letter}", letter)
	row := map[string]any{
		"hour": markup, "server": markup, "version": markup, "reason": markup, "calls": 1, "unexplained": 1, "budget_left": -5,
	}
	answer("GET /v1/promise", map[string]any{
		"since": "2026-01-01T00:00:00Z", "until": "2026-01-02T00:00:00Z", "rows": []any{row}, "total": row, "waiting": 3, "within_ms": 10000, "objective": 0.999,
	})
	answer("GET /v1/reports/recordings", map[string]any{"total": map[string]any{"recordings": 1}})
}

// ill is something with markup for its health.
func ill(context.Context) []console.Health {
	return []console.Health{{Kind: markup, Name: markup, State: markup, Detail: markup}, {Name: "another tenant's", Tenant: "other"}}
}

// jsonText is s within a JSON string.
func jsonText(t *testing.T, s string) string {
	t.Helper()
	raw, err := json.Marshal(s)
	require.NoError(t, err)
	return strings.Trim(string(raw), `"`)
}

// hands is a console's clock.
type hands struct{ now time.Time }

// newConsole serves a console of an API behind real keys, and gives one with the grants.
func newConsole(t *testing.T, api http.Handler, h *hands, grants string) (s *httptest.Server, key string) {
	t.Helper()
	key = strings.Repeat("k", 32)
	file := filepath.Join(t.TempDir(), "keys")
	require.NoError(t, os.WriteFile(file, fmt.Appendf(nil, "%x acme %s someone\n", sha256.Sum256([]byte(key)), grants), 0o600))
	ring, err := auth.OpenRing(file)
	require.NoError(t, err)
	c, err := console.New(console.Options{
		API: api, Guard: auth.NewGate(auth.GateOptions{File: ring}).Require, LogIn: true, Health: ill,
		Now: func() time.Time { return h.now },
	})
	require.NoError(t, err)
	s = httptest.NewServer(c)
	t.Cleanup(s.Close)
	return s, key
}

// browser is a client with a jar of cookies that follows no redirects.
func browser(t *testing.T) *http.Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	return &http.Client{Jar: jar, Timeout: 10 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// look gets a page.
func look(t *testing.T, b *http.Client, page string) (status int, head http.Header, body string) {
	t.Helper()
	return send(t, b, http.MethodGet, page, nil, nil)
}

// send sends a form, or nothing.
func send(t *testing.T, b *http.Client, method, page string, form url.Values, head http.Header) (int, http.Header, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, page, strings.NewReader(form.Encode()))
	require.NoError(t, err)
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	maps.Copy(req.Header, head)
	resp, err := b.Do(req)
	require.NoError(t, err)
	raw, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	return resp.StatusCode, resp.Header, string(raw)
}

// logIn logs the browser in.
func logIn(t *testing.T, b *http.Client, base, key string) {
	t.Helper()
	status, _, body := send(t, b, http.MethodPost, base+"/login", url.Values{"key": {key}}, nil)
	require.Equal(t, http.StatusSeeOther, status, body)
}

// harmless reads the page as a browser does: it has no scripts but the console's files, no
// handlers, no pictures but drawn ones that are nothing but shapes, and no links that are
// scripts.
func harmless(t *testing.T, page, body string) {
	t.Helper()
	tokens := nethtml.NewTokenizer(strings.NewReader(body))
	for tokens.Next() != nethtml.ErrorToken {
		token := tokens.Token()
		if token.Type != nethtml.StartTagToken && token.Type != nethtml.SelfClosingTagToken {
			continue
		}
		assert.NotContains(t, []string{"img", "iframe", "object", "embed", "base", "foreignobject", "use", "image", "animate", "set"}, token.Data, page)
		src := ""
		for _, a := range token.Attr {
			assert.False(t, strings.HasPrefix(a.Key, "on") || strings.HasPrefix(a.Key, "hx-on") || a.Key == "style", "%s: %s", page, token)
			if a.Key == "href" || a.Key == "src" || a.Key == "action" {
				src = a.Val
				assert.True(t, strings.HasPrefix(a.Val, "/") || strings.HasPrefix(a.Val, "#"), "%s: %s", page, token)
			}
		}
		assert.True(t, token.Data != "script" || strings.HasPrefix(src, "/console/"), "%s: %s", page, token)
	}
	require.ErrorIs(t, tokens.Err(), io.EOF, page)
}

// TestMarkup: whatever stands in calls, jobs and recordings is text on every page.
func TestMarkup(t *testing.T) {
	t.Parallel()
	s, key := newConsole(t, hostile(t), &hands{time.Unix(1e9, 0)}, "operator,compliance")
	b := browser(t)
	logIn(t, b, s.URL, key)
	hurt := url.QueryEscape(markup)
	for _, page := range append(rulePages(),
		"/calls", "/calls?number="+hurt, "/calls/c-1", "/live/calls/c-1", "/calls/"+url.PathEscape(markup), "/nowhere/"+url.PathEscape(markup),
		"/jobs", "/live/jobs", "/live/jobs/j-1", "/jobs?queue="+hurt+"&code="+hurt+"&kind="+hurt+"&since="+hurt, "/jobs/j-1", "/jobs/"+url.PathEscape(markup),
		"/jobs/retry?code="+hurt+"&queue="+hurt, "/jobs/move?from="+hurt+"&to="+hurt,
		"/jobs/dead-letters", "/jobs/dead-letters?state="+hurt, "/jobs/dead-letters/l-1",
		"/fleet", "/live/fleet", "/fleet?period="+hurt,
	) {
		_, head, body := look(t, b, s.URL+page)
		harmless(t, page, body)
		assert.Contains(t, head.Get("Content-Security-Policy"), "script-src 'self';", page)
	}
	for _, page := range []string{"/calls/c-1", "/live/calls/c-1", "/jobs", "/live/jobs", "/live/jobs/j-1", "/jobs/j-1", "/jobs/retry?code=" + hurt, "/jobs/move?from=" + hurt + "&to=x", "/jobs/dead-letters", "/jobs/dead-letters/l-1", "/fleet", "/live/fleet"} {
		status, _, body := look(t, b, s.URL+page)
		assert.Equal(t, http.StatusOK, status, page)
		assert.Contains(t, body, "&lt;script&gt;alert(1)&lt;/script&gt;", "%s: it is there, as text", page)
	}
}

// jobActions are the forms of the pages of jobs.
func jobActions() []string {
	return []string{
		"/jobs/selected/retry", "/jobs/selected/quarantine", "/jobs/retry", "/jobs/move", "/jobs/j/retry", "/jobs/j/quarantine",
		"/jobs/dead-letters/l/replay", "/jobs/dead-letters/l/discard",
	}
}

// TestSession: who has no session is led to the log-in and back, a session ends by itself,
// by its key and by its owner, and nothing but a good key makes one.
func TestSession(t *testing.T) {
	t.Parallel()
	h := &hands{time.Unix(1e9, 0)}
	s, key := newConsole(t, hostile(t), h, "reader")
	b := browser(t)
	status, head, _ := look(t, b, s.URL+"/calls?number=1")
	assert.Equal(t, http.StatusSeeOther, status)
	assert.Equal(t, "/login?next="+url.QueryEscape("/calls?number=1"), head.Get("Location"))
	status, _, body := send(t, b, http.MethodPost, s.URL+"/login", url.Values{"key": {"wrong"}}, nil)
	assert.Equal(t, http.StatusUnauthorized, status)
	assert.Contains(t, body, "not known")
	for _, next := range []string{"//evil.example", "https://evil.example", `/\evil.example`, "javascript:alert(1)"} {
		_, head, _ = send(t, b, http.MethodPost, s.URL+"/login", url.Values{"key": {key}, "next": {next}}, nil)
		assert.Equal(t, "/calls", head.Get("Location"), next)
	}
	_, head, _ = send(t, b, http.MethodPost, s.URL+"/login", url.Values{"key": {key}, "next": {"/calls?number=1"}}, nil)
	assert.Equal(t, "/calls?number=1", head.Get("Location"))
	set := head.Get("Set-Cookie")
	assert.Contains(t, set, "HttpOnly")
	assert.Contains(t, set, "SameSite=Lax")
	assert.NotContains(t, set, key)
	status, _, _ = look(t, b, s.URL+"/calls")
	assert.Equal(t, http.StatusOK, status)

	at, err := url.Parse(s.URL)
	require.NoError(t, err)
	stolen := b.Jar.Cookies(at)
	h.now = h.now.Add(29 * time.Minute)
	status, _, _ = look(t, b, s.URL+"/calls")
	assert.Equal(t, http.StatusOK, status, "it is used")
	h.now = h.now.Add(29 * time.Minute)
	status, _, _ = look(t, b, s.URL+"/calls")
	assert.Equal(t, http.StatusOK, status, "its use was noted")
	thief := browser(t)
	thief.Jar.SetCookies(at, stolen)
	status, _, _ = look(t, thief, s.URL+"/calls")
	assert.Equal(t, http.StatusSeeOther, status, "an old cookie is an unused session")

	copied := b.Jar.Cookies(at)
	status, _, _ = send(t, b, http.MethodPost, s.URL+"/logout", url.Values{}, nil)
	assert.Equal(t, http.StatusSeeOther, status)
	thief.Jar.SetCookies(at, copied)
	for _, who := range []*http.Client{b, thief} {
		status, _, _ = look(t, who, s.URL+"/calls")
		assert.Equal(t, http.StatusSeeOther, status, "the session is over, for copies of its cookie, too")
	}
	logIn(t, b, s.URL, key)
	for range 30 {
		h.now = h.now.Add(25 * time.Minute)
		status, _, _ = look(t, b, s.URL+"/calls")
	}
	assert.Equal(t, http.StatusSeeOther, status, "no session lasts for ever")

	// Fixation: a cookie that somebody has made up, or changed, is no session.
	logIn(t, b, s.URL, key)
	good := b.Jar.Cookies(at)[0]
	for _, value := range []string{"", "x", strings.Repeat("A", 200), good.Value[:len(good.Value)-4] + "AAAA"} {
		other := browser(t)
		other.Jar.SetCookies(at, []*http.Cookie{{Name: good.Name, Value: value}})
		status, _, _ = look(t, other, s.URL+"/calls")
		assert.Equal(t, http.StatusSeeOther, status, value)
	}
}

// TestOtherSites: no other site's page does anything with the session, frames the console,
// or has a page of it read.
func TestOtherSites(t *testing.T) {
	t.Parallel()
	s, key := newConsole(t, hostile(t), &hands{time.Unix(1e9, 0)}, "operator,compliance")
	b := browser(t)
	logIn(t, b, s.URL, key)
	cross := http.Header{"Origin": {"https://evil.example"}, "Sec-Fetch-Site": {"cross-site"}}
	for _, page := range slices.Concat(jobActions(), ruleDeeds(), []string{"/login", "/logout", "/calls/c-1/hold", "/calls/c-1/holds/h-1/lift", "/calls/c-1/recordings/j/erase", "/calls/c-1/recordings/j/redact", "/calls/c-1/recordings/j/share"}) {
		status, _, _ := send(t, b, http.MethodPost, s.URL+page, url.Values{"key": {key}, "reason": {"x"}, "sure": {"yes"}}, cross)
		assert.Equal(t, http.StatusForbidden, status, page)
	}
	_, head, _ := look(t, b, s.URL+"/calls")
	assert.Equal(t, "DENY", head.Get("X-Frame-Options"))
	assert.Contains(t, head.Get("Content-Security-Policy"), "frame-ancestors 'none'")
	assert.Equal(t, "same-origin", head.Get("Cross-Origin-Resource-Policy"))
	assert.Equal(t, "no-store", head.Get("Cache-Control"))
}

// TestScopes: a page is for whom the API would answer, and offers nothing that it would refuse.
func TestScopes(t *testing.T) {
	t.Parallel()
	s, key := newConsole(t, hostile(t), &hands{time.Unix(1e9, 0)}, "calls:read")
	b := browser(t)
	logIn(t, b, s.URL, key)
	status, _, body := look(t, b, s.URL+"/calls/c-1")
	assert.Equal(t, http.StatusOK, status)
	assert.NotContains(t, body, "<audio")
	assert.NotContains(t, body, "Redact a range")
	assert.NotContains(t, body, "Legal hold")
	for _, page := range []string{
		"/calls/c-1/recordings/j/media", "/calls/c-1/recordings/j/peaks",
		"/jobs", "/live/jobs", "/live/jobs/j-1", "/jobs/j-1", "/jobs/retry?status=absent", "/jobs/move", "/jobs/dead-letters", "/jobs/dead-letters/l-1", "/fleet", "/live/fleet",
		"/rules", "/rules/edit", "/rules/ours",
	} {
		status, _, _ = look(t, b, s.URL+page)
		assert.Equal(t, http.StatusForbidden, status, page)
	}
	for _, page := range slices.Concat(jobActions(), ruleDeeds(), []string{"/calls/c-1/hold", "/calls/c-1/holds/h-1/lift", "/calls/c-1/recordings/j/erase", "/calls/c-1/recordings/j/redact", "/calls/c-1/recordings/j/share", "/calls/c-1/recordings/j/retry"}) {
		status, _, _ = send(t, b, http.MethodPost, s.URL+page, url.Values{"reason": {"x"}, "sure": {"yes"}}, nil)
		assert.Equal(t, http.StatusForbidden, status, page)
	}
}

// TestJobsForReaders: who may read recordings sees jobs, and no button of what the API would
// refuse.
func TestJobsForReaders(t *testing.T) {
	t.Parallel()
	s, key := newConsole(t, hostile(t), &hands{time.Unix(1e9, 0)}, "reader")
	b := browser(t)
	logIn(t, b, s.URL, key)
	for _, page := range []string{"/jobs", "/live/jobs", "/live/jobs/j-1", "/jobs/j-1", "/jobs/dead-letters", "/jobs/dead-letters/l-1"} {
		status, _, body := look(t, b, s.URL+page)
		assert.Equal(t, http.StatusOK, status, page)
		assert.NotContains(t, body, `method="post" action="/jobs`, page)
		assert.NotContains(t, body, "checkbox", page)
	}
}

// TestProblems: what is refused says so in words, with a way back to the page of the console
// that asked, and to no other site.
func TestProblems(t *testing.T) {
	t.Parallel()
	s, key := newConsole(t, hostile(t), &hands{time.Unix(1e9, 0)}, "operator,compliance")
	b := browser(t)
	logIn(t, b, s.URL, key)
	back := `<a href="/calls/c-1?x=1">Go back</a>`
	for from, want := range map[string]bool{s.URL + "/calls/c-1?x=1": true, "https://evil.example/calls/c-1?x=1": false, s.URL + "//evil.example/calls/c-1": false, "": false, "::": false} {
		status, _, body := send(t, b, http.MethodPost, s.URL+"/jobs/selected/retry", url.Values{}, http.Header{"Referer": {from}})
		assert.Equal(t, http.StatusUnprocessableEntity, status)
		assert.Contains(t, body, "<h1>Something is missing or wrong</h1>")
		assert.Equal(t, want, strings.Contains(body, back), from)
		assert.Equal(t, want, strings.Contains(body, "Go back"), from)
	}
	status, _, body := look(t, b, s.URL+"/calls/c-1/x")
	assert.Equal(t, http.StatusNotFound, status)
	assert.Contains(t, body, "<h1>There is no such thing here</h1>")
}
