package console_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/cmd/internal/auth"
	"github.com/switchtape/switchtape/cmd/internal/auth/authtest"
	"github.com/switchtape/switchtape/cmd/internal/console"
)

// provided is a console with a provider beside the keys.
type provided struct {
	*httptest.Server

	issuer  *authtest.Issuer
	signing *authtest.SigningKey
	client  authtest.Client
	gate    *auth.Gate
	key     string
	more    map[string]any // of the issuer's metadata
	ahead   atomic.Int64   // of the clock, in ns
}

func (p *provided) now() time.Time { return time.Now().Add(time.Duration(p.ahead.Load())) }

func (p *provided) later(d time.Duration) { p.ahead.Add(int64(d)) }

// newProvided starts one whose issuer gives access tokens that the API takes, and ID tokens
// that it doesn't. more is of the issuer's metadata.
func newProvided(t *testing.T, secret string, more map[string]any) *provided {
	t.Helper()
	p := &provided{more: more, issuer: authtest.NewIssuer(t), signing: authtest.NewKey(t, "k"), key: strings.Repeat("k", 32)}
	p.issuer.Publish(p.signing)
	p.Server = httptest.NewUnstartedServer(nil)
	at := "http://" + p.Listener.Addr().String()
	p.client = authtest.Client{ID: "con:sole", Secret: secret, Redirect: at + console.CallbackPath}
	p.gives(t, nil, nil)

	tokens, err := auth.NewOIDC(auth.OIDCOptions{Issuer: p.issuer.URL, Audience: "switchtape", FetchGap: 5 * time.Millisecond, RefreshEvery: time.Hour, Now: p.now})
	require.NoError(t, err)
	flow, err := auth.NewCodeFlow(tokens, auth.CodeFlowOptions{Client: p.client.ID, Secret: secret, Redirect: p.client.Redirect, LoggedOut: at + "/login"})
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "keys")
	require.NoError(t, os.WriteFile(file, fmt.Appendf(nil, "%x acme reader someone\n", sha256.Sum256([]byte(p.key))), 0o600))
	ring, err := auth.OpenRing(file)
	require.NoError(t, err)
	p.gate = auth.NewGate(auth.GateOptions{File: ring, Tokens: tokens, Now: p.now})
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- p.gate.Run(ctx) }()
	c, err := console.New(console.Options{API: hostile(t), Guard: p.gate.Require, LogIn: true, Provider: flow, Now: p.now})
	require.NoError(t, err)
	p.Config.Handler = c
	p.Start()
	t.Cleanup(func() {
		p.Close()
		cancel()
		assert.NoError(t, <-done)
	})
	return p
}

// access and id are the claims of the tokens, as they are asked for.
func (p *provided) access(more map[string]any) map[string]any {
	return p.issuer.Claims(map[string]any{"exp": p.now().Add(time.Hour).Unix()}, more)
}

func (p *provided) id(asked url.Values, more map[string]any) map[string]any {
	return p.access(maps.Collect(func(yield func(string, any) bool) {
		_ = yield("aud", p.client.ID) && yield("nonce", asked.Get("nonce")) && yield("scope", nil)
		for k, v := range more {
			if !yield(k, v) {
				return
			}
		}
	}))
}

// gives has the issuer give tokens with these claims beside the usual ones.
func (p *provided) gives(t *testing.T, access, id map[string]any) {
	t.Helper()
	p.issuer.LogsIn(p.client, func(asked url.Values) map[string]any {
		return map[string]any{
			"token_type": "Bearer", "access_token": p.signing.Token(t, p.access(access)), "id_token": p.signing.Token(t, p.id(asked, id)),
		}
	}, nil, p.more)
}

