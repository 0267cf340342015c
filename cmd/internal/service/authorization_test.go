package service_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/deadletter"
	"github.com/switchtape/switchtape/callmodel/keys"
	"github.com/switchtape/switchtape/callmodel/shares"
	"github.com/switchtape/switchtape/cmd/internal/apidocs"
	"github.com/switchtape/switchtape/cmd/internal/auth/authtest"
	"github.com/switchtape/switchtape/cmd/internal/service"
	"github.com/switchtape/switchtape/storage/calldb"
)

// operation is one of an OpenAPI file, with what a request for it needs.
type operation struct {
	method, path string
	scope        callmodel.Scope
	contentType  string // of the body; "": none
	body         string
}

// operations are all that the contracts have.
func operations(t *testing.T) (list []operation) {
	t.Helper()
	for _, text := range apidocs.Contracts() {
		var file struct {
			Paths map[string]map[string]yaml.Node `yaml:"paths"`
		}
		require.NoError(t, yaml.Unmarshal(text, &file))
		for path, item := range file.Paths {
			for method, node := range item {
				if method == "parameters" {
					continue
				}
				var op struct {
					Security    []map[string][]callmodel.Scope `yaml:"security"`
					RequestBody struct {
						Content map[string]struct {
							Example any `yaml:"example"`
						} `yaml:"content"`
					} `yaml:"requestBody"`
				}
				require.NoError(t, node.Decode(&op), "%s %s", method, path)
				require.Len(t, op.Security, 1, "%s %s", method, path)
				scopes := op.Security[0]["bearer"]
				require.Len(t, scopes, 1, "%s %s", method, path)
				o := operation{method: strings.ToUpper(method), path: path, scope: scopes[0]}
				for _, kind := range []string{"application/json", "application/yaml"} {
					if example := op.RequestBody.Content[kind].Example; example != nil && o.contentType == "" {
						o.contentType = kind
						if text, is := example.(string); is {
							o.body = text
							continue
						}
						b, err := json.Marshal(example)
						require.NoError(t, err)
						o.body = string(b)
					}
				}
				list = append(list, o)
			}
		}
	}
	slices.SortFunc(list, func(a, b operation) int { return strings.Compare(a.path+a.method, b.path+b.method) })
	return list
}

// platform is a service with the keys of two tenants, of which the first has things.
type platform struct {
	running

	db      *calldb.DB
	issuer  *authtest.Issuer // of tokens that are taken, too
	signing *authtest.SigningKey
	callers atomic.Int64
	things  map[string]string // the first tenant's, by the beginning of their path
}

// do makes a request from an address of its own: that of one that asks a lot would be
// limited. Nothing here is away, so an answer of 503 is that of a database that hadn't
// answered in its time, on a machine that is busy with other tests: it is asked again.
func (p *platform) do(t *testing.T, secret string, o operation) *httptest.ResponseRecorder {
	t.Helper()
	w := p.once(t, secret, o)
	for until := time.Now().Add(30 * time.Second); w.Code == http.StatusServiceUnavailable && time.Now().Before(until); w = p.once(t, secret, o) {
		time.Sleep(10 * time.Millisecond)
	}
	return w
}

func (p *platform) once(t *testing.T, secret string, o operation) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), o.method, o.path, strings.NewReader(o.body))
	n := p.callers.Add(1)
	r.RemoteAddr = fmt.Sprintf("198.18.%d.%d:1", n>>8&255, n&255)
	if secret != "" {
		r.Header.Set("Authorization", "Bearer "+secret)
	}
	if o.contentType != "" {
		r.Header.Set("Content-Type", o.contentType)
	}
	r.Header.Set("X-Request-Id", "same")
	w := httptest.NewRecorder()
	p.h.ServeHTTP(w, r)
	return w
}

func (p *platform) key(t *testing.T, tenant callmodel.TenantID, scopes []callmodel.Scope, expires time.Time) (id, secret string) {
	t.Helper()
	secret = keys.NewSecret()
	n := keys.New{ID: keys.NewID(), TenantID: tenant, Secret: keys.HashOf(secret), Actor: "test", ExpiresAt: expires}
	n.Name = n.ID
	for _, s := range scopes {
		n.Grants = append(n.Grants, string(s))
	}
	_, err := p.db.CreateKey(t.Context(), n)
	require.NoError(t, err)
	return n.ID, secret
}

// token is a token of the tenant's with the scopes, with other claims changed.
func (p *platform) token(t *testing.T, tenant callmodel.TenantID, scopes []callmodel.Scope, change map[string]any) string {
	t.Helper()
	words := make([]string, 0, len(scopes))
	for _, s := range scopes {
		words = append(words, string(s))
	}
	claims := p.issuer.Claims(map[string]any{"tenant": tenant, "scope": strings.Join(words, " ")}, change)
	return p.signing.Token(t, claims)
}

