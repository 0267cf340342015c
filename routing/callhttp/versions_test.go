package callhttp_test

import (
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/callmodel/rulesets"
	"github.com/switchtape/switchtape/routing"
	"github.com/switchtape/switchtape/routing/callservice"
	"github.com/switchtape/switchtape/storage/calldb"
)

// inForce is what a change answers.
type inForce struct {
	Hash     string
	Active   bool
	Previous string
	Canary   *rulesets.Canary
}

func put(t *testing.T, s *service, body string) string {
	t.Helper()
	return ok[inForce](t, s, operator(), http.MethodPut, "/v1/rules", body, http.StatusOK).Hash
}

// keep stores a version and leaves the one before active.
func keep(t *testing.T, s *service, body string) string {
	t.Helper()
	hash := put(t, s, body)
	post(t, s, "/v1/rules/rollback", "")
	return hash
}

func post(t *testing.T, s *service, path, body string, headers ...string) inForce {
	t.Helper()
	return ok[inForce](t, s, operator(), http.MethodPost, path, body, http.StatusOK, headers...)
}

func decidedBy(t *testing.T, s *service) string {
	t.Helper()
	return create(t, s, nyc("")).Decision.Rule
}

func TestRollback(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, db *calldb.DB) {
		t.Helper()
		s := on(t, db, callservice.Options{})
		conflict := func(path string, headers ...string) {
			t.Helper()
			fails(t, s, operator(), http.MethodPost, path, "", http.StatusConflict, callmodel.CodeConflict, headers...)
		}
		conflict("/v1/rules/rollback")
		second := put(t, s, renamed("second"))
		third := ok[inForce](t, s, operator(), http.MethodPut, "/v1/rules", renamed("third"), http.StatusOK, "If-Match", `"`+second+`"`)
		assert.Equal(t, second, third.Previous)
		fails(t, s, operator(), http.MethodPut, "/v1/rules", renamed("fourth"), http.StatusConflict, callmodel.CodeConflict, "If-Match", `"`+second+`"`)
		conflict("/v1/rules/"+second+"/activate", "If-Match", second)
		require.Equal(t, "third", decidedBy(t, s))

		w := do(t, s, operator(), http.MethodPost, "/v1/rules/rollback", "", "If-Match", `"`+third.Hash+`"`)
		require.Equal(t, http.StatusOK, w.Code, "%s", w.Body)
		assert.Equal(t, `"`+second+`"`, w.Header().Get("ETag"))
		assert.Equal(t, "second", decidedBy(t, s), "at once")
		again := post(t, s, "/v1/rules/rollback", "", "If-Match", `"`+third.Hash+`"`)
		assert.Equal(t, second, again.Hash, "the same request again changes nothing")
		first := post(t, s, "/v1/rules/rollback", "")
		assert.Equal(t, "nyc", decidedBy(t, s), "once more, it goes further back")
		assert.Empty(t, first.Previous)
		conflict("/v1/rules/rollback")
		conflict("/v1/rules/rollback", "If-Match", third.Hash)
		for _, bad := range []string{`""`, `"a", "b"`, `W/"a"`} {
			fails(t, s, operator(), http.MethodPost, "/v1/rules/rollback", "", http.StatusBadRequest, callmodel.CodeMalformed, "If-Match", bad)
		}
		fails(t, s, caller(), http.MethodPost, "/v1/rules/rollback", "", http.StatusForbidden, callmodel.CodeForbidden)

		type history struct{ Activations []rulesets.Activation }
		all := ok[history](t, s, caller(), http.MethodGet, "/v1/rules/history", "", http.StatusOK).Activations
		require.Len(t, all, 5)
		assert.Equal(t, rulesets.ActionRollback, all[0].Action)
		assert.Equal(t, "key-of-acme", all[0].Actor)
		assert.Len(t, ok[history](t, s, caller(), http.MethodGet, "/v1/rules/history?limit=2", "", http.StatusOK).Activations, 2)
		assert.Empty(t, ok[history](t, s, as(reads(), "globex"), http.MethodGet, "/v1/rules/history", "", http.StatusOK).Activations)
		assert.Equal(t, 2, actions(t, db, "acme")[callmodel.AuditRuleSetRollback])
	})
}

