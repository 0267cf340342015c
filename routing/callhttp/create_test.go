package callhttp_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/routing"
	"github.com/switchtape/switchtape/routing/callservice"
	"github.com/switchtape/switchtape/storage/calldb"
)

func TestCreate(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, db *calldb.DB) {
		t.Helper()
		s := on(t, db, callservice.Options{})
		w := do(t, s, caller(), http.MethodPost, "/v1/calls",
			nyc(`,"id":"pbx-1.42","metadata":{"queue":"sales"},"host":"pbx-1","priority":3,"direction":"outbound"`))
		require.Equal(t, http.StatusCreated, w.Code, "%s", w.Body)
		assert.Equal(t, "/v1/calls/pbx-1.42", w.Header().Get("Location"))
		var c calls.Call
		require.NoError(t, json.Unmarshal(w.Body.Bytes(), &c))
		assert.Equal(t, calls.Party{Number: "+12125550188", Raw: "(212) 555-0188"}, c.To)
		assert.Equal(t, calls.Party{Number: "+12025550123"}, c.From)
		assert.Equal(t, calls.Routed, c.State)
		assert.Equal(t, calls.TypeVoice, c.Type)
		assert.Equal(t, noon, c.CreatedAt)
		require.NotNil(t, c.Decision)
		assert.Equal(t, "nyc", c.Decision.Rule)
		assert.Equal(t, "a", c.Decision.Destinations[0].ID)
		assert.Equal(t, "b", c.Decision.Destinations[1].ID)

		got := ok[calls.Call](t, s, caller(), http.MethodGet, "/v1/calls/pbx-1.42", "", http.StatusOK)
		assert.Equal(t, c, got, "what was answered is what is stored")
		fails(t, s, caller(), http.MethodPost, "/v1/calls", nyc(`,"id":"pbx-1.42"`), http.StatusConflict, callmodel.CodeConflict)

		made := create(t, s, nyc(""))
		assert.Regexp(t, `^c-[0-9a-f]{12}-[0-9a-f]{20}$`, made.ID, "an id is made")
		abroad := create(t, s, `{"from":"030 901820","region":"DE","to":"tel:+1-415-555-0132"}`)
		assert.Equal(t, "+4930901820", abroad.From.Number)
		assert.Equal(t, "us", abroad.Decision.Rule)
		assert.Equal(t, 3, actions(t, db, "acme")[callmodel.AuditCallCreated])
	})
}

// TestWhatRulesAskOf: the trunk, the metadata and what the call offers are kept
// with it, and so its explanation is that of its decision.
func TestWhatRulesAskOf(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, db *calldb.DB) {
		t.Helper()
		s := on(t, db, callservice.Options{})
		const rules = `{"destinations":{"a":{"uri":"sip:a"}},"rules":[
			{"id":"sos","match":{"to":{"service":"emergency"},"trunk":"t1"},"route":[[{"to":"a"}]]},
			{"id":"asking","match":{"to":{"prefix":"+1"},"trunk":"t1","metadata":{"plan":"gold"},"capabilities_any":"opus"},"route":[[{"to":"a"}]]}]}`
		ok[map[string]any](t, s, operator(), http.MethodPut, "/v1/rules", rules, http.StatusOK)
		c := create(t, s, nyc(`,"trunk":"t1","capabilities":["PCMU","opus"],"metadata":{"plan":"gold"}`))
		assert.Equal(t, "asking", c.Decision.Rule)
		assert.Equal(t, "t1", c.Trunk)
		got := ok[routing.Explanation](t, s, caller(), http.MethodGet, "/v1/calls/"+string(c.ID)+"/explanation", "", http.StatusOK)
		assert.Equal(t, "asking", got.Decision.Rule)
		const dry = "/v1/route?from=%2B12025550123&to=%2B12125550188&trunk=t1&capability=opus&metadata=plan%3D"
		assert.Equal(t, "asking", ok[routing.Explanation](t, s, caller(), http.MethodGet, dry+"gold", "", http.StatusOK).Decision.Rule)
		assert.True(t, ok[routing.Explanation](t, s, caller(), http.MethodGet, dry+"iron", "", http.StatusOK).NoRoute)
		fails(t, s, caller(), http.MethodGet, dry+"gold&metadata=odd", "", http.StatusUnprocessableEntity, callmodel.CodeInvalid)
		fails(t, s, caller(), http.MethodPost, "/v1/calls", nyc(`,"trunk":"no trunk","capabilities":["a b"]`),
			http.StatusUnprocessableEntity, callmodel.CodeInvalid)

		help := create(t, s, `{"from":"+12025550123","to":"911","trunk":"t1","capabilities":["opus"]}`)
		assert.Equal(t, "sos", help.Decision.Rule)
		help = create(t, s, `{"from":"+12025550123","to":"911","trunk":"no trunk","capabilities":"no list"}`)
		assert.Empty(t, help.Trunk+strings.Join(help.Capabilities, ""), "what is wrong of an emergency call is left out")
	})
}

