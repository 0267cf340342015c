package rulehttp_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/routing"
	"github.com/switchtape/switchtape/routing/diff"
	"github.com/switchtape/switchtape/routing/lint"
	"github.com/switchtape/switchtape/routing/simulate"
)

// triedBody is a request with three calls, and what is to be tried.
func triedBody(t *testing.T, sets map[string]any) string {
	t.Helper()
	sets["calls"] = []map[string]any{
		{"call_id": "c1", "to": "+12125550188", "at": "2026-03-02T10:00:00Z", "duration_s": 60},
		{"call_id": "c2", "tenant": "acme", "to": "+12125550188", "at": "2026-03-02T10:00:01Z"},
		{"call_id": "c3", "to": "+493012345678", "at": "2026-03-02T10:00:02Z"},
	}
	b, err := json.Marshal(sets)
	require.NoError(t, err)
	return string(b)
}

func TestTryRules(t *testing.T) {
	t.Parallel()
	s := on(t)
	before := lines(t, s)

	report := ok[lint.Report](t, s, operator(), http.MethodPost, "/v1/rules/check", rules, http.StatusOK)
	assert.Zero(t, report.Errors)
	report = ok[lint.Report](t, s, operator(), http.MethodPost, "/v1/rules/check", strings.Replace(rules, `prefix: "+1"`, `prefix: "+1212"`, 1), http.StatusOK)
	require.Equal(t, 1, report.Errors)
	assert.Equal(t, lint.Conflict, report.Findings[0].Code)
	fails(t, s, operator(), http.MethodPost, "/v1/rules/check", "{", http.StatusBadRequest, callmodel.CodeMalformed)
	fails(t, s, operator(), http.MethodPost, "/v1/rules/check?at=noon", rules, http.StatusUnprocessableEntity, callmodel.CodeInvalid)

	other := map[string]any{"after": map[string]any{"body": renamed("city")}}
	d := ok[diff.Report](t, s, operator(), http.MethodPost, "/v1/rules/diff", triedBody(t, other), http.StatusOK)
	assert.Equal(t, map[diff.Kind]int{diff.Rule: 2}, d.Kinds)
	assert.Equal(t, "city", d.Groups[0].After.Rule)
	assert.Equal(t, 3, d.Calls)

	m := ok[simulate.Report](t, s, operator(), http.MethodPost, "/v1/rules/simulate", triedBody(t, map[string]any{"series": true}), http.StatusOK)
	assert.Equal(t, 3, m.Calls)
	assert.NotEmpty(t, m.Destinations)
	assert.NotNil(t, m.Destinations[0].Series)

	// Nothing was stored, and others' sets and calls are out of reach.
	assert.Equal(t, before, lines(t, s))
	hash := s.hash
	stored := map[string]any{"before": map[string]any{"hash": hash}}
	ok[diff.Report](t, s, operator(), http.MethodPost, "/v1/rules/diff", triedBody(t, stored), http.StatusOK)
	globex := as(operates(), "globex")
	p := fails(t, s, globex, http.MethodPost, "/v1/rules/diff", triedBody(t, stored), http.StatusUnprocessableEntity, callmodel.CodeInvalid)
	assert.Equal(t, []string{"calls[1].tenant"}, paths(p))
	fails(t, s, globex, http.MethodPost, "/v1/rules/diff", strings.ReplaceAll(triedBody(t, stored), "acme", "globex"),
		http.StatusNotFound, callmodel.CodeNotFound)
	fails(t, s, caller(), http.MethodPost, "/v1/rules/check", rules, http.StatusForbidden, callmodel.CodeForbidden)
}