// follow gets a page and follows where it leads, also to the issuer and back. It returns
// the addresses that it was led by.
func follow(t *testing.T, b *http.Client, page string) (way []string, status int, body string) {
	t.Helper()
	for range 12 {
		var head http.Header
		status, head, body = look(t, b, page)
		to := head.Get("Location")
		if to == "" {
			return way, status, body
		}
		from, err := url.Parse(page)
		require.NoError(t, err)
		next, err := from.Parse(to)
		require.NoError(t, err)
		page = next.String()
		way = append(way, page)
	}
	require.Fail(t, "it leads on and on", "%q", way)
	return way, status, body
}

// landed is the path and the query of the last address.
func landed(t *testing.T, way []string) string {
	t.Helper()
	require.NotEmpty(t, way)
	u, err := url.Parse(way[len(way)-1])
	require.NoError(t, err)
	return u.RequestURI()
}

// answered begins a log-in and returns the address that the issuer's answer leads to.
func (p *provided) answered(t *testing.T, b *http.Client) string {
	t.Helper()
	status, head, body := look(t, b, p.URL+"/login/oidc?next=/jobs")
	require.Equal(t, http.StatusSeeOther, status, body)
	_, head, body = look(t, b, head.Get("Location"))
	require.NotEmpty(t, head.Get("Location"), body)
	return head.Get("Location")
}

// stranger asserts that nobody is logged in.
func (p *provided) stranger(t *testing.T, b *http.Client, why string) {
	t.Helper()
	status, head, _ := look(t, b, p.URL+"/jobs")
	assert.Equal(t, http.StatusSeeOther, status, why)
	assert.Equal(t, "/login?next=%2Fjobs", head.Get("Location"), why)
}

// TestLogInAtTheProvider: the form leads there and back to the page that was wanted, as whom
// and with what the token says, for clients with a secret and without.
func TestLogInAtTheProvider(t *testing.T) {
	t.Parallel()
	for _, secret := range []string{"", "s+ c/r:t"} {
		p := newProvided(t, secret, nil)
		p.gives(t, map[string]any{"scope": "openid calls:read"}, nil)
		b := browser(t)
		_, _, body := look(t, b, p.URL+"/login?next="+url.QueryEscape("/calls?number=1&x=<b>"))
		harmless(t, "login", body)
		assert.Contains(t, body, `href="/login/oidc?next=%2fcalls%3fnumber%3d1%26x%3d%3cb%3e"`)
		assert.Contains(t, body, "Log in with "+strings.TrimPrefix(p.issuer.URL, "http://"))
		assert.Less(t, strings.Index(body, "Log in with"), strings.Index(body, "API key"))

		status, head, _ := look(t, b, p.URL+"/login/oidc?next=/calls%3Fnumber=1")
		require.Equal(t, http.StatusSeeOther, status)
		set := head.Get("Set-Cookie")
		for _, part := range []string{"HttpOnly", "SameSite=Lax", "Max-Age=600", "Path=/"} {
			assert.Contains(t, set, part)
		}
		to, err := url.Parse(head.Get("Location"))
		require.NoError(t, err)
		assert.Equal(t, "S256", to.Query().Get("code_challenge_method"))
		assert.Equal(t, "openid", to.Query().Get("scope"))
		for _, name := range []string{"state", "nonce"} {
			assert.GreaterOrEqual(t, len(to.Query().Get(name)), 26, name)
			assert.NotContains(t, set, to.Query().Get(name))
		}
		assert.NotContains(t, to.String(), "secret")

		way, status, body := follow(t, b, p.URL+"/login/oidc?next=/calls%3Fnumber=1")
		require.Equal(t, http.StatusOK, status, body)
		assert.Equal(t, "/calls?number=1", landed(t, way))
		assert.Contains(t, body, "oidc:ann")
		assert.NotContains(t, body, `href="/jobs"`, "the token's scopes")
		status, _, _ = look(t, b, p.URL+"/jobs")
		assert.Equal(t, http.StatusForbidden, status)
		assert.Zero(t, p.gate.Wrong())
	}
}

