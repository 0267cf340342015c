package console_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// script is a request of a page's script.
func script(page string) http.Header {
	return http.Header{"Hx-Request": {"true"}, "Hx-Current-Url": {page}, "Accept": {"text/html, text/event-stream"}}
}

// TestTokenLapses: once the token holds no more, pages come back by themselves with another,
// and what was to be done is said not to be. Nothing of it counts as a wrong key.
func TestTokenLapses(t *testing.T) {
	t.Parallel()
	p := newProvided(t, "", nil)
	lapses := map[string]any{}
	p.issuer.LogsIn(p.client, func(asked url.Values) map[string]any {
		lapses["exp"] = p.now().Add(5 * time.Minute).Unix()
		return map[string]any{"token_type": "Bearer", "access_token": p.signing.Token(t, p.access(lapses)), "id_token": p.signing.Token(t, p.id(asked, nil))}
	}, nil, nil)
	b := browser(t)
	_, status, body := follow(t, b, p.URL+"/login/oidc")
	require.Equal(t, http.StatusOK, status, body)
	_, given := p.issuer.Tried()
	require.Equal(t, 1, given)

	p.later(5*time.Minute + time.Second)
	for _, head := range []http.Header{nil, {"Referer": {"https://evil.example/x"}}} {
		status, at, body := send(t, b, http.MethodPost, p.URL+"/jobs/j/retry", url.Values{}, head)
		require.Equal(t, http.StatusSeeOther, status, body)
		assert.Equal(t, "/login?undone=yes", at.Get("Location"))
	}
	_, at, _ := send(t, b, http.MethodPost, p.URL+"/jobs/j/retry", url.Values{}, http.Header{"Referer": {p.URL + "/jobs/j?x=1"}})
	assert.Equal(t, "/login?next=%2Fjobs%2Fj%3Fx%3D1&undone=yes", at.Get("Location"))
	status, _, body = look(t, b, p.URL+at.Get("Location"))
	assert.Equal(t, http.StatusOK, status, "no other token is fetched: it would look as if it was done")
	assert.Contains(t, body, "Your session has ended, and nothing was done.")
	status, _, body = send(t, b, http.MethodPost, p.URL+"/rules/check", url.Values{"text": {"x"}}, script(p.URL+"/rules/edit"))
	assert.Equal(t, http.StatusUnauthorized, status)
	assert.Contains(t, body, "nothing was done")
	assert.NotContains(t, body, "<html", "it is shown within the page, and what was typed stays")
	status, at, _ = send(t, b, http.MethodGet, p.URL+"/live/calls", nil, script(p.URL+"/calls"))
	assert.Equal(t, http.StatusUnauthorized, status, "whoever reads the stream asks more seldom then")
	assert.Empty(t, at.Get("Location"))
	status, at, _ = send(t, b, http.MethodGet, p.URL+"/live/jobs", nil, script(p.URL+"/jobs?state=done"))
	assert.Equal(t, http.StatusOK, status)
	assert.Equal(t, "/login?next=%2Fjobs%3Fstate%3Ddone", at.Get("Hx-Redirect"))
	_, given = p.issuer.Tried()
	assert.Equal(t, 1, given)

	way, status, body := follow(t, b, p.URL+"/jobs?state=done")
	require.Equal(t, http.StatusOK, status, body)
	assert.Equal(t, "/jobs?state=done", landed(t, way))
	assert.Len(t, way, 4, "the log-in, the issuer, and back: %q", way)
	_, given = p.issuer.Tried()
	assert.Equal(t, 2, given)
	status, _, _ = look(t, b, p.URL+"/calls")
	assert.Equal(t, http.StatusOK, status)
	assert.Zero(t, p.gate.Wrong())
}

// TestSessionsEndForAll: other tokens don't have a session last longer than one by a key:
// nobody's page that shows itself again is somebody at work, and the longest is the longest.
func TestSessionsEndForAll(t *testing.T) {
	t.Parallel()
	const idle, longest = 30 * time.Minute, 12 * time.Hour
	for why, c := range map[string]struct {
		looks bool
		lasts time.Duration
	}{"a page that is left open": {false, idle}, "somebody at work": {true, longest}} {
		t.Run(why, func(t *testing.T) {
			t.Parallel()
			p := newProvided(t, "", nil)
			p.issuer.LogsIn(p.client, func(asked url.Values) map[string]any {
				until := map[string]any{"exp": p.now().Add(4 * time.Minute).Unix()}
				return map[string]any{"token_type": "Bearer", "access_token": p.signing.Token(t, p.access(until)), "id_token": p.signing.Token(t, p.id(asked, nil))}
			}, nil, nil)
			b := browser(t)
			_, status, body := follow(t, b, p.URL+"/login/oidc")
			require.Equal(t, http.StatusOK, status, body)
			for began := p.now(); ; {
				p.later(5 * time.Minute)
				page := p.URL + "/jobs"
				if !c.looks { // its script asks, and is led through the log-in
					_, head, _ := send(t, b, http.MethodGet, p.URL+"/live/jobs", nil, script(page))
					require.NotEmpty(t, head.Get("Hx-Redirect"))
					page = p.URL + head.Get("Hx-Redirect")
				}
				way, status, body := follow(t, b, page)
				require.Equal(t, http.StatusOK, status, body)
				past := p.now().Sub(began)
				if ended := strings.HasPrefix(landed(t, append([]string{page}, way...)), "/login?"); ended {
					assert.InDelta(t, c.lasts, past, float64(6*time.Minute))
					assert.Contains(t, body, "API key")
					break
				}
				require.Less(t, past, c.lasts, "it goes on")
			}
			assert.Zero(t, p.gate.Wrong())
		})
	}
}

