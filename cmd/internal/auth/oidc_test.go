package auth_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"log/slog"
	"maps"
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
)

// issuer is an OpenID Connect issuer on this machine.
type issuer struct {
	*httptest.Server

	mu      sync.Mutex
	keys    []jose.JSONWebKey // published
	away    atomic.Bool
	fetched atomic.Int64 // how often its keys were asked for
}

func newIssuer(t *testing.T) *issuer {
	t.Helper()
	i := &issuer{}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		if i.away.Load() {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]any{"issuer": i.URL, "jwks_uri": i.URL + "/keys"})
	})
	mux.HandleFunc("GET /keys", func(w http.ResponseWriter, _ *http.Request) {
		i.fetched.Add(1)
		if i.away.Load() {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		i.mu.Lock()
		defer i.mu.Unlock()
		_ = json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: i.keys})
	})
	i.Server = httptest.NewServer(mux)
	t.Cleanup(i.Close)
	return i
}

// publish replaces the keys.
func (i *issuer) publish(keys ...*signingKey) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.keys = nil
	for _, k := range keys {
		i.keys = append(i.keys, jose.JSONWebKey{Key: k.private.Public(), KeyID: k.id, Algorithm: string(k.alg), Use: "sig"})
	}
}

// signingKey is one of its keys.
type signingKey struct {
	id      string
	alg     jose.SignatureAlgorithm
	private crypto.Signer
}

func newKey(t testing.TB, id string) *signingKey {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	return &signingKey{id, jose.ES256, k}
}

func rsaKey(t testing.TB, id string) *signingKey {
	t.Helper()
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	return &signingKey{id, jose.RS256, k}
}

// sign makes a token with any key and any header.
func sign(t testing.TB, alg jose.SignatureAlgorithm, key any, headers map[jose.HeaderKey]any, claims map[string]any) string {
	t.Helper()
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, &jose.SignerOptions{ExtraHeaders: headers})
	require.NoError(t, err)
	text, err := json.Marshal(claims)
	require.NoError(t, err)
	jws, err := s.Sign(text)
	require.NoError(t, err)
	token, err := jws.CompactSerialize()
	require.NoError(t, err)
	return token
}

func (k *signingKey) token(t testing.TB, claims map[string]any) string {
	t.Helper()
	return sign(t, k.alg, k.private, map[jose.HeaderKey]any{"kid": k.id}, claims)
}

// right are the claims of a token that is taken, with some others.
func (i *issuer) right(more ...map[string]any) map[string]any {
	claims := map[string]any{
		"iss": i.URL, "aud": "switchtape", "sub": "ann", "exp": time.Now().Add(time.Hour).Unix(), "iat": time.Now().Unix(),
		"tenant": "acme", "scope": "openid calls:read reader",
	}
	for _, m := range more {
		maps.Copy(claims, m)
	}
	return claims
}

// takes is a server behind a gate that takes the issuer's tokens.
func (i *issuer) takes(t *testing.T, change func(*auth.OIDCOptions)) http.Handler {
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
	i := newIssuer(t)
	ec, rs := newKey(t, "ec"), rsaKey(t, "rs")
	i.publish(ec, rs)
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
	for _, k := range []*signingKey{ec, rs} {
		p := plain(k.token(t, i.right()))
		assert.Equal(t, callmodel.TenantID("acme"), p.TenantID)
		assert.Equal(t, "oidc:ann", p.Subject)
		assert.ElementsMatch(t, callmodel.RoleScopes(callmodel.RoleReader), p.Scopes)
	}
	assert.Equal(t, callmodel.TenantID("acme"), plain(ec.token(t, i.right(map[string]any{"aud": []string{"other", "switchtape"}}))).TenantID)
	assert.Empty(t, plain(ec.token(t, i.right(map[string]any{"scope": []any{"nothing", 7}}))).Scopes, "what isn't ours grants nothing")
	for _, tenant := range []any{nil, "", "../x", 7, []string{"acme"}} {
		assert.Empty(t, plain(ec.token(t, i.right(map[string]any{"tenant": tenant}))), "%v", tenant)
	}
	assert.Empty(t, plain(ec.token(t, i.right(map[string]any{"sub": ""}))), "nobody's")

	mapped := gate(func(o *auth.OIDCOptions) {
		o.TenantClaim, o.GrantClaims = "https://example.com/org.id", []string{"realm.roles", "groups"}
		o.Grants = map[string][]string{"admins": {"operator"}, "reader": {}, "agents": {"calls:read", "calls:write"}}
	})
	p := mapped(ec.token(t, i.right(map[string]any{
		"https://example.com/org.id": "beta", "realm": map[string]any{"roles": []string{"agents", "reader"}}, "groups": "jobs:write",
	})))
	assert.Equal(t, callmodel.TenantID("beta"), p.TenantID)
	assert.ElementsMatch(t, []callmodel.Scope{callmodel.ScopeCallsRead, callmodel.ScopeCallsWrite, callmodel.ScopeJobsWrite}, p.Scopes)
	fixed := gate(func(o *auth.OIDCOptions) { o.Tenant = "one" })
	assert.Equal(t, callmodel.TenantID("one"), fixed(ec.token(t, i.right())).TenantID)
}

