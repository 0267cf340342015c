// Package authtest has an OpenID Connect issuer for tests, which signs tokens that are
// right and tokens that are forged.
package authtest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"
)

// Issuer is an OpenID Connect issuer on this machine.
type Issuer struct {
	*httptest.Server

	mu      sync.Mutex
	keys    []jose.JSONWebKey // published
	Away    atomic.Bool       // it answers 502
	Fetched atomic.Int64      // how often its keys were asked for

	people people
}

// NewIssuer starts an issuer that publishes no keys yet; it ends with the test.
func NewIssuer(t *testing.T) *Issuer {
	t.Helper()
	i := &Issuer{}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		if i.Away.Load() {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(i.metadata())
	})
	mux.HandleFunc("GET /authorize", i.authorize)
	mux.HandleFunc("POST /token", i.token)
	mux.HandleFunc("GET /keys", func(w http.ResponseWriter, _ *http.Request) {
		i.Fetched.Add(1)
		if i.Away.Load() {
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

// Publish replaces the keys.
func (i *Issuer) Publish(keys ...*SigningKey) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.keys = nil
	for _, k := range keys {
		i.keys = append(i.keys, jose.JSONWebKey{Key: k.Private.Public(), KeyID: k.id, Algorithm: string(k.alg), Use: "sig"})
	}
}

// SigningKey is one of an issuer's keys.
type SigningKey struct {
	id      string
	alg     jose.SignatureAlgorithm
	Private crypto.Signer
}

// NewKey makes a key for ES256.
func NewKey(t testing.TB, id string) *SigningKey {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	return &SigningKey{id, jose.ES256, k}
}

// NewRSAKey makes a key for RS256.
func NewRSAKey(t testing.TB, id string) *SigningKey {
	t.Helper()
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	return &SigningKey{id, jose.RS256, k}
}

// Sign makes a token with any key and any header.
func Sign(t testing.TB, alg jose.SignatureAlgorithm, key any, headers map[jose.HeaderKey]any, claims map[string]any) string {
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

// Token makes a token with the key and its name.
func (k *SigningKey) Token(t testing.TB, claims map[string]any) string {
	t.Helper()
	return Sign(t, k.alg, k.Private, map[jose.HeaderKey]any{"kid": k.id}, claims)
}

// Claims are those of a token that is taken, of the tenant acme and the role reader, for
// the audience switchtape; more replace some or come beside them.
func (i *Issuer) Claims(more ...map[string]any) map[string]any {
	claims := map[string]any{
		"iss": i.URL, "aud": "switchtape", "sub": "ann", "exp": time.Now().Add(time.Hour).Unix(), "iat": time.Now().Unix(),
		"tenant": "acme", "scope": "openid calls:read reader",
	}
	for _, m := range more {
		maps.Copy(claims, m)
	}
	return claims
}