func TestTryRulesRefusesWhatIsWrong(t *testing.T) {
	t.Parallel()
	s := on(t)
	for body, want := range map[string][]string{
		`{}`:                        {"calls"},
		`{"calls":[{}]}`:            {"calls[0].at", "calls[0].call_id", "calls[0].to"},
		`{"calls":[{"call_id":1}]}`: {"calls[0].call_id"},
		`{"cals":[]}`:               {"cals"},
		`{"calls":[` + strings.Repeat("1,", 60_000) + `1]}`:                              {"calls"},
		triedBody(t, map[string]any{"assume_seconds": -1}):                               {"assume_seconds"},
		triedBody(t, map[string]any{"before": map[string]any{"body": "{"}}):              {"before"},
		triedBody(t, map[string]any{"before": map[string]any{"body": "x", "hash": "y"}}): {"before"},
		triedBody(t, map[string]any{"after": map[string]any{"body": `{"rules":[]}`}}):    {"after.rules"},
		triedBody(t, map[string]any{"ruleset": map[string]any{"body": rules}}):           {"ruleset"},
	} {
		p := fails(t, s, operator(), http.MethodPost, "/v1/rules/diff", body, http.StatusUnprocessableEntity, callmodel.CodeInvalid)
		assert.Equal(t, want, paths(p), "%.200s", body)
	}
	p := fails(t, s, operator(), http.MethodPost, "/v1/rules/simulate", triedBody(t, map[string]any{"before": map[string]any{"hash": "x"}}),
		http.StatusUnprocessableEntity, callmodel.CodeInvalid)
	assert.Equal(t, []string{"before"}, paths(p))
}

// TestExplainRules: a set that is stored nowhere says what it would do with a call, and why.
func TestExplainRules(t *testing.T) {
	t.Parallel()
	s := on(t)
	explain := func(set map[string]any) routing.Explanation {
		t.Helper()
		b, err := json.Marshal(map[string]any{"ruleset": set, "call": map[string]any{"call_id": "c", "to": "+12125550188", "at": "2026-03-02T10:00:00Z"}})
		require.NoError(t, err)
		return ok[routing.Explanation](t, s, operator(), http.MethodPost, "/v1/rules/explain", string(b), http.StatusOK)
	}
	for rule, set := range map[string]map[string]any{"city": {"body": renamed("city")}, "nyc": {"hash": s.hash}} {
		x := explain(set)
		assert.Equal(t, rule, x.Decision.Rule)
		require.NotEmpty(t, x.Considered)
		assert.Equal(t, rule, x.Considered[0].Rule)
		assert.True(t, x.Considered[0].Won)
		assert.NotEmpty(t, x.Considered[0].Reason)
		assert.Equal(t, "a", x.Decision.Destinations[0].ID)
	}
	assert.Equal(t, "nyc", explain(map[string]any{}).Decision.Rule, "that in service")
	for body, want := range map[string][]string{
		`{}`: {"call"},
		`{"call":{"call_id":"c","at":"2026-03-02T10:00:00Z"}}`:                                  {"call.to"},
		`{"call":{"call_id":"c","to":"+1","at":"2026-03-02T10:00:00Z"},"ruleset":{"body":"{"}}`: {"ruleset"},
	} {
		p := fails(t, s, operator(), http.MethodPost, "/v1/rules/explain", body, http.StatusUnprocessableEntity, callmodel.CodeInvalid)
		assert.Equal(t, want, paths(p), body)
	}
	fails(t, s, operator(), http.MethodPost, "/v1/rules/explain", `{"call":{"call_id":"c","to":"+1","at":"2026-03-02T10:00:00Z"},"ruleset":{"hash":"x"}}`,
		http.StatusNotFound, callmodel.CodeNotFound)
}

// TestExportOfTheText: a version comes back as it was put, with its comments.
func TestExportOfTheText(t *testing.T) {
	t.Parallel()
	s := on(t)
	text := "# Ours.\n" + renamed("city")
	state, err := s.svc.InstallRules(t.Context(), "acme", []byte(text), "test", "")
	require.NoError(t, err)
	w := do(t, s, operator(), http.MethodGet, "/v1/rules/"+state.ActiveHash()+"?format=text", "")
	assert.Equal(t, http.StatusOK, w.Code)
	assert.Equal(t, "text/plain", w.Header().Get("Content-Type"))
	assert.Equal(t, text, w.Body.String())
}