// TestLogInLeadsNowhereElse: next is a page of the console, whatever it says.
func TestLogInLeadsNowhereElse(t *testing.T) {
	t.Parallel()
	p := newProvided(t, "", nil)
	for _, next := range []string{"//evil.example", "https://evil.example", `/\evil.example`, "javascript:alert(1)", "/\t/evil.example", "", "/calls?x=" + strings.Repeat("x", 2000)} {
		way, status, body := follow(t, browser(t), p.URL+"/login/oidc?next="+url.QueryEscape(next))
		require.Equal(t, http.StatusOK, status, body)
		assert.Equal(t, p.URL+"/calls", way[len(way)-1], next)
	}
}

// TestWhichToken: the session has the access token if the API takes it, else the ID token,
// and else the form says what differs. None of it counts as a wrong key, and no token that
// the API takes is in an address.
func TestWhichToken(t *testing.T) {
	t.Parallel()
	both := []string{"con:sole", "switchtape"}
	for name, c := range map[string]struct {
		access, id map[string]any
		opaque     bool
		who        string // "": nobody
		says       []string
		hint       bool
	}{
		"the access token":         {access: map[string]any{"sub": "access"}, who: "oidc:access", hint: true},
		"either":                   {access: map[string]any{"sub": "access"}, id: map[string]any{"sub": "id", "aud": both, "azp": "con:sole"}, who: "oidc:access"},
		"opaque, and the ID token": {opaque: true, id: map[string]any{"sub": "id", "aud": both, "azp": "con:sole", "scope": "reader"}, who: "oidc:id"},
		"another audience": {
			access: map[string]any{"aud": "https://api.example/<b>"},
			says:   []string{"the access token is for the audience", "https://api.example/&lt;b&gt;", "and not for &#34;switchtape&#34; (--oidc-audience)", "the ID token is for the audience &#34;con:sole&#34;"},
		},
		"opaque":    {opaque: true, says: []string{"the access token is not a JWT"}},
		"no tenant": {access: map[string]any{"tenant": nil}, says: []string{"the access token names no tenant in &#34;tenant&#34; (--oidc-tenant-claim"}},
		"expired":   {access: map[string]any{"exp": 1000}, says: []string{"the access token has expired"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newProvided(t, "", nil)
			var given map[string]any
			p.issuer.LogsIn(p.client, func(asked url.Values) map[string]any {
				given = map[string]any{"token_type": "Bearer", "access_token": p.signing.Token(t, p.access(c.access)), "id_token": p.signing.Token(t, p.id(asked, c.id))}
				if c.opaque {
					given["access_token"] = "of no form"
				}
				return given
			}, nil, nil)
			b := browser(t)
			_, status, body := follow(t, b, p.URL+"/login/oidc")
			assert.Zero(t, p.gate.Wrong())
			if c.who == "" {
				assert.Equal(t, http.StatusForbidden, status)
				for _, says := range c.says {
					assert.Contains(t, body, says)
				}
				p.stranger(t, b, name)
				return
			}
			require.Equal(t, http.StatusOK, status, body)
			assert.Contains(t, body, c.who)
			status, head, body := send(t, b, http.MethodPost, p.URL+"/logout", url.Values{}, nil)
			require.Equal(t, http.StatusOK, status)
			to, ok := strings.CutPrefix(head.Get("Refresh"), "0; url=")
			require.True(t, ok, head)
			end, err := url.Parse(to)
			require.NoError(t, err)
			assert.Equal(t, p.issuer.URL+"/end", end.Scheme+"://"+end.Host+end.Path)
			assert.Equal(t, "con:sole", end.Query().Get("client_id"))
			assert.Equal(t, p.URL+"/login", end.Query().Get("post_logout_redirect_uri"))
			assert.Equal(t, c.hint, end.Query().Get("id_token_hint") == given["id_token"], to)
			assert.Equal(t, c.hint, end.Query().Has("id_token_hint"), to)
			assert.Contains(t, body, "Log out of")
			assert.Contains(t, head.Get("Content-Security-Policy"), "form-action 'self';")
			p.stranger(t, b, name)
		})
	}
}