func TestCanary(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, db *calldb.DB) {
		t.Helper()
		var mu sync.Mutex
		var trials, others int
		s := on(t, db, callservice.Options{Decided: func(d *calls.Decision, _ error) {
			mu.Lock()
			defer mu.Unlock()
			if d.Canary {
				trials++
			} else {
				others++
			}
		}})
		trial := keep(t, s, renamed("trial"))
		at := "/v1/rules/" + trial
		for body, code := range map[string]callmodel.Code{
			`{"percent":0}`: callmodel.CodeInvalid, `{"percent":101}`: callmodel.CodeInvalid, `{"percent":0.001}`: callmodel.CodeInvalid,
			`{"percent":"many"}`: callmodel.CodeInvalid, `{}`: callmodel.CodeInvalid, `{"share":5}`: callmodel.CodeInvalid, ``: callmodel.CodeMalformed,
		} {
			fails(t, s, operator(), http.MethodPost, at+"/canary", body,
				map[callmodel.Code]int{callmodel.CodeInvalid: 422, callmodel.CodeMalformed: 400}[code], code)
		}
		state := post(t, s, at+"/canary", `{"percent": 50}`)
		assert.Equal(t, trial, state.Canary.Hash)
		assert.Equal(t, rulesets.Share(5000), state.Canary.Share)
		assert.NotEqual(t, trial, state.Hash)

		seen := map[string]int{}
		var tried calls.Call
		for i := range 40 {
			c := create(t, s, nyc(path(`,"id":"call-%d"`, i)))
			dry := ok[routing.Explanation](t, s, caller(), http.MethodGet,
				path("/v1/route?from=%%2B12025550123&to=%%2B12125550188&call_id=call-%d", i), "", http.StatusOK)
			require.Equal(t, c.Decision.Rule, dry.Decision.Rule, "the same call sees the same version")
			require.Equal(t, c.Decision.Canary, dry.Decision.Canary)
			require.Equal(t, c.Decision.Canary, c.Decision.RuleSet == trial)
			if c.Decision.Canary {
				tried = c
			}
			seen[c.Decision.Rule]++
		}
		assert.Len(t, seen, 2)
		assert.InDelta(t, 20, seen["trial"], 16)
		mu.Lock()
		assert.Equal(t, seen["trial"], trials)
		assert.Equal(t, seen["nyc"], others)
		mu.Unlock()

		post(t, s, at+"/canary", `{"percent": 100}`)
		assert.Equal(t, "trial", decidedBy(t, s))
		emergency := help(t, s, `{"from":"+12025550123","to":"(212) 555-0188","type":"emergency"}`)
		assert.Equal(t, "nyc", emergency.Decision.Rule, "emergency calls never see a canary")
		assert.False(t, emergency.Decision.Canary)
		dry := ok[routing.Explanation](t, s, caller(), http.MethodGet, "/v1/route?from=%2B12025550123&to=%2B12125550188&type=emergency&call_id=c",
			"", http.StatusOK)
		assert.Equal(t, "nyc", dry.Decision.Rule)

		assert.Nil(t, post(t, s, at+"/abort", "").Canary)
		post(t, s, at+"/abort", "")
		assert.Equal(t, "nyc", decidedBy(t, s))
		x := ok[routing.Explanation](t, s, caller(), http.MethodGet, path("/v1/calls/%s/explanation", tried.ID), "", http.StatusOK)
		assert.Equal(t, *tried.Decision, x.Decision, "explained by the version that decided")
		assert.Equal(t, "trial", x.Considered[0].Rule)

		fails(t, s, operator(), http.MethodPost, at+"/promote", "", http.StatusConflict, callmodel.CodeConflict)
		post(t, s, at+"/canary", `{"percent": 0.01}`)
		list := ok[struct {
			RuleSets []struct {
				Hash    string
				Canary  bool
				Percent float64
			}
		}](t, s, caller(), http.MethodGet, "/v1/rules", "", http.StatusOK)
		assert.Equal(t, trial, list.RuleSets[0].Hash)
		assert.True(t, list.RuleSets[0].Canary)
		assert.InDelta(t, 0.01, list.RuleSets[0].Percent, 0)
		promoted := post(t, s, at+"/promote", "")
		assert.Equal(t, trial, promoted.Hash)
		assert.Equal(t, "trial", decidedBy(t, s))
		post(t, s, at+"/promote", "")
		post(t, s, "/v1/rules/rollback", "", "If-Match", trial)
		assert.Equal(t, "nyc", decidedBy(t, s))
		fails(t, s, operator(), http.MethodPost, "/v1/rules/ffff/canary", `{"percent":5}`, http.StatusNotFound, callmodel.CodeNotFound)
	})
}