// TestWithheldCaller: who doesn't want to be known can call all the same.
func TestWithheldCaller(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, db *calldb.DB) {
		t.Helper()
		s := on(t, db, callservice.Options{})
		for _, from := range []string{"anonymous", "Anonymous", "sip:anonymous@anonymous.invalid", "restricted"} {
			c := create(t, s, `{"from":"`+from+`","to":"+12125550188"}`)
			assert.Equal(t, calls.Party{Number: calls.AnonymousCaller, Raw: from}, c.From)
		}
	})
}

func TestCreateReportsEveryFault(t *testing.T) {
	t.Parallel()
	db := sqliteDB(t)
	s := on(t, db, callservice.Options{CheckOutputs: func(o []record.OutputSpec) error {
		if o[0].Codec == record.CodecOpus {
			return callmodel.FieldErrors{{Path: "outputs[0].codec", Message: "no worker can"}}
		}
		return nil
	}})
	for body, want := range map[string][]string{
		`{}`:                                   {"to"},
		`{"from":7,"to":"+12125550188"}`:       {"from"},
		nyc(`,"prio":1`):                       {"prio"},
		nyc(`,"to":"+12125550188"`):            {"to"},
		nyc(`,"type":"smoke"`):                 {"type"},
		nyc(`,"region":"de"`):                  {"region"},
		`{"from":"1","to":"+1","region":"XX"}`: {"region", "to"},
		`{"from":"+12025550123","to":"+12","id":"a/b","host":"h h","priority":10,"direction":"up","type":"x",
		  "metadata":{"":"v","k":5},"recording":{"enabled":"yes","outputs":[{"codec":"aiff","layout":"mono"}]},"x":1}`: {
			"direction", "host", "id", "metadata[\"\"]", "metadata[\"k\"]", "priority",
			"recording.enabled", "recording.outputs[0].codec", "to", "type", "x",
		},
		`{"from":"+12025550123","to":"+12125550188","recording":{"enabled":true,"outputs":[{"codec":"opus","layout":"mono"}]}}`: {"recording.outputs[0].codec"},
	} {
		p := fails(t, s, caller(), http.MethodPost, "/v1/calls", body, http.StatusUnprocessableEntity, callmodel.CodeInvalid)
		got := paths(p)
		for _, path := range want {
			assert.Contains(t, got, path, body)
		}
		assert.Len(t, got, len(want), "%s: %v", body, p.Errors)
	}
	for _, body := range []string{``, `{`, `{"from":"+12025550123"`, `[] []`, "\xff", strings.Repeat("[", 100)} {
		fails(t, s, caller(), http.MethodPost, "/v1/calls", body, http.StatusBadRequest, callmodel.CodeMalformed)
	}
	fails(t, s, caller(), http.MethodPost, "/v1/calls", nyc(`,"id":"`+strings.Repeat("x", 300<<10)+`"`),
		http.StatusRequestEntityTooLarge, callmodel.CodeTooLarge)
	assert.Empty(t, stored(t, db, "acme"), "nothing is stored")
	assert.Zero(t, actions(t, db, "acme")[callmodel.AuditCallCreated])
}

