package auth_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/cmd/internal/auth"
	"github.com/switchtape/switchtape/cmd/internal/auth/authtest"
)

// takes is a server behind a gate that takes the issuer's tokens.
func takes(t *testing.T, i *authtest.Issuer, change func(*auth.OIDCOptions)) http.Handler {
	t.Helper()
	o := auth.OIDCOptions{Issuer: i.URL, Audience: "switchtape", FetchGap: 20 * time.Millisecond}
	if change != nil {
		change(&o)
	}
	tokens, err := auth.NewOIDC(o)
	require.NoError(t, err)
	gate := auth.NewGate(auth.GateOptions{Tokens: tokens, PlatformTenant: "platform"})
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- gate.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		assert.NoError(t, <-done)
	})
	require.Equal(t, 2, gate.Tenants(), "tokens say whose they are")
	return gate.Require(who)
}

var callers atomic.Int64

// asked is the answer to a request with the token, from an address of its own: that of
// one that asks a lot would be limited.
func asked(t *testing.T, h http.Handler, token string) *httptest.ResponseRecorder {
	t.Helper()
	n := callers.Add(1)
	return ask(t, h, token, fmt.Sprintf("198.%d.%d.%d:1", 18+n>>16&1, n>>8&255, n&255))
}

// TestTokens: a right token is taken, with its tenant and what its claims grant.
func TestTokens(t *testing.T) {
	t.Parallel()
	i := authtest.NewIssuer(t)
	ec, rs := authtest.NewKey(t, "ec"), authtest.NewRSAKey(t, "rs")
	i.Publish(ec, rs)
	var got callmodel.Principal
	gate := func(change func(*auth.OIDCOptions)) func(token string) callmodel.Principal {
		o := auth.OIDCOptions{Issuer: i.URL, Audience: "switchtape"}
		if change != nil {
			change(&o)
		}
		tokens, err := auth.NewOIDC(o)
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
		done := make(chan error, 1)
		go func() { done <- tokens.Run(ctx) }()
		t.Cleanup(func() { cancel(); assert.NoError(t, <-done) })
		h := auth.NewGate(auth.GateOptions{Tokens: tokens}).Require(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			got, _ = callmodel.PrincipalFrom(r.Context())
		}))
		return func(token string) callmodel.Principal {
			got = callmodel.Principal{}
			asked(t, h, token)
			return got
		}
	}
	plain := gate(nil)
	for _, k := range []*authtest.SigningKey{ec, rs} {
		p := plain(k.Token(t, i.Claims()))
		assert.Equal(t, callmodel.TenantID("acme"), p.TenantID)
		assert.Equal(t, "oidc:ann", p.Subject)
		assert.ElementsMatch(t, callmodel.RoleScopes(callmodel.RoleReader), p.Scopes)
	}
	assert.Equal(t, callmodel.TenantID("acme"), plain(ec.Token(t, i.Claims(map[string]any{"aud": []string{"other", "switchtape"}}))).TenantID)
	assert.Empty(t, plain(ec.Token(t, i.Claims(map[string]any{"scope": []any{"nothing", 7}}))).Scopes, "what isn't ours grants nothing")
	for _, tenant := range []any{nil, "", "../x", 7, []string{"acme"}} {
		assert.Empty(t, plain(ec.Token(t, i.Claims(map[string]any{"tenant": tenant}))), "%v", tenant)
	}
	assert.Empty(t, plain(ec.Token(t, i.Claims(map[string]any{"sub": ""}))), "nobody's")

	mapped := gate(func(o *auth.OIDCOptions) {
		o.TenantClaim, o.GrantClaims = "https://example.com/org.id", []string{"realm.roles", "groups"}
		o.Grants = map[string][]string{"admins": {"operator"}, "reader": {}, "agents": {"calls:read", "calls:write"}}
	})
	p := mapped(ec.Token(t, i.Claims(map[string]any{
		"https://example.com/org.id": "beta", "realm": map[string]any{"roles": []string{"agents", "reader"}}, "groups": "jobs:write",
	})))
	assert.Equal(t, callmodel.TenantID("beta"), p.TenantID)
	assert.ElementsMatch(t, []callmodel.Scope{callmodel.ScopeCallsRead, callmodel.ScopeCallsWrite, callmodel.ScopeJobsWrite}, p.Scopes)
	fixed := gate(func(o *auth.OIDCOptions) { o.Tenant = "one" })
	assert.Equal(t, callmodel.TenantID("one"), fixed(ec.Token(t, i.Claims())).TenantID)
}