// TestBrokenSetsStayOut: whatever is put, the set in service answers as before
// until a better one is there.
func TestBrokenSetsStayOut(t *testing.T) {
	t.Parallel()
	s := on(t, sqliteDB(t), callservice.Options{})
	tie := rules + "  - id: again\n    match: {to: {prefix: \"+1212\"}}\n    route: [[{to: a}]]\n"
	p := fails(t, s, operator(), http.MethodPut, "/v1/rules", tie, http.StatusUnprocessableEntity, callmodel.CodeInvalid)
	require.NotEmpty(t, p.Errors)
	for _, f := range p.Errors {
		assert.Positive(t, f.Line, "%v", f)
		assert.Contains(t, f.Message, "again")
	}
	deepYAML := "rules: " + strings.Repeat("[", 5000) + strings.Repeat("]", 5000)
	deepMap := strings.Repeat(`{"a":`, 5000) + "1" + strings.Repeat("}", 5000)
	many := rules + strings.Repeat("  - {id: x, default: true, route: {to: nowhere}}\n", 3000)
	for name, body := range map[string]string{
		"deep YAML": deepYAML, "deep JSON": deepMap, "thousands of faults": many, "a bomb": "a: &a [x,x]\nb: &b [*a,*a]\nrules: [*b,*b]\n",
		"half a set": rules[:len(rules)/2], "binary": strings.Repeat("\x00\xff", 1000),
	} {
		w := do(t, s, operator(), http.MethodPut, "/v1/rules", body)
		assert.Contains(t, []int{http.StatusBadRequest, http.StatusUnprocessableEntity}, w.Code, "%s: %s", name, w.Body)
		assert.Equal(t, "application/problem+json", w.Header().Get("Content-Type"), name)
	}
	huge := strings.Repeat("# nothing but comments, and too many of them\n", 64<<20/45+1)
	fails(t, s, operator(), http.MethodPut, "/v1/rules", huge, http.StatusRequestEntityTooLarge, callmodel.CodeTooLarge)
	require.Equal(t, "nyc", decidedBy(t, s))
	list := ok[struct{ RuleSets []version }](t, s, operator(), http.MethodGet, "/v1/rules", "", http.StatusOK)
	assert.Len(t, list.RuleSets, 1, "none of them is stored")

	broken := rulesets.Version{TenantID: "acme", Hash: "broken", Format: "yaml", Body: []byte("rules: 7")}
	require.NoError(t, s.db.PutRuleSet(t.Context(), broken, "other"))
	for _, action := range []string{"activate", "canary"} {
		fails(t, s, operator(), http.MethodPost, "/v1/rules/broken/"+action, `{"percent":5}`, http.StatusUnprocessableEntity, callmodel.CodeInvalid)
	}
	// Another program put it in service: it isn't here, and rolling back works.
	activate(t, s.db, "broken")
	require.Equal(t, "nyc", decidedBy(t, s))
	post(t, s, "/v1/rules/rollback", "", "If-Match", "broken")
	require.Equal(t, "nyc", decidedBy(t, s))
}
