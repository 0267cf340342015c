package callhttp_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/routing/callservice"
	"github.com/switchtape/switchtape/storage/calldb"
)

type edited struct {
	version

	Previous string
	Changes  []struct{ ID, Change string }
}

func TestSingleRules(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, db *calldb.DB) {
		t.Helper()
		s := on(t, db, callservice.Options{})
		first, err := db.RuleSetState(t.Context(), "acme")
		require.NoError(t, err)
		ifFirst := []string{"If-Match", `"` + first.ActiveHash() + `"`}
		decides := func() string { t.Helper(); return create(t, s, nyc("")).Decision.Rule }
		const city = "# The city's own.\nid: city\nmatch: {to: {prefix: \"+1212555\"}}\nroute: [[{to: b}]]\n"

		tried := ok[edited](t, s, operator(), http.MethodPut, "/v1/rules/items/city?dry_run=true", city, http.StatusOK)
		assert.False(t, tried.Active)
		assert.Equal(t, "nyc", decides(), "a dry run changes nothing")

		added := ok[edited](t, s, operator(), http.MethodPut, "/v1/rules/items/city?before=us", city, http.StatusOK, ifFirst...)
		assert.True(t, added.Active)
		assert.Equal(t, first.ActiveHash(), added.Previous)
		assert.Equal(t, []struct{ ID, Change string }{{"city", "added"}}, added.Changes)
		assert.Equal(t, "city", decides(), "at once")
		stored, err := db.RuleSet(t.Context(), "acme", added.Hash)
		require.NoError(t, err)
		assert.Equal(t, strings.Replace(rules, "  - id: us", "  # The city's own.\n  - id: city\n    match: {to: {prefix: \"+1212555\"}}\n    route: [[{to: b}]]\n  - id: us", 1),
			string(stored.Body), "the rest of the text stays")

		again := ok[edited](t, s, operator(), http.MethodPut, "/v1/rules/items/city", city, http.StatusOK)
		assert.Equal(t, added.Hash, again.Hash)
		assert.Empty(t, again.Changes)

		late := fails(t, s, operator(), http.MethodDelete, "/v1/rules/items/city", "", http.StatusConflict, callmodel.CodeConflict, ifFirst...)
		assert.Contains(t, late.Detail, added.Hash)
		written := do(t, s, caller(), http.MethodGet, "/v1/rules/items/city?format=yaml", "")
		require.Equal(t, http.StatusOK, written.Code)
		assert.Equal(t, city, written.Body.String())
		assert.Equal(t, `"`+added.Hash+`"`, written.Header().Get("ETag"))
		one := ok[struct{ ID string }](t, s, caller(), http.MethodGet, "/v1/rules/items/city", "", http.StatusOK)
		assert.Equal(t, "city", one.ID)

		many := ok[edited](t, s, operator(), http.MethodPost, "/v1/rules/edits", `{"edits":[
			{"op":"remove","id":"city"},
			{"op":"add","rule":"id: paris\nmatch: {to: {prefix: '+331'}}\nroute: [[{to: a}]]","after":"nyc"},
			{"op":"change","id":"nyc","rule":{"match":{"to":{"prefix":"+1212"}},"route":[[{"to":"c"}]]}},
			{"op":"move","id":"us","before":"nyc"}]}`, http.StatusOK, "If-Match", `"`+added.Hash+`"`)
		assert.Equal(t, []struct{ ID, Change string }{{"city", "removed"}, {"paris", "added"}, {"nyc", "changed"}, {"us", "moved"}}, many.Changes)
		assert.Equal(t, "c", create(t, s, nyc("")).Decision.Destinations[0].ID)
		gone := ok[edited](t, s, operator(), http.MethodDelete, "/v1/rules/items/paris", "", http.StatusOK)
		assert.Equal(t, many.Hash, gone.Previous)
		ok[version](t, s, operator(), http.MethodPost, "/v1/rules/rollback", "", http.StatusOK)
		ok[struct{ ID string }](t, s, caller(), http.MethodGet, "/v1/rules/items/paris", "", http.StatusOK)

		for _, bad := range []struct {
			method, path, body string
			status             int
			code               callmodel.Code
		}{
			{http.MethodGet, "/v1/rules/items/nobody", "", 404, callmodel.CodeNotFound},
			{http.MethodDelete, "/v1/rules/items/nobody", "", 404, callmodel.CodeNotFound},
			{http.MethodPut, "/v1/rules/items/paris", "id: rome\nmatch: {to: {prefix: '+331'}}\nroute: [[{to: a}]]", 422, callmodel.CodeInvalid},
			{http.MethodPut, "/v1/rules/items/paris", "match: {to: {prefix: '+331'}}\nroute: [[{to: nowhere}]]", 422, callmodel.CodeInvalid},
			{http.MethodPut, "/v1/rules/items/tie", "match: {to: {prefix: '+331'}}\nroute: [[{to: a}]]", 422, callmodel.CodeInvalid},
			{http.MethodPut, "/v1/rules/items/paris", "", 422, callmodel.CodeInvalid},
			{http.MethodPut, "/v1/rules/items/paris", "{", 400, callmodel.CodeMalformed},
			{http.MethodPost, "/v1/rules/edits", `{"edits":[{"op":"add","rule":{"id":"nyc","default":true,"route":[[{"to":"a"}]]}}]}`, 409, callmodel.CodeConflict},
			{http.MethodPost, "/v1/rules/edits", `{"edits":[]}`, 422, callmodel.CodeInvalid},
			{http.MethodPost, "/v1/rules/edits", `{"edits":[{"op":"move","id":"us"}]}`, 422, callmodel.CodeInvalid},
		} {
			fails(t, s, operator(), bad.method, bad.path, bad.body, bad.status, bad.code)
		}
		fails(t, s, as(operates(), "globex"), http.MethodDelete, "/v1/rules/items/paris", "", http.StatusNotFound, callmodel.CodeNotFound)
		state, err := db.RuleSetState(t.Context(), "acme")
		require.NoError(t, err)
		assert.Equal(t, many.Hash, state.ActiveHash(), "what was refused has changed nothing")
	})
}

// TestEditsAtOnce: edits that don't say of which version they are lose none of each other.
func TestEditsAtOnce(t *testing.T) {
	t.Parallel()
	s := on(t, sqliteDB(t), callservice.Options{})
	const n = 3 // fewer than an edit begins again
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			ok[edited](t, s, operator(), http.MethodPut, fmt.Sprintf("/v1/rules/items/r%d", i),
				fmt.Sprintf("match: {to: {prefix: '+49%d'}}\nroute: [[{to: a}]]", i), http.StatusOK)
		})
	}
	wg.Wait()
	for i := range n {
		ok[struct{ ID string }](t, s, caller(), http.MethodGet, fmt.Sprintf("/v1/rules/items/r%d", i), "", http.StatusOK)
	}
}