// TestForgedAnswers: no answer but that of this issuer, to this browser, to this log-in, in
// time and once, logs anybody in.
func TestForgedAnswers(t *testing.T) {
	t.Parallel()
	const notHere = "was not begun in this browser"
	p := newProvided(t, "", nil)
	refused := func(why string, b *http.Client, address string, says string) {
		t.Helper()
		status, head, body := look(t, b, address)
		assert.GreaterOrEqual(t, status, http.StatusBadRequest, why)
		assert.Empty(t, head.Get("Location"), why)
		assert.Contains(t, body, says, why)
		assert.Contains(t, body, "API key", "%s: the form is there", why)
		harmless(t, why, body)
		p.stranger(t, b, why)
	}
	with := func(address string, change func(url.Values)) string {
		u, err := url.Parse(address)
		require.NoError(t, err)
		q := u.Query()
		change(q)
		u.RawQuery = q.Encode()
		return u.String()
	}
	victim, attacker := browser(t), browser(t)
	mine := p.answered(t, attacker)
	refused("a browser that began nothing", victim, mine, notHere)
	theirs := p.answered(t, victim)
	refused("another browser's state, beside one's own", victim, mine, notHere)
	refused("no state", victim, with(theirs, func(q url.Values) { q.Del("state") }), notHere)
	refused("a state that nobody has", victim, with(theirs, func(q url.Values) { q.Set("state", q.Get("state")[:8]+"x") }), "belongs to another log-in")
	theirs = p.answered(t, victim)
	mine = p.answered(t, attacker)
	stolen, err := url.Parse(mine)
	require.NoError(t, err)
	before, _ := p.issuer.Tried()
	refused("another's code: PKCE", victim, with(theirs, func(q url.Values) { q.Set("code", stolen.Query().Get("code")) }), "was used already, or took too long")
	after, _ := p.issuer.Tried()
	assert.Equal(t, before+1, after)
	for why, c := range map[string]struct {
		change func(url.Values)
		says   string
	}{
		"another issuer's":  {func(q url.Values) { q.Set("iss", "https://evil.example") }, "is not that of"},
		"two issuers'":      {func(q url.Values) { q.Add("iss", "https://evil.example") }, "is not that of"},
		"no code":           {func(q url.Values) { q.Del("code") }, "answered with nothing to log in by"},
		"a made up code":    {func(q url.Values) { q.Set("code", "x") }, "was used already, or took too long"},
		"denied":            {func(q url.Values) { q.Set("error", "access_denied"); q.Set("error_description", markup) }, "&lt;script&gt;alert(1)&lt;/script&gt;"},
		"denied, in a word": {func(q url.Values) { q.Set("error", markup) }, "didn&#39;t log you in: "},
		"denied by another": {func(q url.Values) { q.Set("error", "x"); q.Set("iss", "https://evil.example") }, "is not that of"},
	} {
		before, _ := p.issuer.Tried()
		refused(why, victim, with(p.answered(t, victim), c.change), c.says)
		after, _ := p.issuer.Tried()
		if why != "a made up code" {
			assert.Equal(t, before, after, "%s: the issuer isn't asked", why)
		}
	}
	refused("words without a log-in", victim, p.URL+console.CallbackPath+"?error=call+us+at+0900", notHere)

	late := p.answered(t, victim)
	p.later(10*time.Minute + time.Second)
	refused("too late", victim, late, notHere)
	forged := p.answered(t, victim)
	at, err := url.Parse(p.URL)
	require.NoError(t, err)
	for _, c := range victim.Jar.Cookies(at) {
		victim.Jar.SetCookies(at, []*http.Cookie{{Name: c.Name, Value: c.Value[:len(c.Value)-4] + "AAAA", Path: "/"}})
	}
	refused("a changed cookie", victim, forged, notHere)

	// A cookie of a log-in that is good is that of no other log-in, and no session.
	fresh := browser(t)
	good := p.answered(t, fresh)
	copied := fresh.Jar.Cookies(at)
	require.Len(t, copied, 1)
	fixed := browser(t)
	fixed.Jar.SetCookies(at, []*http.Cookie{{Name: "switchtape_session", Value: copied[0].Value, Path: "/"}})
	p.stranger(t, fixed, "the cookie of a log-in is no session")
	status, head, body := look(t, fresh, good)
	require.Equal(t, http.StatusSeeOther, status, body)
	assert.Equal(t, "/jobs", head.Get("Location"))
	for _, c := range fresh.Jar.Cookies(at) {
		assert.Equal(t, "switchtape_session", c.Name, "the log-in's cookie is gone")
	}
	status, _, body = look(t, fresh, good)
	assert.Equal(t, http.StatusForbidden, status)
	assert.Contains(t, body, notHere, "it serves once")
	thief := browser(t)
	thief.Jar.SetCookies(at, copied)
	refused("a copy of the cookie, once the code is used", thief, good, "was used already, or took too long")
	status, _, _ = look(t, fresh, p.URL+"/jobs")
	assert.Equal(t, http.StatusOK, status, "who is logged in stays so")
	assert.Zero(t, p.gate.Wrong())
}

