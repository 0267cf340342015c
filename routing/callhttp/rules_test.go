package callhttp_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/routing"
	"github.com/switchtape/switchtape/routing/callservice"
	"github.com/switchtape/switchtape/storage/calldb"
)

// renamed is the rules with another id for nyc, so that it shows which decided.
func renamed(to string) string { return strings.Replace(rules, "id: nyc", "id: "+to, 1) }

type version struct {
	Hash      string
	Active    bool
	CreatedBy string `json:"created_by"`
}

func TestRules(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, db *calldb.DB) {
		t.Helper()
		s := on(t, db, callservice.Options{})
		decides := func() string { t.Helper(); return create(t, s, nyc("")).Decision.Rule }
		first := create(t, s, nyc(""))
		require.Equal(t, "nyc", first.Decision.Rule)

		second := ok[version](t, s, operator(), http.MethodPut, "/v1/rules", renamed("city"), http.StatusOK)
		assert.True(t, second.Active)
		assert.Equal(t, "city", decides(), "at once")

		for _, bad := range []struct {
			body   string
			status int
			code   callmodel.Code
		}{
			{"", 400, callmodel.CodeMalformed},
			{"{", 400, callmodel.CodeMalformed},
			{"a: [", 400, callmodel.CodeMalformed},
			{`{"rules":[]}`, 422, callmodel.CodeInvalid},
			{strings.ReplaceAll(strings.Replace(rules, "to: c", "to: nowhere", 1), "prefix", "prefixes"), 422, callmodel.CodeInvalid},
			{strings.Replace(rules, `prefix: "+1"`, `prefix: "+1212"`, 1), 422, callmodel.CodeInvalid}, // a tie
		} {
			p := fails(t, s, operator(), http.MethodPut, "/v1/rules", bad.body, bad.status, bad.code)
			for _, f := range p.Errors {
				if strings.HasPrefix(bad.body, "\n") {
					assert.Positive(t, f.Line, "%s", f)
				}
			}
		}
		assert.Equal(t, "city", decides(), "the set in service stays")

		list := func() []version {
			t.Helper()
			return ok[struct{ RuleSets []version }](t, s, operator(), http.MethodGet, "/v1/rules", "", http.StatusOK).RuleSets
		}
		sets := list()
		require.Len(t, sets, 2, "what was refused is not stored")
		assert.Equal(t, version{second.Hash, true, "key-of-acme"}, sets[0])
		assert.False(t, sets[1].Active)

		back := ok[version](t, s, operator(), http.MethodPost, "/v1/rules/"+sets[1].Hash+"/activate", "", http.StatusOK)
		assert.Equal(t, sets[1].Hash, back.Hash)
		assert.Equal(t, "nyc", decides(), "rolled back")
		assert.True(t, list()[1].Active)
		missing := fails(t, s, operator(), http.MethodPost, "/v1/rules/ffff/activate", "", http.StatusNotFound, callmodel.CodeNotFound)
		assert.Contains(t, missing.Detail, `no version "ffff" of the rules`)
		fails(t, s, as(operates(), "globex"), http.MethodPost, "/v1/rules/"+second.Hash+"/activate", "", http.StatusNotFound, callmodel.CodeNotFound)

		// A call is explained by the set that decided it, whatever is active now.
		ok[version](t, s, operator(), http.MethodPost, "/v1/rules/"+second.Hash+"/activate", "", http.StatusOK)
		x := ok[routing.Explanation](t, s, caller(), http.MethodGet, path("/v1/calls/%s/explanation", first.ID), "", http.StatusOK)
		assert.Equal(t, *first.Decision, x.Decision)

		json := `{"destinations":{"a":{"uri":"sip:a.example.com"}},"rules":[{"id":"all","default":true,"route":[[{"to":"a"}]]}]}`
		third := ok[version](t, s, operator(), http.MethodPut, "/v1/rules", "\n "+json, http.StatusOK)
		set, err := db.RuleSet(t.Context(), "acme", third.Hash)
		require.NoError(t, err)
		assert.Equal(t, "json", set.Format)
		assert.Equal(t, "all", decides())
	})
}

func TestDryRoute(t *testing.T) {
	t.Parallel()
	db := sqliteDB(t)
	s := on(t, db, callservice.Options{})
	x := ok[routing.Explanation](t, s, as(reads(), "acme"), http.MethodGet,
		"/v1/route?from=%2B4930901820&to=(212)555-0188&call_id=c1&at=2026-01-01T00:00:00Z&priority=9&direction=inbound", "", http.StatusOK)
	assert.Equal(t, "nyc", x.Decision.Rule)
	assert.Len(t, x.Considered, 2)
	x = ok[routing.Explanation](t, s, caller(), http.MethodGet, "/v1/route?from=anonymous&to=(212)555-0188", "", http.StatusOK)
	assert.NotEmpty(t, x.Decision.Rule, "a caller who withholds the number is one")
	x = ok[routing.Explanation](t, s, caller(), http.MethodGet, "/v1/route?from=%2B4930901820&to=%2B442079460123", "", http.StatusOK)
	assert.True(t, x.NoRoute)
	assert.Empty(t, stored(t, db, "acme"), "nothing is stored")

	p := fails(t, s, caller(), http.MethodGet, "/v1/route?to=7&at=noon&priority=x&type=smoke&direction=up&call_id=a/b&region=Berlin", "",
		http.StatusUnprocessableEntity, callmodel.CodeInvalid)
	assert.Equal(t, []string{"at", "call_id", "direction", "priority", "region", "to", "type"}, paths(p), "all at once")
	fails(t, s, as(reads(), "poor"), http.MethodGet, "/v1/route?from=%2B4930901820&to=%2B442079460123", "", http.StatusNotFound, callmodel.CodeNoRoute)
}

