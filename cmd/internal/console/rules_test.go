package console_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/problem"
)

// hostileRules adds rules to an API whose every text is markup.
func hostileRules(t *testing.T, mux *http.ServeMux, answer func(pattern string, v any)) {
	t.Helper()
	hostile := func(text string) json.RawMessage {
		return json.RawMessage(strings.ReplaceAll(text, "@", jsonText(t, markup)))
	}
	answer("GET /v1/rules", hostile(`{"rulesets":[{"hash":"ours","active":true,"created_at":"2026-01-01T00:00:00Z","created_by":"@"},
		{"hash":"theirs","active":false,"canary":true,"percent":5,"created_by":"@"},{"hash":"@","active":false,"created_by":"@"}],
		"previous":"@","canary":{"hash":"@","percent":5,"salt":"@","started_at":"2026-01-01T00:00:00Z","actor":"@"}}`))
	answer("GET /v1/rules/history", hostile(`{"activations":[{"id":1,"hash":"@","replaced":"@","action":"@","at":"2026-01-01T00:00:00Z","actor":"@"}]}`))
	mux.HandleFunc("GET /v1/rules/{hash}", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("format") == "text" {
			_, _ = w.Write([]byte("</textarea></pre>" + markup))
			return
		}
		rule := fmt.Sprintf(`{"id":"@","of":%q}`, r.PathValue("hash"))
		problem.WriteJSON(w, http.StatusOK, hostile(`{"name":"@","@":`+rule+`,"rules":[`+rule+`],"destinations":{"@":`+rule+`}}`))
	})
	finding := `{"code":"@","severity":"error","line":1,"path":"@","rule":"@","message":"@","fix":"@"}`
	explained := `{"decision":{"source":"@","rule":"@","ruleset":"@","destinations":[{"id":"@","uri":"javascript:alert(1)","number":"@"}]},
		"considered":[{"rule":"@","won":true,"reason":"@"}],"destinations":[{"id":"@","tier":1,"reason":"@","health":"@"}],
		"request":{"from":"@","to":"@","at":"2026-01-01T00:00:00Z"}}`
	answer("POST /v1/rules/check", hostile(`{"rules":1,"errors":1,"findings":[`+finding+`],"omitted":{"@":3}}`))
	answer("POST /v1/rules/diff", hostile(`{"calls":1,"changed":1,"kinds":{"@":1},"groups":[{"kind":"@","before":{"rule":"@","destination":"@"},"after":{"rule":"@"},"calls":1,
		"cost_before":"0","cost_after":"0","examples":[{"line":1,"call_id":"@"}]}],"load":[{"destination":"@","before":{"cost":"0"},"after":{"cost":"0"}}],
		"total":{"before":{"cost":"0"},"after":{"cost":"0"}},"currency_before":"@"}`))
	answer("POST /v1/rules/explain", hostile(explained))
	answer("GET /v1/route", hostile(explained))
	mux.HandleFunc("PUT /v1/rules", func(w http.ResponseWriter, _ *http.Request) {
		problem.Write(w, callmodel.FieldErrors{{Path: markup, Line: 1, Message: markup}})
	})
}

// rulePages are the pages about rules.
func rulePages() []string {
	evil := url.QueryEscape(markup)
	return []string{
		"/rules", "/rules/ours", "/rules/theirs", "/rules/theirs?period=" + evil, "/rules/" + url.PathEscape(markup), "/rules/edit", "/rules/edit?from=" + evil,
		"/rules/explain", "/rules/explain?to=1&from=" + evil + "&region=" + evil + "&at=" + evil,
	}
}

// ruleDeeds are what those pages do.
func ruleDeeds() []string {
	return []string{
		"/rules/check", "/rules/try", "/rules/save", "/rules/rollback",
		"/rules/ours/activate", "/rules/ours/canary", "/rules/ours/promote", "/rules/ours/abort",
	}
}