// TestAnswersThatNameTheIssuer: where its metadata says that each answer names it, one that
// doesn't is another's (RFC 9207 section 2.4).
func TestAnswersThatNameTheIssuer(t *testing.T) {
	t.Parallel()
	for _, says := range []bool{true, false} {
		p := newProvided(t, "", map[string]any{"authorization_response_iss_parameter_supported": says})
		give := func(asked url.Values) map[string]any {
			return map[string]any{"token_type": "Bearer", "access_token": p.signing.Token(t, p.access(nil)), "id_token": p.signing.Token(t, p.id(asked, nil))}
		}
		p.issuer.LogsIn(p.client, give, func(q url.Values) { q.Del("iss") }, p.more)
		_, status, _ := follow(t, browser(t), p.URL+"/login/oidc")
		assert.Equal(t, says, status == http.StatusForbidden, "%v", status)
	}
}

// TestForgedIDTokens: what doesn't say, by the issuer's key, to this client and for this
// log-in, who somebody is logs nobody in, whatever the access token says.
func TestForgedIDTokens(t *testing.T) {
	t.Parallel()
	p := newProvided(t, "", nil)
	stranger := authtest.NewKey(t, "k")
	hash := func(s string) string {
		sum := sha256.Sum256([]byte(s))
		return base64.RawURLEncoding.EncodeToString(sum[:16])
	}
	for why, token := range map[string]func(asked url.Values, access string) any{
		"none":    func(url.Values, string) any { return nil },
		"no text": func(url.Values, string) any { return 7 },
		"another nonce": func(asked url.Values, _ string) any {
			return p.signing.Token(t, p.id(asked, map[string]any{"nonce": "other"}))
		},
		"no nonce": func(asked url.Values, _ string) any {
			return p.signing.Token(t, p.id(asked, map[string]any{"nonce": nil}))
		},
		"another client's": func(asked url.Values, _ string) any {
			return p.signing.Token(t, p.id(asked, map[string]any{"aud": "other"}))
		},
		"made for another client": func(asked url.Values, _ string) any {
			return p.signing.Token(t, p.id(asked, map[string]any{"azp": "other"}))
		},
		"for several, made for nobody": func(asked url.Values, _ string) any {
			return p.signing.Token(t, p.id(asked, map[string]any{"aud": []string{"con:sole", "other"}}))
		},
		"another issuer's": func(asked url.Values, _ string) any {
			return p.signing.Token(t, p.id(asked, map[string]any{"iss": "https://evil.example"}))
		},
		"expired": func(asked url.Values, _ string) any {
			return p.signing.Token(t, p.id(asked, map[string]any{"exp": 1000}))
		},
		"a stranger's key": func(asked url.Values, _ string) any { return stranger.Token(t, p.id(asked, nil)) },
		"a shared key": func(asked url.Values, _ string) any {
			return authtest.Sign(t, jose.HS256, make([]byte, 32), map[jose.HeaderKey]any{"kid": "k"}, p.id(asked, nil))
		},
		"of another access token": func(asked url.Values, _ string) any {
			return p.signing.Token(t, p.id(asked, map[string]any{"at_hash": hash("other")}))
		},
		"right": func(asked url.Values, access string) any {
			return p.signing.Token(t, p.id(asked, map[string]any{"at_hash": hash(access)}))
		},
	} {
		p.issuer.LogsIn(p.client, func(asked url.Values) map[string]any {
			access := p.signing.Token(t, p.access(nil))
			return map[string]any{"token_type": "Bearer", "access_token": access, "id_token": token(asked, access)}
		}, nil, nil)
		b := browser(t)
		_, status, body := follow(t, b, p.URL+"/login/oidc")
		if why == "right" {
			assert.Equal(t, http.StatusOK, status, body)
			continue
		}
		assert.Equal(t, http.StatusForbidden, status, why)
		assert.Regexp(t, "doesn&#39;t hold|didn&#39;t say who you are", body, why)
		p.stranger(t, b, why)
	}
}