func TestAudit(t *testing.T) {
	t.Parallel()
	s := on(t, sqliteDB(t), callservice.Options{})
	for range 3 {
		create(t, s, nyc(""))
	}
	type lines struct{ Events []callmodel.AuditEvent }
	all := ok[lines](t, s, operator(), http.MethodGet, "/v1/audit", "", http.StatusOK).Events
	require.Len(t, all, 5, "a set stored and activated, and three calls")
	assert.Equal(t, callmodel.AuditRuleSetStored, all[0].Action)
	assert.Equal(t, "key-of-acme", all[4].Actor)
	rest := ok[lines](t, s, operator(), http.MethodGet, path("/v1/audit?limit=1&after=%d", all[2].ID), "", http.StatusOK).Events
	assert.Equal(t, all[3:4], rest)
	fails(t, s, operator(), http.MethodGet, "/v1/audit?after=-1", "", http.StatusUnprocessableEntity, callmodel.CodeInvalid)
	assert.Empty(t, ok[lines](t, s, as(operates(), "globex"), http.MethodGet, "/v1/audit", "", http.StatusOK).Events)

	// About subjects: what every call leaves by itself is left out.
	rules, call := url.QueryEscape(all[0].Subject), url.QueryEscape(all[4].Subject)
	about := ok[lines](t, s, operator(), http.MethodGet, "/v1/audit?subject="+rules+"&subject="+call, "", http.StatusOK).Events
	assert.Equal(t, all[:2], about)
	assert.Equal(t, all[1:2], ok[lines](t, s, operator(), http.MethodGet, path("/v1/audit?limit=1&after=%d&subject="+rules, all[0].ID), "", http.StatusOK).Events)
	assert.Empty(t, ok[lines](t, s, as(operates(), "globex"), http.MethodGet, "/v1/audit?subject="+rules, "", http.StatusOK).Events)
	fails(t, s, operator(), http.MethodGet, "/v1/audit?subject=x"+strings.Repeat("&subject=x", 100), "", http.StatusUnprocessableEntity, callmodel.CodeInvalid)
}

// TestImports keeps databases, clouds, audio and the tools to work on rules out of
// programs that mount calls alone.
func TestImports(t *testing.T) {
	t.Parallel()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", ".").Output()
	require.NoError(t, err)
	for dep := range strings.SplitSeq(strings.TrimSpace(string(out)), "\n") {
		for _, bad := range []string{
			"database/sql", "gocloud.dev", "aws", "azure", "cloud.google.com", "modernc.org", "jackc",
			"go-audio", "go-mp3", "switchtape/recording", "switchtape/storage",
			"routing/dialimport", "routing/lint", "routing/diff", "routing/simulate", "routing/rulehttp",
		} {
			assert.NotContains(t, strings.ToLower(dep), bad)
		}
	}
	assert.Contains(t, string(out), "switchtape/routing/callservice")
}

// TestStoredRules: a set that is stored alone decides nothing until it is activated.
func TestStoredRules(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, db *calldb.DB) {
		t.Helper()
		s := on(t, db, callservice.Options{})
		type answer struct {
			version

			Stored, Previous string
		}
		before := ok[struct{ RuleSets []version }](t, s, operator(), http.MethodGet, "/v1/rules", "", http.StatusOK).RuleSets
		require.Len(t, before, 1)
		put := ok[answer](t, s, operator(), http.MethodPut, "/v1/rules?activate=false", renamed("city"), http.StatusOK)
		assert.Equal(t, before[0].Hash, put.Hash)
		require.NotEmpty(t, put.Stored)
		assert.NotEqual(t, before[0].Hash, put.Stored)
		assert.Equal(t, "nyc", create(t, s, nyc("")).Decision.Rule)
		again := ok[answer](t, s, operator(), http.MethodPut, "/v1/rules?activate=false", renamed("city"), http.StatusOK)
		assert.Equal(t, put.Stored, again.Stored)
		assert.Len(t, ok[struct{ RuleSets []version }](t, s, operator(), http.MethodGet, "/v1/rules", "", http.StatusOK).RuleSets, 2)

		fails(t, s, operator(), http.MethodPut, "/v1/rules?activate=false", `{"rules":[]}`, http.StatusUnprocessableEntity, callmodel.CodeInvalid)
		fails(t, s, operator(), http.MethodPut, "/v1/rules?activate=later", rules, http.StatusUnprocessableEntity, callmodel.CodeInvalid)
		req := httptest.NewRequestWithContext(callmodel.WithPrincipal(t.Context(), operator()), http.MethodPut, "/v1/rules?activate=false", strings.NewReader(rules))
		req.Header.Set("If-Match", `"`+put.Hash+`"`)
		w := httptest.NewRecorder()
		s.ServeHTTP(w, req)
		assert.Equal(t, http.StatusUnprocessableEntity, w.Code, "it would say nothing")

		ok[answer](t, s, operator(), http.MethodPost, "/v1/rules/"+put.Stored+"/activate", "", http.StatusOK)
		assert.Equal(t, "city", create(t, s, nyc("")).Decision.Rule)
	})
}