// TestMarkupInTheEditor: what is typed, and what is said of it, is text as a page and as a
// part of one.
func TestMarkupInTheEditor(t *testing.T) {
	t.Parallel()
	s, key := newConsole(t, hostile(t), &hands{time.Unix(1e9, 0)}, "operator")
	b := browser(t)
	logIn(t, b, s.URL, key)
	typed := url.Values{"text": {"</textarea>" + markup}, "from": {markup}, "caller": {markup}, "callee": {markup}, "at": {markup}}
	for _, page := range []string{"/rules/check", "/rules/try", "/rules/save"} {
		for _, head := range []http.Header{nil, {"Hx-Request": {"true"}}} {
			_, _, body := send(t, b, http.MethodPost, s.URL+page, typed, head)
			harmless(t, page, body)
			assert.Contains(t, body, "&lt;script&gt;alert(1)&lt;/script&gt;", page)
			assert.Equal(t, head == nil || page == "/rules/save", strings.Contains(body, "<html"), page)
		}
	}
}

// TestReadersOfRules: who may only read sees the versions, and is offered nothing else.
func TestReadersOfRules(t *testing.T) {
	t.Parallel()
	s, key := newConsole(t, hostile(t), &hands{time.Unix(1e9, 0)}, "reader")
	b := browser(t)
	logIn(t, b, s.URL, key)
	for _, page := range []string{"/rules", "/rules/theirs"} {
		status, _, body := look(t, b, s.URL+page)
		assert.Equal(t, http.StatusOK, status, page)
		for _, of := range []string{`method="post" action="/rules`, "/rules/edit", "Activate", "Roll back"} {
			assert.NotContains(t, body, of, page)
		}
	}
	for _, page := range append(ruleDeeds(), "/rules/edit") {
		status, _, _ := send(t, b, http.MethodPost, s.URL+page, url.Values{"expected": {"ours"}, "sure": {"yes"}}, nil)
		assert.NotEqual(t, http.StatusOK, status, page)
		assert.NotEqual(t, http.StatusSeeOther, status, page)
	}
}

// TestRulesOfTwoEditors: a change is of the version that its page showed as active, and the
// API is told so; what somebody else has done meanwhile is said instead.
func TestRulesOfTwoEditors(t *testing.T) {
	t.Parallel()
	mux := http.NewServeMux()
	active, asked := "ours", []string{}
	mux.HandleFunc("GET /v1/rules", func(w http.ResponseWriter, _ *http.Request) {
		problem.WriteJSON(w, http.StatusOK, json.RawMessage(`{"rulesets":[{"hash":"mine"},{"hash":"`+active+`","active":true}],"previous":"mine"}`))
	})
	mux.HandleFunc("GET /v1/rules/history", func(w http.ResponseWriter, _ *http.Request) {
		problem.WriteJSON(w, http.StatusOK, json.RawMessage(`{"activations":[{"id":2,"hash":"`+active+`","action":"activate","actor":"Grace"}]}`))
	})
	mux.HandleFunc("GET /v1/rules/{hash}", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("format") == "json" {
			problem.WriteJSON(w, http.StatusOK, json.RawMessage(`{"rules":[{"id":"one","of":"`+r.PathValue("hash")+`"}]}`))
		}
	})
	mux.HandleFunc("GET /v1/calls", func(w http.ResponseWriter, _ *http.Request) {
		problem.WriteJSON(w, http.StatusOK, json.RawMessage(`{"calls":[]}`))
	})
	race := false
	change := func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.Path+" "+r.Header.Get("If-Match"))
		if race {
			active = "theirs"
			problem.Write(w, callmodel.Errorf(callmodel.CodeConflict, "the active version is another"))
			return
		}
		problem.WriteJSON(w, http.StatusOK, json.RawMessage(`{}`))
	}
	mux.HandleFunc("POST /v1/rules/rollback", change)
	mux.HandleFunc("POST /v1/rules/{hash}/{action}", change)
	s, key := newConsole(t, mux, &hands{time.Unix(1e9, 0)}, "operator")
	b := browser(t)
	logIn(t, b, s.URL, key)
	of := url.Values{"expected": {"ours"}, "percent": {"5"}, "sure": {"yes"}}
	for page, want := range map[string]string{
		"/rules/mine/activate": "/v1/rules/mine/activate", "/rules/mine/canary": "/v1/rules/mine/canary", "/rules/mine/promote": "/v1/rules/mine/promote",
		"/rules/mine/abort": "/v1/rules/mine/abort", "/rules/rollback": "/v1/rules/rollback",
	} {
		asked = nil
		status, head, body := send(t, b, http.MethodPost, s.URL+page, of, nil)
		require.Equal(t, http.StatusSeeOther, status, body)
		assert.Equal(t, "/rules", head.Get("Location"))
		assert.Equal(t, []string{want + ` "ours"`}, asked)

		// Without the version that was shown, nothing is asked for; nor is a rollback by accident.
		asked = nil
		status, _, _ = send(t, b, http.MethodPost, s.URL+page, url.Values{"sure": {"yes"}}, nil)
		assert.Equal(t, http.StatusUnprocessableEntity, status, page)
		status, _, body = send(t, b, http.MethodPost, s.URL+page, url.Values{"expected": {"before"}, "percent": {"5"}, "sure": {"yes"}}, nil)
		assert.Equal(t, http.StatusConflict, status, page)
		assert.Contains(t, body, "Meanwhile Grace has put ours in service", page)
		assert.Empty(t, asked, page)
	}
	status, _, _ := send(t, b, http.MethodPost, s.URL+"/rules/rollback", url.Values{"expected": {"ours"}}, nil)
	assert.Equal(t, http.StatusUnprocessableEntity, status, "it isn't confirmed")

	// Somebody is faster between the look and the change.
	race = true
	status, _, body := send(t, b, http.MethodPost, s.URL+"/rules/mine/activate", of, nil)
	assert.Equal(t, http.StatusConflict, status)
	assert.Contains(t, body, "Meanwhile Grace has put theirs in service")
	assert.Contains(t, body, `name="expected" value="theirs"`, "the page is of what is in service now")
}