// TestForgedTokens: none of the ways in which tokens are forged works, and all are
// refused as a wrong key is.
func TestForgedTokens(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	ec, rs := newKey(t, "ec"), rsaKey(t, "rs")
	i.publish(ec, rs)
	h := i.takes(t, nil)
	require.Equal(t, "acme/oidc:ann", asked(t, h, ec.token(t, i.right())).Body.String())

	b64 := base64.RawURLEncoding.EncodeToString
	payload := func(claims map[string]any) string {
		text, err := json.Marshal(claims)
		require.NoError(t, err)
		return b64(text)
	}
	der, err := x509.MarshalPKIXPublicKey(rs.private.Public())
	require.NoError(t, err)
	public := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	mine := newKey(t, "ec")
	mineRSA := rsaKey(t, "mine")
	kid := func(id string) map[jose.HeaderKey]any { return map[jose.HeaderKey]any{"kid": id} }
	parts := strings.Split(ec.token(t, i.right()), ".")
	own := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		t.Error("a token's own address was asked for keys")
		_ = json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: mine.private.Public(), KeyID: "ec", Use: "sig"}}})
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
		"none":                    b64([]byte(`{"alg":"none","typ":"JWT"}`)) + "." + payload(i.right()) + ".",
		"None":                    b64([]byte(`{"alg":"None","kid":"ec"}`)) + "." + payload(i.right()) + ".",
		"none with a signature":   b64([]byte(`{"alg":"none","kid":"ec"}`)) + "." + payload(i.right()) + "." + parts[2],
		"no signature":            parts[0] + "." + parts[1] + ".",
		"another's signature":     parts[0] + "." + payload(i.right(map[string]any{"tenant": "beta"})) + "." + parts[2],
		"HS256 by the public key": sign(t, jose.HS256, public, kid("rs"), i.right()),
		"HS256 by its bytes":      sign(t, jose.HS256, der, kid("rs"), i.right()),
		"HS256 by nothing much":   sign(t, jose.HS256, make([]byte, 32), kid("ec"), i.right()),
		"a stranger's key":        mine.token(t, i.right()),
		"RSA under an EC name":    sign(t, jose.RS256, mineRSA.private, kid("ec"), i.right()),
		"PS256, not taken":        sign(t, jose.PS256, rs.private, kid("rs"), i.right()),
		"a key that it brings":    sign(t, jose.ES256, jose.JSONWebKey{Key: mine.private, KeyID: "ec"}, map[jose.HeaderKey]any{"jwk": jose.JSONWebKey{Key: mine.private.Public()}}, i.right()),
		"keys at its address":     sign(t, jose.ES256, mine.private, map[jose.HeaderKey]any{"kid": "new", "jku": own.URL}, i.right()),
		"a certificate's address": sign(t, jose.ES256, mine.private, map[jose.HeaderKey]any{"kid": "ec", "x5u": own.URL}, i.right()),
		"a path for a kid":        sign(t, jose.ES256, mine.private, kid("../../../../dev/null"), i.right()),
		"SQL for a kid":           sign(t, jose.ES256, mine.private, kid("x' UNION SELECT 'key"), i.right()),
		"an address for a kid":    sign(t, jose.ES256, mine.private, kid(own.URL), i.right()),
		"a kid of 10 kB":          sign(t, jose.ES256, mine.private, kid(strings.Repeat("k", 10_000)), i.right()),
		"huge":                    ec.token(t, i.right(map[string]any{"more": strings.Repeat("x", 20_000)})),
		"4 parts":                 ec.token(t, i.right()) + ".x",
		"no JSON":                 "eyJ.eyJ.x",
		"nothing":                 "ey..",
	}
	for name, change := range changed {
		forged[name] = ec.token(t, i.right(change))
	}
	for name, token := range forged {
		w := asked(t, h, token)
		assert.Equal(t, http.StatusOK, w.Code, "%s: the handler behind answers these", name)
		assert.Empty(t, w.Body.String(), name)
	}
	assert.Equal(t, "acme/oidc:ann", asked(t, h, rs.token(t, i.right())).Body.String())
}