func TestPrincipals(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, db *calldb.DB) {
		t.Helper()
		s := on(t, db, callservice.Options{})
		w := httptest.NewRecorder()
		s.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/v1/calls", strings.NewReader(nyc(""))))
		assert.Equal(t, http.StatusUnauthorized, w.Code)
		assert.NotEmpty(t, w.Header().Get("WWW-Authenticate"))

		n := actions(t, db, "acme")[callmodel.AuditAccessDenied]
		for _, c := range []struct {
			scopes       []callmodel.Scope
			method, path string
		}{
			{reads(), http.MethodPost, "/v1/calls"},
			{reads(), http.MethodPost, "/v1/calls/c1/events"},
			{calling(), http.MethodPut, "/v1/rules"},
			{calling(), http.MethodPost, "/v1/rules/x/activate"},
			{calling(), http.MethodGet, "/v1/audit"},
			{nil, http.MethodGet, "/v1/calls"},
		} {
			fails(t, s, as(c.scopes, "acme"), c.method, c.path, nyc(""), http.StatusForbidden, callmodel.CodeForbidden)
			n++
			assert.Equal(t, n, actions(t, db, "acme")[callmodel.AuditAccessDenied], "%v", c)
		}
		fails(t, s, operator(), http.MethodDelete, "/v1/calls", "", http.StatusMethodNotAllowed, callmodel.CodeMethodNotAllowed)

		// Another tenant's call looks like none, byte for byte, and leaves the
		// same audit line.
		c := create(t, s, nyc(`,"id":"secret"`))
		stranger := as(operates(), "globex")
		for _, to := range [][2]string{{http.MethodGet, ""}, {http.MethodGet, "/events"}, {http.MethodGet, "/explanation"}, {http.MethodPost, "/events"}} {
			body := `{"id":"e1","type":"ringing"}`
			foreign := do(t, s, stranger, to[0], "/v1/calls/secret"+to[1], body)
			missing := do(t, s, stranger, to[0], "/v1/calls/nobody"+to[1], body)
			assert.Equal(t, http.StatusNotFound, foreign.Code)
			assert.Equal(t, missing.Body.String(), foreign.Body.String())
			assert.Equal(t, missing.Header(), foreign.Header())
		}
		assert.Equal(t, 8, actions(t, db, "globex")[callmodel.AuditAccessDenied])
		assert.Empty(t, ok[struct{ Calls []calls.Call }](t, s, stranger, http.MethodGet, "/v1/calls", "", http.StatusOK).Calls)
		got := ok[calls.Call](t, s, caller(), http.MethodGet, "/v1/calls/secret", "", http.StatusOK)
		assert.Equal(t, c, got, "and nothing moved it")
	})
}