// TestAttemptsAreFew: a browser keeps few cookies of log-ins that came to nothing, however
// often a site has it begin one, and over TLS only this host sets them.
func TestAttemptsAreFew(t *testing.T) {
	t.Parallel()
	p := newProvided(t, "", nil)
	b := browser(t)
	at, err := url.Parse(p.URL)
	require.NoError(t, err)
	var back string
	for range 20 {
		back = p.answered(t, b)
		assert.LessOrEqual(t, len(b.Jar.Cookies(at)), 5)
	}
	status, head, body := look(t, b, back)
	assert.Equal(t, http.StatusSeeOther, status, body)
	assert.Equal(t, "/jobs", head.Get("Location"))

	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "https://calls.example.com/login/oidc", nil)
	w := httptest.NewRecorder()
	p.Config.Handler.ServeHTTP(w, r)
	require.Equal(t, http.StatusSeeOther, w.Code)
	set := w.Header().Get("Set-Cookie")
	assert.Regexp(t, `^__Host-switchtape_oidc_[A-Z2-7]{8}=`, set)
	assert.Contains(t, set, "Secure")
	assert.NotContains(t, set, "Domain")
	assert.Contains(t, w.Header().Get("Location"), url.QueryEscape(p.client.Redirect), "what a request says of its host isn't believed")
}

// TestTokensThatDontFit: answers of any size are read up to some bytes, and tokens that no
// cookie holds log nobody in.
func TestTokensThatDontFit(t *testing.T) {
	t.Parallel()
	for size, says := range map[int]string{3 << 10: "too long for a browser to keep", 20 << 10: "the access token is not a JWT that can be read", 2 << 20: "can&#39;t be reached"} {
		p := newProvided(t, "", nil)
		p.gives(t, map[string]any{"more": strings.Repeat("x", size)}, nil)
		b := browser(t)
		_, status, body := follow(t, b, p.URL+"/login/oidc")
		assert.GreaterOrEqual(t, status, http.StatusForbidden)
		assert.Contains(t, body, says)
		p.stranger(t, b, says)
	}
	p := newProvided(t, "", nil)
	p.gives(t, map[string]any{"more": strings.Repeat("x", 1000)}, map[string]any{"more": strings.Repeat("x", 1000)})
	b := browser(t)
	_, status, body := follow(t, b, p.URL+"/login/oidc")
	require.Equal(t, http.StatusOK, status, body)
	_, head, _ := send(t, b, http.MethodPost, p.URL+"/logout", url.Values{}, nil)
	assert.Contains(t, head.Get("Refresh"), "client_id=")
	assert.NotContains(t, head.Get("Refresh"), "id_token_hint", "there was no room for it")
}