// TestChangesOfRules: a version's page shows each rule that is added, changed or removed,
// by its lines.
func TestChangesOfRules(t *testing.T) {
	t.Parallel()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/rules", func(w http.ResponseWriter, _ *http.Request) {
		problem.WriteJSON(w, http.StatusOK, json.RawMessage(`{"rulesets":[{"hash":"new"},{"hash":"old","active":true},{"hash":"moved"}]}`))
	})
	sets := map[string]string{
		"old":   `{"name":"x","destinations":{"a":{"uri":"sip:a"}},"rules":[{"id":"stays"},{"id":"goes"},{"id":"turns","p":1,"q":2,"r":3}]}`,
		"new":   `{"name":"y","destinations":{"a":{"uri":"sip:a"}},"rules":[{"id":"stays"},{"id":"turns","p":4,"q":2,"r":5},{"id":"comes"}]}`,
		"moved": `{"name":"x","destinations":{"a":{"uri":"sip:a"}},"rules":[{"id":"goes"},{"id":"stays"},{"id":"turns","p":1,"q":2,"r":3}]}`,
	}
	mux.HandleFunc("GET /v1/rules/{hash}", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("format") == "json" {
			problem.WriteJSON(w, http.StatusOK, json.RawMessage(sets[r.PathValue("hash")]))
		}
	})
	s, key := newConsole(t, mux, &hands{time.Unix(1e9, 0)}, "rules:read")
	b := browser(t)
	logIn(t, b, s.URL, key)
	_, _, body := look(t, b, s.URL+"/rules/new")
	for _, want := range []string{
		"1 added, 2 changed, 1 removed.", "added</span> rule comes", "removed</span> rule goes", "changed</span> rule turns", "changed</span> name",
		"<del>-   &#34;p&#34;: 1,</del>\n<ins>&#43;   &#34;p&#34;: 4,</ins>\n    &#34;q&#34;: 2,\n<del>-   &#34;r&#34;: 3</del>\n<ins>&#43;   &#34;r&#34;: 5</ins>",
	} {
		assert.Contains(t, strings.ReplaceAll(body, "<ins>+", "<ins>&#43;"), want)
	}
	assert.NotContains(t, body, "rule stays")
	assert.NotContains(t, body, "another order")
	_, _, body = look(t, b, s.URL+"/rules/moved")
	assert.Contains(t, body, "0 added, 0 changed, 0 removed. Rules stand in another order.")
	_, _, body = look(t, b, s.URL+"/rules/old")
	assert.Contains(t, body, "in service")
	assert.NotContains(t, body, "What differs")
	status, _, _ := look(t, b, s.URL+"/rules/none")
	assert.Equal(t, http.StatusNotFound, status)
}