const matrixRules = `
destinations: {a: {uri: "sip:a.example.com"}}
rules: [{id: acme-secret-rule, match: {to: {prefix: "+"}}, route: [[{to: a}]]}]
`

func newPlatform(t *testing.T) (p *platform, right string) {
	t.Helper()
	url := calldb.SQLiteURL(filepath.Join(t.TempDir(), "a.db"))
	p = &platform{issuer: authtest.NewIssuer(t), signing: authtest.NewKey(t, "k")}
	p.issuer.Publish(p.signing)
	r, err := begin(t, url, service.APIOptions{AuthOptions: service.AuthOptions{
		DBKeys: true, DBKeysAway: time.Hour, OIDCIssuer: p.issuer.URL, OIDCAudience: "switchtape", OIDCAlgorithms: []string{"ES256"},
		OIDCTenantClaim: "tenant", OIDCGrantClaims: []string{"scope"},
	}, LaneOptions: service.LaneOptions{MaxInFlight: 64}})
	require.NoError(t, err)
	t.Cleanup(r.stop)
	p.running = r
	p.db, err = calldb.Open(t.Context(), url, nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, p.db.Close()) })
	_, right = p.key(t, "acme", callmodel.Scopes(), time.Time{})
	made := func(method, path, kind, body, field string) string {
		t.Helper()
		w := p.do(t, right, operation{method: method, path: path, contentType: kind, body: body})
		require.Less(t, w.Code, 300, "%s", w.Body)
		var answer map[string]any
		require.NoError(t, json.Unmarshal(w.Body.Bytes(), &answer))
		id, _ := answer[field].(string)
		require.NotEmpty(t, id, "%s", w.Body)
		return id
	}
	p.things = map[string]string{
		"/v1/rules": made(http.MethodPut, "/v1/rules", "application/yaml", matrixRules, "hash"),
		"/v1/calls": made(http.MethodPost, "/v1/calls", "application/json", `{"from":"+12025550123","to":"+12125550188"}`, "id"),
		"/v1/recordings": made(http.MethodPost, "/v1/recordings", "application/json", `{"call_id":"c1","recording_id":"r1","started_at":"2026-03-01T12:00:00Z",
			"outputs":[{"codec":"wav","layout":"mono"}],"legs":[{"name":"agent","segments":[{"uri":"acme/agent.wav"}]}]}`, "job_id"),
		"/v1/jobs":    made(http.MethodPost, "/v1/jobs", "application/json", `{"kind":"verify","key":"acme-secret-key","payload":{"recording":{"call_id":"c1"}}}`, "job_id"),
		"/v1/users":   made(http.MethodPut, "/v1/users/acme-secret-user", "application/json", `{"name":"Ann"}`, "id"),
		"/v1/tenants": made(http.MethodPut, "/v1/tenants/acme", "application/json", `{"metadata":{"name":"acme-secret-tenant"}}`, "id"),
		"/v1/keys":    made(http.MethodPost, "/v1/keys", "application/json", `{"name":"acme-secret-name","grants":["reader"]}`, "id"),
	}
	p.things["/v1/webhooks"] = made(http.MethodPost, "/v1/webhooks", "application/json", `{"url":"https://acme-secret.example/","description":"acme-secret-hook"}`, "id")
	p.things["/v1/holds"] = made(http.MethodPost, "/v1/holds", "application/json", `{"scope":"user","subject":"acme-secret-user","reason":"acme-secret-case"}`, "id")
	p.things["/v1/exports"] = made(http.MethodPost, "/v1/exports", "application/json", `{"of":"call","call_id":"acme-secret-call","key":"acme-secret-export"}`, "id")
	share, err := p.db.CreateShare(t.Context(), shares.New{
		Share: shares.Share{ID: shares.NewID(), TenantID: "acme", JobID: "acme-secret-job", CallID: "acme-secret-call", Codec: "wav", Description: "acme-secret-share"},
		Hash:  shares.NewToken().Hash(), Life: time.Hour,
	})
	require.NoError(t, err)
	p.things["/v1/shares"] = share.ID
	letter, _, err := p.db.KeepLetter(t.Context(), deadletter.New{
		TenantID: "acme", Source: "nats://acme-secret", Fingerprint: "f", Kind: "record", Code: callmodel.CodeInvalid, Reason: "acme-secret-reason",
		Body: []byte(`{"legs":[{"name":"agent","segments":[{"uri":"acme/agent.wav"}]}]}`),
	})
	require.NoError(t, err)
	p.things["/v1/dead-letters"] = string(letter)
	return p, right
}