// TestForgedTokens: none of the ways in which tokens are forged works, and all are
// refused as a wrong key is.
func TestForgedTokens(t *testing.T) {
	t.Parallel()
	i := authtest.NewIssuer(t)
	ec, rs := authtest.NewKey(t, "ec"), authtest.NewRSAKey(t, "rs")
	i.Publish(ec, rs)
	h := takes(t, i, nil)
	require.Equal(t, "acme/oidc:ann", asked(t, h, ec.Token(t, i.Claims())).Body.String())

	b64 := base64.RawURLEncoding.EncodeToString
	payload := func(claims map[string]any) string {
		text, err := json.Marshal(claims)
		require.NoError(t, err)
		return b64(text)
	}
	der, err := x509.MarshalPKIXPublicKey(rs.Private.Public())
	require.NoError(t, err)
	public := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	mine := authtest.NewKey(t, "ec")
	mineRSA := authtest.NewRSAKey(t, "mine")
	kid := func(id string) map[jose.HeaderKey]any { return map[jose.HeaderKey]any{"kid": id} }
	parts := strings.Split(ec.Token(t, i.Claims()), ".")
	own := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		t.Error("a token's own address was asked for keys")
		_ = json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: mine.Private.Public(), KeyID: "ec", Use: "sig"}}})
	}))
	t.Cleanup(own.Close)
	changed := map[string]map[string]any{
		"another audience":        {"aud": "other"},
		"no audience":             {"aud": nil},
		"an audience of its part": {"aud": "switch"},
		"another issuer":          {"iss": "https://evil.example"},
		"the issuer with a slash": {"iss": i.URL + "/"},
		"expired":                 {"exp": time.Now().Add(-time.Minute).Unix()},
		"no expiry":               {"exp": nil},
		"an expiry of text":       {"exp": "tomorrow"},
		"not yet":                 {"nbf": time.Now().Add(2 * time.Minute).Unix()},
		"not for long yet":        {"nbf": time.Now().Add(time.Hour).Unix()},
	}
	forged := map[string]string{
		"none":                    b64([]byte(`{"alg":"none","typ":"JWT"}`)) + "." + payload(i.Claims()) + ".",
		"None":                    b64([]byte(`{"alg":"None","kid":"ec"}`)) + "." + payload(i.Claims()) + ".",
		"none with a signature":   b64([]byte(`{"alg":"none","kid":"ec"}`)) + "." + payload(i.Claims()) + "." + parts[2],
		"no signature":            parts[0] + "." + parts[1] + ".",
		"another's signature":     parts[0] + "." + payload(i.Claims(map[string]any{"tenant": "beta"})) + "." + parts[2],
		"HS256 by the public key": authtest.Sign(t, jose.HS256, public, kid("rs"), i.Claims()),
		"HS256 by its bytes":      authtest.Sign(t, jose.HS256, der, kid("rs"), i.Claims()),
		"HS256 by nothing much":   authtest.Sign(t, jose.HS256, make([]byte, 32), kid("ec"), i.Claims()),
		"a stranger's key":        mine.Token(t, i.Claims()),
		"RSA under an EC name":    authtest.Sign(t, jose.RS256, mineRSA.Private, kid("ec"), i.Claims()),
		"PS256, not taken":        authtest.Sign(t, jose.PS256, rs.Private, kid("rs"), i.Claims()),
		"a key that it brings":    authtest.Sign(t, jose.ES256, jose.JSONWebKey{Key: mine.Private, KeyID: "ec"}, map[jose.HeaderKey]any{"jwk": jose.JSONWebKey{Key: mine.Private.Public()}}, i.Claims()),
		"keys at its address":     authtest.Sign(t, jose.ES256, mine.Private, map[jose.HeaderKey]any{"kid": "new", "jku": own.URL}, i.Claims()),
		"a certificate's address": authtest.Sign(t, jose.ES256, mine.Private, map[jose.HeaderKey]any{"kid": "ec", "x5u": own.URL}, i.Claims()),
		"a path for a kid":        authtest.Sign(t, jose.ES256, mine.Private, kid("../../../../dev/null"), i.Claims()),
		"SQL for a kid":           authtest.Sign(t, jose.ES256, mine.Private, kid("x' UNION SELECT 'key"), i.Claims()),
		"an address for a kid":    authtest.Sign(t, jose.ES256, mine.Private, kid(own.URL), i.Claims()),
		"a kid of 10 kB":          authtest.Sign(t, jose.ES256, mine.Private, kid(strings.Repeat("k", 10_000)), i.Claims()),
		"huge":                    ec.Token(t, i.Claims(map[string]any{"more": strings.Repeat("x", 20_000)})),
		"4 parts":                 ec.Token(t, i.Claims()) + ".x",
		"no JSON":                 "eyJ.eyJ.x",
		"nothing":                 "ey..",
	}
	for name, change := range changed {
		forged[name] = ec.Token(t, i.Claims(change))
	}
	for name, token := range forged {
		w := asked(t, h, token)
		assert.Equal(t, http.StatusOK, w.Code, "%s: the handler behind answers these", name)
		assert.Empty(t, w.Body.String(), name)
	}
	assert.Equal(t, "acme/oidc:ann", asked(t, h, rs.Token(t, i.Claims())).Body.String())
}