// TestIssuersKeysRotate: while the issuer changes its keys over and over, as issuers do
// that publish the next one with the first token that it signs, no right token is
// refused; tokens of a key that it has withdrawn are.
func TestIssuersKeysRotate(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	first := newKey(t, "k0")
	i.publish(first)
	h := i.takes(t, func(o *auth.OIDCOptions) { o.RefreshEvery = 50 * time.Millisecond })
	token := first.token(t, i.right())
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
		next := newKey(t, fmt.Sprint("k", n+1))
		i.publish(before, next)
		token := next.token(t, i.right())
		current.Store(&token)
		everyoneGoesOn(t, users[:], 25)
		before = next
	}
	cancel()
	wg.Wait()
	require.Eventually(t, func() bool {
		return asked(t, h, first.token(t, i.right())).Body.String() == "" && asked(t, h, before.token(t, i.right())).Body.String() != ""
	}, 30*time.Second, 10*time.Millisecond, "it has withdrawn it")
}

// TestUnknownKeysDontHammerTheIssuer: however many tokens come that name keys which
// aren't there, the issuer is asked some times a second, and right tokens are taken
// meanwhile.
func TestUnknownKeysDontHammerTheIssuer(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	k := newKey(t, "k")
	i.publish(k)
	h := i.takes(t, func(o *auth.OIDCOptions) { o.FetchGap = 100 * time.Millisecond })
	require.Equal(t, "acme/oidc:ann", asked(t, h, k.token(t, i.right())).Body.String())
	before, began := i.fetched.Load(), time.Now()
	mine := newKey(t, "mine")
	var wg sync.WaitGroup
	for n := range 400 {
		token := sign(t, jose.ES256, mine.private, map[jose.HeaderKey]any{"kid": fmt.Sprint("none", n)}, i.right())
		wg.Go(func() { assert.Empty(t, asked(t, h, token).Body.String()) })
	}
	for range 50 {
		assert.Equal(t, "acme/oidc:ann", asked(t, h, k.token(t, i.right())).Body.String())
	}
	wg.Wait()
	assert.LessOrEqual(t, i.fetched.Load()-before, 2+int64(time.Since(began)/(100*time.Millisecond)))
}

// TestIssuerAway: the keys that are known go on for the time that is said; what can't be
// looked up is told from what is wrong, and a server starts without the issuer.
func TestIssuerAway(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	k, next := newKey(t, "k"), newKey(t, "next")
	i.publish(k)
	clock := &moved{}
	clock.set(time.Now())
	change := func(o *auth.OIDCOptions) { o.Now, o.Stale, o.RefreshEvery = clock.now, time.Hour, 5*time.Millisecond }
	h := i.takes(t, change)
	long := i.right(map[string]any{"exp": time.Now().Add(3 * time.Hour).Unix()})
	require.Equal(t, "acme/oidc:ann", asked(t, h, k.token(t, long)).Body.String())
	i.away.Store(true)
	later := i.takes(t, change)
	require.Eventually(t, func() bool { return asked(t, h, next.token(t, long)).Code == http.StatusServiceUnavailable }, 30*time.Second, time.Millisecond,
		"it may be right")
	assert.Equal(t, "acme/oidc:ann", asked(t, h, k.token(t, long)).Body.String())
	assert.Equal(t, http.StatusServiceUnavailable, asked(t, later, k.token(t, long)).Code)
	clock.add(time.Hour + time.Minute)
	assert.Equal(t, http.StatusServiceUnavailable, asked(t, h, k.token(t, long)).Code, "that is too long ago")
	i.publish(k, next)
	i.away.Store(false)
	for _, h := range []http.Handler{h, later} {
		require.Eventually(t, func() bool { return asked(t, h, next.token(t, long)).Body.String() == "acme/oidc:ann" }, 30*time.Second, time.Millisecond)
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

	k := newKey(t, "k")
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
				_ = json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: k.private.Public(), KeyID: "k"}}})
				return
			}
			askedFor.Add(1)
			w.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).Encode(metadata(self))
		}))
		self = server.URL
		i := &issuer{Server: server}
		h := i.takes(t, func(o *auth.OIDCOptions) { o.RefreshEvery = 5 * time.Millisecond })
		require.Eventually(t, func() bool { return askedFor.Load() > 1 }, 30*time.Second, time.Millisecond)
		assert.Equal(t, http.StatusServiceUnavailable, asked(t, h, k.token(t, i.right())).Code, name)
		t.Cleanup(server.Close)
	}
}

// TestTokensArentLogged: what is logged of tokens that are refused names none.
func TestTokensArentLogged(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	k := newKey(t, "k")
	i.publish(k)
	var text bytes.Buffer
	h := i.takes(t, func(o *auth.OIDCOptions) {
		o.Logger = slog.New(slog.NewTextHandler(&text, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	require.NotEmpty(t, asked(t, h, k.token(t, i.right())).Body.String())
	token := k.token(t, i.right(map[string]any{"exp": 1, "secret": "of ann"}))
	require.Empty(t, asked(t, h, token).Body.String())
	assert.Contains(t, text.String(), "why=expired")
	for part := range strings.SplitSeq(token, ".") {
		assert.NotContains(t, text.String(), part)
	}
}