// on is the operation on the first tenant's thing, or on one that nobody has.
func (p *platform) on(o operation, exists bool) operation {
	for prefix, id := range p.things {
		if !strings.HasPrefix(o.path, prefix) {
			continue
		}
		if !exists {
			id = id[:len(id)-4] + "0000"
		}
		o.path = strings.NewReplacer("{id}", id, "{hash}", id, "{letter}", id, "{hold}", id, "{rule}", id, "{name}", "index.json").Replace(o.path)
	}
	return o
}

// isOthers sees that the operation on the first tenant's things is answered to the
// second, whose credentials those are, as if there were none of them.
func (p *platform) isOthers(t *testing.T, secret string, o operation) {
	t.Helper()
	op, what := p.on(o, true), o.method+" "+o.path
	other := p.do(t, secret, op)
	for prefix, id := range p.things {
		if !strings.Contains(op.path, id) {
			assert.NotContains(t, other.Body.String(), id, "%s shows what is at %s", what, prefix)
		}
	}
	for _, words := range []string{"acme-secret", "acme/agent", "+12025550123"} {
		assert.NotContains(t, other.Body.String(), words, what)
	}
	if op.path != o.path {
		missing := p.on(o, false)
		like := p.do(t, secret, missing)
		assert.Equal(t, like.Code, other.Code, what)
		if !strings.HasSuffix(o.path, "/abort") { // no canary is to be ended where there is none
			assert.GreaterOrEqual(t, other.Code, 400, what)
		}
		words := func(w *httptest.ResponseRecorder, path string) string {
			for id := range strings.SplitSeq(path, "/") {
				if len(id) > 10 {
					return strings.ReplaceAll(w.Body.String(), id, "ID")
				}
			}
			return w.Body.String()
		}
		assert.Equal(t, words(like, missing.path), words(other, op.path), "%s: as if there were none", what)
	}
}

// TestAuthorizationMatrix: every operation of the contracts, with every kind of
// credentials.
func TestAuthorizationMatrix(t *testing.T) {
	t.Parallel()
	p, right := newPlatform(t)
	all := operations(t)
	require.GreaterOrEqual(t, len(all), 35)
	_, theirs := p.key(t, "beta", callmodel.Scopes(), time.Time{})
	_, expired := p.key(t, "acme", callmodel.Scopes(), time.Now().Add(300*time.Millisecond))
	revokedID, revoked := p.key(t, "acme", callmodel.Scopes(), time.Time{})
	require.Equal(t, http.StatusOK, p.do(t, revoked, operation{method: http.MethodGet, path: "/v1/keys"}).Code)
	_, err := p.db.ChangeKey(t.Context(), keys.Change{TenantID: "acme", ID: revokedID, Action: keys.Revoke})
	require.NoError(t, err)
	for _, secret := range []string{revoked, expired} {
		require.Eventually(t, func() bool {
			return p.do(t, secret, operation{method: http.MethodGet, path: "/v1/keys"}).Code == http.StatusUnauthorized
		}, 30*time.Second, time.Millisecond)
	}
	tooLittle, littleToken := map[callmodel.Scope]string{}, map[callmodel.Scope]string{}
	for _, s := range callmodel.Scopes() {
		others := slices.DeleteFunc(callmodel.Scopes(), func(o callmodel.Scope) bool { return o == s })
		_, tooLittle[s] = p.key(t, "acme", others, time.Time{})
		littleToken[s] = p.token(t, "acme", others, nil)
	}
	rightToken := p.token(t, "acme", callmodel.Scopes(), nil)
	require.Eventually(t, func() bool { // its issuer's keys have come
		return p.do(t, rightToken, operation{method: http.MethodGet, path: "/v1/keys"}).Code == http.StatusOK
	}, 30*time.Second, time.Millisecond)
	theirToken := p.token(t, "beta", callmodel.Scopes(), nil)
	refused := map[string]string{
		"wrong": "wrong", "expired": expired, "revoked": revoked,
		"an expired token":     p.token(t, "acme", callmodel.Scopes(), map[string]any{"exp": time.Now().Add(-time.Hour).Unix()}),
		"another audience":     p.token(t, "acme", callmodel.Scopes(), map[string]any{"aud": "other"}),
		"another issuer":       p.token(t, "acme", callmodel.Scopes(), map[string]any{"iss": "https://login.example.com"}),
		"a stranger's token":   authtest.NewKey(t, "k").Token(t, p.issuer.Claims()),
		"a token of no tenant": p.token(t, "", callmodel.Scopes(), nil),
	}
	for _, o := range all {
		what := o.method + " " + o.path
		op := p.on(o, true)
		require.NotContains(t, op.path, "{", what)

		none := p.do(t, "", op)
		assert.Equal(t, http.StatusUnauthorized, none.Code, what)
		for name, secret := range refused {
			w := p.do(t, secret, op)
			assert.Equal(t, http.StatusUnauthorized, w.Code, "%s %s", name, what)
			assert.Equal(t, none.Body.String(), w.Body.String(), "%s %s: the same words", name, what)
			assert.Equal(t, none.Header(), w.Header(), "%s %s", name, what)
		}
		assert.Equal(t, http.StatusForbidden, p.do(t, tooLittle[o.scope], op).Code, what)
		assert.Equal(t, http.StatusForbidden, p.do(t, littleToken[o.scope], op).Code, "a token, %s", what)

		if what == "PUT /v1/users/{id}" {
			continue // makes one of the other tenant's own
		}
		for _, secret := range []string{theirs, theirToken} {
			p.isOthers(t, secret, o)
		}
	}
	for _, o := range all { // last, as some end what others need
		for _, secret := range []string{right, rightToken} {
			w := p.do(t, secret, p.on(o, true))
			assert.NotContains(t, []int{http.StatusUnauthorized, http.StatusForbidden}, w.Code, "%s %s: %s", o.method, o.path, w.Body)
			assert.Less(t, w.Code, 500, "%s %s: %s", o.method, o.path, w.Body)
		}
	}
	events, err := p.db.AuditEvents(t.Context(), "acme", 0, 1000)
	require.NoError(t, err)
	for _, e := range events {
		assert.NotContains(t, fmt.Sprint(e), right, "no key is audited")
	}
}