// TestScopes: one scope opens its own endpoints and no other.
func TestScopes(t *testing.T) {
	t.Parallel()
	s := on(t, sqliteDB(t), callservice.Options{})
	create(t, s, nyc(`,"id":"c1"`))
	for endpoint, needs := range map[[2]string]callmodel.Scope{
		{http.MethodPost, "/v1/calls"}:               callmodel.ScopeCallsWrite,
		{http.MethodPost, "/v1/calls/c1/events"}:     callmodel.ScopeCallsWrite,
		{http.MethodGet, "/v1/calls"}:                callmodel.ScopeCallsRead,
		{http.MethodGet, "/v1/calls/c1"}:             callmodel.ScopeCallsRead,
		{http.MethodGet, "/v1/calls/c1/events"}:      callmodel.ScopeCallsRead,
		{http.MethodGet, "/v1/calls/c1/explanation"}: callmodel.ScopeCallsRead,
		{http.MethodGet, "/v1/route"}:                callmodel.ScopeCallsRead,
		{http.MethodPut, "/v1/rules"}:                callmodel.ScopeRulesWrite,
		{http.MethodGet, "/v1/rules"}:                callmodel.ScopeRulesRead,
		{http.MethodGet, "/v1/rules/history"}:        callmodel.ScopeRulesRead,
		{http.MethodPost, "/v1/rules/rollback"}:      callmodel.ScopeRulesWrite,
		{http.MethodPost, "/v1/rules/x/activate"}:    callmodel.ScopeRulesWrite,
		{http.MethodPost, "/v1/rules/x/canary"}:      callmodel.ScopeRulesWrite,
		{http.MethodPost, "/v1/rules/x/promote"}:     callmodel.ScopeRulesWrite,
		{http.MethodPost, "/v1/rules/x/abort"}:       callmodel.ScopeRulesWrite,
		{http.MethodGet, "/v1/audit"}:                callmodel.ScopeAuditRead,
	} {
		for _, scope := range callmodel.Scopes() {
			w := do(t, s, as([]callmodel.Scope{scope}, "acme"), endpoint[0], endpoint[1], "")
			assert.Equal(t, scope != needs, w.Code == http.StatusForbidden, "%v with %s: %s", endpoint, scope, w.Body)
		}
	}
	p := fails(t, s, as(reads(), "acme"), http.MethodPost, "/v1/calls", nyc(""), http.StatusForbidden, callmodel.CodeForbidden)
	assert.Contains(t, p.Detail, "calls:write", "it says what is needed")
}

const keyHeader = "Idempotency-Key"

func TestIdempotencyKey(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, db *calldb.DB) {
		t.Helper()
		s := on(t, db, callservice.Options{})
		for key, c := range map[string]struct {
			body   string
			status int
		}{
			"routed":   {nyc(""), http.StatusCreated},
			"rejected": {`{"from":"+12025550123","to":"+442079460123"}`, http.StatusNotFound},
		} {
			first := do(t, s, caller(), http.MethodPost, "/v1/calls", c.body, keyHeader, key)
			require.Equal(t, c.status, first.Code, "%s", first.Body)
			// Another process answers too: its handler knows only the database.
			for _, h := range []http.Handler{s, on(t, db, callservice.Options{})} {
				again := do(t, h, caller(), http.MethodPost, "/v1/calls", c.body, keyHeader, key)
				assert.Equal(t, c.status, again.Code)
				assert.Equal(t, first.Body.String(), again.Body.String())
				assert.Equal(t, first.Header().Get("Content-Type"), again.Header().Get("Content-Type"))
				assert.Equal(t, "true", again.Header().Get("Idempotent-Replayed"))
				assert.Empty(t, first.Header().Values("Idempotent-Replayed"))
			}
			fails(t, s, caller(), http.MethodPost, "/v1/calls", nyc(`,"priority":1`), http.StatusUnprocessableEntity,
				callmodel.CodeIdempotencyMismatch, keyHeader, key)
		}
		assert.Len(t, stored(t, db, "acme"), 2)

		// Another tenant's key is another key; a refused request doesn't use its key up.
		_, err := s.InstallRules(t.Context(), "globex", []byte(rules), "test", "")
		require.NoError(t, err)
		ok[calls.Call](t, s, as(calling(), "globex"), http.MethodPost, "/v1/calls", nyc(""), http.StatusCreated, keyHeader, "routed")
		fails(t, s, caller(), http.MethodPost, "/v1/calls", `{}`, http.StatusUnprocessableEntity, callmodel.CodeInvalid, keyHeader, "k3")
		ok[calls.Call](t, s, caller(), http.MethodPost, "/v1/calls", nyc(""), http.StatusCreated, keyHeader, "k3")

		for _, bad := range [][]string{
			{keyHeader, ""},
			{keyHeader, "a b"},
			{keyHeader, "ü"},
			{keyHeader, strings.Repeat("k", 256)},
			{keyHeader, "a", keyHeader, "b"},
		} {
			fails(t, s, caller(), http.MethodPost, "/v1/calls", nyc(""), http.StatusBadRequest, callmodel.CodeMalformed, bad...)
		}
	})
}

