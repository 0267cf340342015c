// Package fuzz_test fuzzes package callhttp apart from its other tests: with what those
// import, databases and the contract's validator, it would take minutes to compile.
package fuzz_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/routing/callhttp"
	"github.com/switchtape/switchtape/routing/callservice"
	"github.com/switchtape/switchtape/storage/calldb/memdb"
)

const rules = `
destinations: {a: {uri: "sip:a.example.com"}, b: {uri: "sip:b.example.com"}, c: {uri: "sip:c.example.com"}}
rules:
  - {id: nyc, match: {to: {prefix: "+1212"}}, route: [[{to: a}], [{to: b}]]}
  - {id: us, match: {to: {prefix: "+1"}}, route: [[{to: c}]]}
`

// FuzzCreateCall: no body is too much, and none that names an emergency number
// is refused.
func FuzzCreateCall(f *testing.F) {
	const nyc = `{"from":"+12025550123","to":"(212) 555-0188","recording":{"enabled":true}`
	for _, body := range []string{
		nyc + "}", nyc + `,"id":"x"}`, `{"to":"112"}`, `{"to":112,"x":`, `{"type":"emergency"}`, `{}`, ``, `[[[[`,
		`{"from":"+4930901820","to":"sip:110@pbx","region":"DE","metadata":{"a":"b"},"recording":{"outputs":[{}]}}`,
	} {
		f.Add([]byte(body))
	}
	svc := callservice.New(memdb.New(nil), &callservice.Options{
		DefaultRegion: "US", EmergencyDestinations: []calls.Destination{{ID: "psap", URI: "sip:psap.example.com"}},
	})
	_, err := svc.InstallRules(f.Context(), "acme", []byte(rules), "test", "")
	require.NoError(f, err)
	h := callhttp.New(svc, nil)
	who := callmodel.Principal{TenantID: "acme", Subject: "test", Scopes: callmodel.RoleScopes(callmodel.RoleCaller)}
	f.Fuzz(func(t *testing.T, body []byte) {
		post := func(body string) *httptest.ResponseRecorder {
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequestWithContext(callmodel.WithPrincipal(t.Context(), who), http.MethodPost, "/v1/calls", strings.NewReader(body)))
			require.True(t, json.Valid(w.Body.Bytes()), "%q", w.Body)
			return w
		}
		w := post(string(body))
		require.Less(t, w.Code, 500, "%s", w.Body)
		var to struct{ To string }
		if json.Unmarshal(body, &to) == nil && (to.To == "112" || to.To == "911") && len(body) < 256<<10 {
			require.Equal(t, http.StatusCreated, w.Code, "%s", w.Body)
		}
		// Whatever else it says, a call for help is taken.
		if rest, isObject := strings.CutPrefix(string(body), "{"); isObject && len(body) < 200<<10 {
			require.Equal(t, http.StatusCreated, post(`{"to":"112",`+rest).Code, "%q", body)
		}
	})
}