// TestOthersThingsTakeAsLongAsNone: another tenant's id and one that nobody has are
// answered in the same time, within noise.
func TestOthersThingsTakeAsLongAsNone(t *testing.T) {
	t.Parallel()
	p, _ := newPlatform(t)
	_, theirs := p.key(t, "beta", callmodel.Scopes(), time.Time{})
	median := func(list []time.Duration) time.Duration {
		slices.Sort(list)
		return list[len(list)/2]
	}
	for _, path := range []string{"/v1/calls/{id}", "/v1/recordings/jobs/{id}", "/v1/jobs/{id}", "/v1/keys/{id}", "/v1/users/{id}", "/v1/rules/{hash}", "/v1/dead-letters/{letter}", "/v1/webhooks/{id}", "/v1/exports/{id}", "/v1/shares/{id}"} {
		o := operation{method: http.MethodGet, path: path}
		alike := func() bool {
			var took [2][]time.Duration
			for range 101 { // in turns, so that whatever else the machine does is in both
				for i, exists := range []bool{true, false} {
					op := p.on(o, exists)
					began := time.Now()
					w := p.do(t, theirs, op)
					took[i] = append(took[i], time.Since(began))
					require.Equal(t, http.StatusNotFound, w.Code)
				}
			}
			a, b := median(took[0]), median(took[1])
			return a < b*3/2 && b < a*3/2
		}
		ok := false
		for range 5 { // the machine may be busy with one of them
			if ok = alike(); ok {
				break
			}
		}
		assert.True(t, ok, path)
	}
}

// TestDenialsAreAudited: whichever handler refuses a principal, its tenant's audit log
// says so.
func TestDenialsAreAudited(t *testing.T) {
	t.Parallel()
	p, _ := newPlatform(t)
	for path, scope := range map[string]callmodel.Scope{
		"/v1/calls": callmodel.ScopeAuditRead, "/v1/keys": callmodel.ScopeCallsRead, "/v1/users": callmodel.ScopeCallsRead,
		"/v1/reports/calls": callmodel.ScopeRecordingsRead, "/v1/promise": callmodel.ScopeCallsRead, "/v1/reports/defects": callmodel.ScopeCallsRead, "/v1/recordings/jobs": callmodel.ScopeCallsRead, "/v1/rules/" + strings.Repeat("0", 32): callmodel.ScopeCallsRead,
	} {
		_, secret := p.key(t, "acme", []callmodel.Scope{scope}, time.Time{})
		o := operation{method: http.MethodGet, path: path}
		require.Eventually(t, func() bool { return p.do(t, secret, o).Code == http.StatusForbidden }, 30*time.Second, time.Millisecond, path)
		events, err := p.db.AuditEvents(t.Context(), "acme", 0, 1000)
		require.NoError(t, err)
		assert.True(t, slices.ContainsFunc(events, func(e callmodel.AuditEvent) bool {
			return e.Action == callmodel.AuditAccessDenied && e.Subject == "GET "+path
		}), "%s: %v", path, events)
	}
}