// TestIssuersKeysRotate: while the issuer changes its keys over and over, as issuers do
// that publish the next one with the first token that it signs, no right token is
// refused; tokens of a key that it has withdrawn are.
func TestIssuersKeysRotate(t *testing.T) {
	t.Parallel()
	i := authtest.NewIssuer(t)
	first := authtest.NewKey(t, "k0")
	i.Publish(first)
	h := takes(t, i, func(o *auth.OIDCOptions) { o.RefreshEvery = 50 * time.Millisecond })
	token := first.Token(t, i.Claims())
	require.Equal(t, "acme/oidc:ann", asked(t, h, token).Body.String())
	var current atomic.Pointer[string]
	current.Store(&token)
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	var users [4]atomic.Int64 // how often each was taken
	for u := range users {
		wg.Go(func() {
			for ctx.Err() == nil {
				if !assert.Equal(t, "acme/oidc:ann", asked(t, h, *current.Load()).Body.String()) {
					return
				}
				users[u].Add(1)
			}
		})
	}
	before := first
	for n := range 10 {
		next := authtest.NewKey(t, fmt.Sprint("k", n+1))
		i.Publish(before, next)
		token := next.Token(t, i.Claims())
		current.Store(&token)
		everyoneGoesOn(t, users[:], 25)
		before = next
	}
	cancel()
	wg.Wait()
	require.Eventually(t, func() bool {
		return asked(t, h, first.Token(t, i.Claims())).Body.String() == "" && asked(t, h, before.Token(t, i.Claims())).Body.String() != ""
	}, 30*time.Second, 10*time.Millisecond, "it has withdrawn it")
}

// TestUnknownKeysDontHammerTheIssuer: however many tokens come that name keys which
// aren't there, the issuer is asked some times a second, and right tokens are taken
// meanwhile.
func TestUnknownKeysDontHammerTheIssuer(t *testing.T) {
	t.Parallel()
	i := authtest.NewIssuer(t)
	k := authtest.NewKey(t, "k")
	i.Publish(k)
	h := takes(t, i, func(o *auth.OIDCOptions) { o.FetchGap = 100 * time.Millisecond })
	require.Equal(t, "acme/oidc:ann", asked(t, h, k.Token(t, i.Claims())).Body.String())
	before, began := i.Fetched.Load(), time.Now()
	mine := authtest.NewKey(t, "mine")
	var wg sync.WaitGroup
	for n := range 400 {
		token := authtest.Sign(t, jose.ES256, mine.Private, map[jose.HeaderKey]any{"kid": fmt.Sprint("none", n)}, i.Claims())
		wg.Go(func() { assert.Empty(t, asked(t, h, token).Body.String()) })
	}
	for range 50 {
		assert.Equal(t, "acme/oidc:ann", asked(t, h, k.Token(t, i.Claims())).Body.String())
	}
	wg.Wait()
	assert.LessOrEqual(t, i.Fetched.Load()-before, 2+int64(time.Since(began)/(100*time.Millisecond)))
}

