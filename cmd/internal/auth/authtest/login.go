package authtest

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"sync"
)

// Client is the only one that the issuer knows, by RFC 6749.
type Client struct {
	ID       string
	Secret   string // "": it is a public client
	Redirect string // the only address that answers go to
}

// people are those who log in at the issuer.
type people struct {
	mu     sync.Mutex
	client Client
	more   map[string]any                        // of the metadata
	answer func(q url.Values)                    // changes the answer that the browser takes along
	give   func(asked url.Values) map[string]any // the token response
	codes  map[string]url.Values
	spent  int // codes that were changed for tokens
	tried  int // requests for tokens
}

// LogsIn has the issuer log everybody in at once, by the authorization code flow with PKCE,
// as an issuer does that knows the browser. give makes what it answers for the code of what was asked; answer,
// which may be nil, changes what the browser brings back, and more its metadata.
func (i *Issuer) LogsIn(c Client, give func(asked url.Values) map[string]any, answer func(q url.Values), more map[string]any) {
	i.people.mu.Lock()
	defer i.people.mu.Unlock()
	i.people.client, i.people.give, i.people.answer, i.people.more = c, give, answer, more
	if i.people.codes == nil {
		i.people.codes = map[string]url.Values{}
	}
}

// Tried is how many requests for tokens came, and how many of them got one.
func (i *Issuer) Tried() (requests, given int) {
	i.people.mu.Lock()
	defer i.people.mu.Unlock()
	return i.people.tried, i.people.spent
}

func (i *Issuer) metadata() map[string]any {
	i.people.mu.Lock()
	defer i.people.mu.Unlock()
	m := map[string]any{
		"issuer": i.URL, "jwks_uri": i.URL + "/keys", "authorization_endpoint": i.URL + "/authorize?in=this", "token_endpoint": i.URL + "/token",
		"end_session_endpoint": i.URL + "/end",
	}
	maps.Copy(m, i.people.more)
	return m
}

func (i *Issuer) authorize(w http.ResponseWriter, r *http.Request) {
	p := &i.people
	p.mu.Lock()
	defer p.mu.Unlock()
	q := r.URL.Query()
	switch {
	case p.give == nil, q.Get("client_id") != p.client.ID, q.Get("redirect_uri") != p.client.Redirect, q.Get("response_type") != "code", q.Get("in") != "this",
		q.Get("code_challenge_method") != "S256", q.Get("code_challenge") == "", q.Get("nonce") == "", q.Get("state") == "", !strings.Contains(" "+q.Get("scope")+" ", " openid "):
		http.Error(w, "not an authorization request of the client's: "+r.URL.RawQuery, http.StatusBadRequest)
		return
	}
	code := "code-of-" + q.Get("state")
	p.codes[code] = q
	back := url.Values{"code": {code}, "state": {q.Get("state")}, "iss": {i.URL}}
	if p.answer != nil {
		p.answer(back)
	}
	http.Redirect(w, r, p.client.Redirect+"?"+back.Encode(), http.StatusFound)
}

func (i *Issuer) token(w http.ResponseWriter, r *http.Request) {
	p := &i.people
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tried++
	if i.Away.Load() {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	refuse := func(status int, code string) {
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(map[string]string{"error": code})
	}
	w.Header().Set("Content-Type", "application/json")
	id, secret, _ := r.BasicAuth()
	id, _ = url.QueryUnescape(id) // RFC 6749 section 2.3.1
	secret, _ = url.QueryUnescape(secret)
	if p.client.Secret == "" {
		id = r.PostFormValue("client_id")
	}
	if id != p.client.ID || subtle.ConstantTimeCompare([]byte(secret), []byte(p.client.Secret)) != 1 {
		refuse(http.StatusUnauthorized, "invalid_client")
		return
	}
	asked, ok := p.codes[r.PostFormValue("code")]
	delete(p.codes, r.PostFormValue("code"))
	sum := sha256.Sum256([]byte(r.PostFormValue("code_verifier")))
	if !ok || r.PostFormValue("grant_type") != "authorization_code" || r.PostFormValue("redirect_uri") != p.client.Redirect ||
		base64.RawURLEncoding.EncodeToString(sum[:]) != asked.Get("code_challenge") {
		refuse(http.StatusBadRequest, "invalid_grant")
		return
	}
	p.spent++
	_ = json.NewEncoder(w).Encode(p.give(asked))
}