// TestConcurrentKey: of many requests with one key, from two processes, one
// makes the call. The others get its bytes, or are told to ask again.
func TestConcurrentKey(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, db *calldb.DB) {
		t.Helper()
		handlers := []*service{on(t, db, callservice.Options{}), on(t, db, callservice.Options{})}
		answers := make([]*httptest.ResponseRecorder, 40)
		var wg sync.WaitGroup
		for i := range answers {
			wg.Go(func() {
				answers[i] = do(t, handlers[i%2], caller(), http.MethodPost, "/v1/calls", nyc(""), keyHeader, "one")
			})
		}
		wg.Wait()
		var body string
		for _, w := range answers {
			if w.Code == http.StatusConflict {
				assert.Contains(t, w.Body.String(), string(callmodel.CodeInFlight))
				assert.NotEmpty(t, w.Header().Get("Retry-After"))
				continue
			}
			require.Equal(t, http.StatusCreated, w.Code, "%s", w.Body)
			if body == "" {
				body = w.Body.String()
			}
			assert.Equal(t, body, w.Body.String())
		}
		assert.Len(t, stored(t, db, "acme"), 1)
		again := do(t, handlers[0], caller(), http.MethodPost, "/v1/calls", nyc(""), keyHeader, "one")
		assert.Equal(t, body, again.Body.String())
	})
}

func TestNoRoute(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, db *calldb.DB) {
		t.Helper()
		s := on(t, db, callservice.Options{})
		const abroad = `{"from":"+12025550123","to":"+442079460123"}`
		type explained struct {
			routing.Explanation

			Request struct{ From, To string }
		}
		p := fails(t, s, caller(), http.MethodPost, "/v1/calls", abroad, http.StatusNotFound, callmodel.CodeNoRoute)
		require.NotEmpty(t, p.CallID)
		x := ok[explained](t, s, caller(), http.MethodGet, p.Explanation, "", http.StatusOK)
		assert.True(t, x.NoRoute)
		assert.Len(t, x.Considered, 2)
		assert.Equal(t, "+442079460123", x.Request.To)
		c := ok[calls.Call](t, s, caller(), http.MethodGet, path("/v1/calls/%s", p.CallID), "", http.StatusOK)
		assert.Equal(t, calls.Rejected, c.State)
		assert.Equal(t, noon, c.EndedAt)
		assert.Equal(t, 1, actions(t, db, "acme")[callmodel.AuditCallRejected])
		fails(t, s, caller(), http.MethodPost, path("/v1/calls/%s/events", p.CallID), `{"id":"e","type":"ringing"}`,
			http.StatusConflict, callmodel.CodeConflict)

		// A tenant without any rules: stored, audited and explained like any other.
		poor := as(operates(), "poor")
		p = fails(t, s, poor, http.MethodPost, "/v1/calls", nyc(""), http.StatusNotFound, callmodel.CodeNoRoute)
		assert.Contains(t, p.Detail, "PUT /v1/rules")
		assert.Equal(t, 1, actions(t, db, "poor")[callmodel.AuditCallRejected])
		x = ok[explained](t, s, poor, http.MethodGet, p.Explanation, "", http.StatusOK)
		assert.True(t, x.NoRoute)

		// Until it puts some. The old call keeps its explanation.
		ok[map[string]any](t, s, poor, http.MethodPut, "/v1/rules", rules, http.StatusOK)
		ok[calls.Call](t, s, poor, http.MethodPost, "/v1/calls", nyc(""), http.StatusCreated)
		x = ok[explained](t, s, poor, http.MethodGet, p.Explanation, "", http.StatusOK)
		assert.True(t, x.NoRoute)
	})
}