// TestNobodyIsSentToAndFro: a provider whose tokens hold for no time, or aren't taken, or
// that leads nowhere, comes to the form.
func TestNobodyIsSentToAndFro(t *testing.T) {
	t.Parallel()
	p := newProvided(t, "", nil)
	var holds time.Duration
	audience := "switchtape"
	p.issuer.LogsIn(p.client, func(asked url.Values) map[string]any {
		more := map[string]any{"exp": p.now().Add(holds).Unix(), "aud": audience}
		return map[string]any{"token_type": "Bearer", "access_token": p.signing.Token(t, p.access(more)), "id_token": p.signing.Token(t, p.id(asked, nil))}
	}, nil, nil)
	b := browser(t)
	holds = 5 * time.Second
	_, status, body := follow(t, b, p.URL+"/login/oidc?next=/jobs")
	require.Equal(t, http.StatusOK, status, body)
	p.later(6 * time.Second)
	way, status, body := follow(t, b, p.URL+"/jobs")
	assert.Equal(t, http.StatusOK, status)
	assert.Equal(t, "/login?next=%2Fjobs", landed(t, way), "not to the issuer")
	assert.Contains(t, body, "held for less than 10s")

	p.later(5 * time.Second)
	audience = "other"
	for range 3 {
		way, status, body = follow(t, b, p.URL+"/jobs")
		assert.Equal(t, http.StatusForbidden, status, "%q", way)
		assert.Contains(t, body, "the API takes neither token")
	}
	before, _ := p.issuer.Tried()
	way, status, body = follow(t, b, p.URL+"/jobs")
	assert.Equal(t, http.StatusOK, status)
	assert.Len(t, way, 1, "the form: it was tried three times")
	assert.Contains(t, body, "API key")
	after, _ := p.issuer.Tried()
	assert.Equal(t, before, after)
	logIn(t, b, p.URL, p.key)
	_, head, _ := send(t, b, http.MethodPost, p.URL+"/logout", url.Values{}, nil)
	assert.Equal(t, "/login", head.Get("Location"), "a session by a key isn't the provider's")
	assert.Zero(t, p.gate.Wrong())
}

// TestProviderAway: the form says that the provider can't be reached, or that what it says
// isn't to be trusted, and keys go on; once it answers again people log in.
func TestProviderAway(t *testing.T) {
	t.Parallel()
	p := newProvided(t, "", nil)
	b := browser(t)
	back := p.answered(t, b)
	p.issuer.Away.Store(true)
	status, _, body := look(t, b, back)
	assert.Equal(t, http.StatusServiceUnavailable, status)
	assert.Contains(t, body, "can&#39;t be reached right now")
	status, _, _ = look(t, b, p.URL+"/login")
	assert.Equal(t, http.StatusOK, status)
	p.later(11 * time.Second)
	status, _, body = look(t, b, p.URL+"/login/oidc")
	assert.Equal(t, http.StatusServiceUnavailable, status)
	assert.Contains(t, body, "can&#39;t be reached right now. Log in with a key")
	logIn(t, b, p.URL, p.key)
	p.issuer.Away.Store(false)
	_, status, body = follow(t, browser(t), p.URL+"/login/oidc")
	assert.Equal(t, http.StatusOK, status, body)
}

// TestEndpointsInClear: endpoints at which others could answer are none; the keys are taken.
func TestEndpointsInClear(t *testing.T) {
	t.Parallel()
	p := newProvided(t, "s", nil)
	for _, name := range []string{"token_endpoint", "authorization_endpoint"} {
		for _, address := range []string{"http://login.example.com/x", "", "javascript:alert(1)", "file:///etc/passwd"} {
			q := newProvided(t, "", map[string]any{name: address})
			status, head, body := look(t, browser(t), q.URL+"/login/oidc")
			assert.Equal(t, http.StatusServiceUnavailable, status, "%s %q: %s", name, address, head.Get("Location"))
			assert.Contains(t, body, "doesn&#39;t say where people log in")
			logIn(t, browser(t), q.URL, q.signing.Token(t, q.access(nil)))
		}
	}
	other := p.client
	other.Secret = "another"
	p.issuer.LogsIn(other, func(url.Values) map[string]any { return nil }, nil, nil)
	_, status, body := follow(t, browser(t), p.URL+"/login/oidc")
	assert.Equal(t, http.StatusForbidden, status)
	assert.Contains(t, body, "The operator checks --oidc-client and --oidc-client-secret")
}
