package auth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"
)

const (
	fetchTimeout = 5 * time.Second
	maxKeySet    = 1 << 20 // bytes of an answer of the issuer
)

// issuerKeys are the public keys of an issuer, as it publishes them. It is an
// oidc.KeySet. The library's own would ask the issuer for every token with a key id that
// it doesn't know, and strangers make such tokens.
type issuerKeys struct {
	issuer     string
	algorithms []jose.SignatureAlgorithm
	stale      time.Duration
	now        func() time.Time
	log        *slog.Logger
	client     *http.Client
	fetches    *shared

	mu   sync.RWMutex
	keys []jose.JSONWebKey
	asOf time.Time // when the issuer answered last; zero: never
	away error     // what the last fetch failed with; nil if it didn't
	flow *endpoints
	url  string // of the keys; "": to be discovered

	forget atomic.Bool // the next fetch discovers again where everything is
}

func newIssuerKeys(o *OIDCOptions) *issuerKeys {
	k := &issuerKeys{issuer: o.Issuer, stale: o.Stale, now: o.Now, log: o.Logger}
	for _, a := range o.Algorithms {
		k.algorithms = append(k.algorithms, jose.SignatureAlgorithm(a))
	}
	transport := o.Transport
	if transport == nil {
		transport = http.DefaultTransport
	}
	k.client = &http.Client{Transport: bounded{transport}, Timeout: fetchTimeout, CheckRedirect: func(*http.Request, []*http.Request) error {
		return errors.New("it redirects, and its keys are taken from itself alone")
	}}
	k.fetches = newShared(o.RefreshEvery, o.FetchGap, o.FetchGap+fetchTimeout+time.Second, k.fetch)
	return k
}

// bounded answers with bodies of some size at most.
type bounded struct{ next http.RoundTripper }

func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := b.next.RoundTrip(r)
	if err == nil {
		resp.Body = struct {
			io.Reader
			io.Closer
		}{io.LimitReader(resp.Body, maxKeySet), resp.Body}
	}
	return resp, err
}

// VerifySignature implements oidc.KeySet. A token that names a key which isn't known
// waits for the next fetch, which all such tokens share.
func (k *issuerKeys) VerifySignature(ctx context.Context, jwt string) ([]byte, error) {
	jws, err := jose.ParseSigned(jwt, k.algorithms)
	if err != nil {
		return nil, err
	}
	payload, known := k.verify(jws)
	if payload != nil {
		return payload, nil
	}
	if !known {
		if !k.isAway() && k.fetches.next(ctx) {
			if payload, known = k.verify(jws); payload != nil {
				return payload, nil
			}
		}
		if note, ok := ctx.Value(noteKey{}).(*note); ok {
			note.unsure = !known && k.isAway()
		}
	}
	return nil, errors.New("the signature is none of the issuer's")
}

// note is what a look at a signature tells beside its error, which the library's hides.
type note struct{ unsure bool } // the key that the token names may be one that can't be fetched now

type noteKey struct{}

// verify is what the token holds, nil if none of the keys has signed it. known says
// that the key that it names is one of them.
func (k *issuerKeys) verify(jws *jose.JSONWebSignature) (payload []byte, known bool) {
	if len(jws.Signatures) != 1 {
		return nil, true
	}
	header := &jws.Signatures[0].Header
	k.mu.RLock()
	keys, asOf := k.keys, k.asOf
	k.mu.RUnlock()
	if asOf.IsZero() || k.now().Sub(asOf) > k.stale {
		return nil, false
	}
	known = header.KeyID == "" // then none can be fetched by its name
	for i := range keys {
		key := &keys[i]
		if header.KeyID != "" && key.KeyID != header.KeyID {
			continue
		}
		known = true
		if key.Algorithm != "" && key.Algorithm != header.Algorithm {
			continue
		}
		// The key is the issuer's: whatever key the token brings along is not looked at.
		if payload, err := jws.Verify(key); err == nil {
			return payload, true
		}
	}
	return nil, known
}

func (k *issuerKeys) isAway() bool {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return k.away != nil
}

// unsure reports whether right tokens can't be told from wrong ones, as the issuer has
// not been heard of for too long.
func (k *issuerKeys) unsure() bool {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return k.asOf.IsZero() || k.now().Sub(k.asOf) > k.stale
}

// fetch asks the issuer for its keys.
func (k *issuerKeys) fetch(ctx context.Context) {
	keys, err := k.ask(ctx)
	if ctx.Err() != nil {
		return
	}
	k.mu.Lock()
	before := k.away
	if k.away = err; err == nil {
		k.keys, k.asOf = keys, k.now()
	}
	k.mu.Unlock()
	switch {
	case err != nil && before == nil:
		k.log.WarnContext(ctx, "the issuer's keys can't be fetched; those that are known go on", "issuer", k.issuer, "for", k.stale, "error", err)
	case err == nil && before != nil:
		k.log.InfoContext(ctx, "the issuer's keys are fetched again", "issuer", k.issuer)
	}
}

func (k *issuerKeys) ask(ctx context.Context) ([]jose.JSONWebKey, error) {
	timed, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	if k.forget.Swap(false) {
		k.url = ""
	}
	if k.url == "" {
		// It must say that it is the issuer (OpenID Connect Discovery 1.0 section 4.3).
		p, err := oidc.NewProvider(oidc.ClientContext(timed, k.client), k.issuer)
		if err != nil {
			return nil, err
		}
		var metadata metadata
		if err := p.Claims(&metadata); err != nil {
			return nil, err
		}
		if err := checkIssuerURL(metadata.JWKS); err != nil {
			return nil, fmt.Errorf("the address of the issuer's keys %w", err)
		}
		k.url = metadata.JWKS
		k.mu.Lock()
		k.flow = metadata.endpoints()
		k.mu.Unlock()
	}
	keys, err := k.get(timed)
	if err != nil {
		k.url = "" // it may be elsewhere now
	}
	return keys, err
}

func (k *issuerKeys) get(ctx context.Context) ([]jose.JSONWebKey, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, k.url, nil)
	if err != nil {
		return nil, err
	}
	resp, err := k.client.Do(r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close() //nolint:errcheck // only read from
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("it answers %s", resp.Status)
	}
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&set); err != nil {
		return nil, fmt.Errorf("its keys can't be read: %w", err)
	}
	var keys []jose.JSONWebKey
	for _, text := range set.Keys {
		var key jose.JSONWebKey
		// Keys of kinds that aren't known here are for others.
		if err := json.Unmarshal(text, &key); err == nil && k.usable(&key) {
			keys = append(keys, key)
		}
	}
	if keys == nil {
		return nil, errors.New("it publishes no key that signs by the algorithms that are taken")
	}
	return keys, nil
}

// usable reports whether the key is a public one, that signs by the algorithms.
func (k *issuerKeys) usable(key *jose.JSONWebKey) bool {
	return key.Valid() && key.IsPublic() && (key.Use == "" || key.Use == "sig") &&
		(key.Algorithm == "" || slices.Contains(k.algorithms, jose.SignatureAlgorithm(key.Algorithm)))
}