// TestIssuerAway: the keys that are known go on for the time that is said; what can't be
// looked up is told from what is wrong, and a server starts without the issuer.
func TestIssuerAway(t *testing.T) {
	t.Parallel()
	i := authtest.NewIssuer(t)
	k, next := authtest.NewKey(t, "k"), authtest.NewKey(t, "next")
	i.Publish(k)
	clock := &moved{}
	clock.set(time.Now())
	change := func(o *auth.OIDCOptions) { o.Now, o.Stale, o.RefreshEvery = clock.now, time.Hour, 5*time.Millisecond }
	h := takes(t, i, change)
	long := i.Claims(map[string]any{"exp": time.Now().Add(3 * time.Hour).Unix()})
	require.Equal(t, "acme/oidc:ann", asked(t, h, k.Token(t, long)).Body.String())
	i.Away.Store(true)
	later := takes(t, i, change)
	require.Eventually(t, func() bool { return asked(t, h, next.Token(t, long)).Code == http.StatusServiceUnavailable }, 30*time.Second, time.Millisecond,
		"it may be right")
	assert.Equal(t, "acme/oidc:ann", asked(t, h, k.Token(t, long)).Body.String())
	assert.Equal(t, http.StatusServiceUnavailable, asked(t, later, k.Token(t, long)).Code)
	clock.add(time.Hour + time.Minute)
	assert.Equal(t, http.StatusServiceUnavailable, asked(t, h, k.Token(t, long)).Code, "that is too long ago")
	i.Publish(k, next)
	i.Away.Store(false)
	for _, h := range []http.Handler{h, later} {
		require.Eventually(t, func() bool { return asked(t, h, next.Token(t, long)).Body.String() == "acme/oidc:ann" }, 30*time.Second, time.Millisecond)
	}
}

// TestIssuersThatArentTaken: faults of the options are told at once, and an issuer that
// says to be another, or has its keys elsewhere in clear, is none.
func TestIssuersThatArentTaken(t *testing.T) {
	t.Parallel()
	_, err := auth.NewOIDC(auth.OIDCOptions{Issuer: "http://login.example.com", Algorithms: []string{"HS256", "none"}, Tenant: "../x", Grants: map[string][]string{"a": {"king"}}})
	var faults callmodel.FieldErrors
	require.ErrorAs(t, err, &faults)
	paths := make([]string, 0, len(faults))
	for _, f := range faults {
		paths = append(paths, f.Path)
	}
	assert.ElementsMatch(t, []string{"issuer", "audience", "algorithms[0]", "algorithms[1]", "tenant", "grants.a.grants[0]"}, paths)

	k := authtest.NewKey(t, "k")
	for name, metadata := range map[string]func(self string) map[string]any{
		"another's name": func(self string) map[string]any {
			return map[string]any{"issuer": "https://login.example.com", "jwks_uri": self + "/keys"}
		},
		"keys in clear": func(self string) map[string]any {
			return map[string]any{"issuer": self, "jwks_uri": "http://keys.example.com/keys"}
		},
		"keys of a file": func(self string) map[string]any {
			return map[string]any{"issuer": self, "jwks_uri": "file:///etc/passwd"}
		},
	} {
		var self string
		var askedFor atomic.Int64
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/keys" {
				_ = json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: k.Private.Public(), KeyID: "k"}}})
				return
			}
			askedFor.Add(1)
			w.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).Encode(metadata(self))
		}))
		self = server.URL
		i := &authtest.Issuer{Server: server}
		h := takes(t, i, func(o *auth.OIDCOptions) { o.RefreshEvery = 5 * time.Millisecond })
		require.Eventually(t, func() bool { return askedFor.Load() > 1 }, 30*time.Second, time.Millisecond)
		assert.Equal(t, http.StatusServiceUnavailable, asked(t, h, k.Token(t, i.Claims())).Code, name)
		t.Cleanup(server.Close)
	}
}

// TestTokensArentLogged: what is logged of tokens that are refused names none.
func TestTokensArentLogged(t *testing.T) {
	t.Parallel()
	i := authtest.NewIssuer(t)
	k := authtest.NewKey(t, "k")
	i.Publish(k)
	var text bytes.Buffer
	h := takes(t, i, func(o *auth.OIDCOptions) {
		o.Logger = slog.New(slog.NewTextHandler(&text, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	require.NotEmpty(t, asked(t, h, k.Token(t, i.Claims())).Body.String())
	token := k.Token(t, i.Claims(map[string]any{"exp": 1, "secret": "of ann"}))
	require.Empty(t, asked(t, h, token).Body.String())
	assert.Contains(t, text.String(), "why=expired")
	for part := range strings.SplitSeq(token, ".") {
		assert.NotContains(t, text.String(), part)
	}
}
