package main

import (
	"io"
	"maps"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/html"
)

// visitor is a browser without scripts that looks at the console.
type visitor struct {
	t    *testing.T
	base string
	http *http.Client
	at   string // the page's path
	page *html.Node
	text string // of the page, as people read it
}

// visits logs a browser in.
func visits(t *testing.T, p *process, key string) *visitor {
	t.Helper()
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	v := &visitor{t: t, base: p.url, http: &http.Client{Jar: jar, Timeout: 30 * time.Second}}
	v.open("/login", http.StatusOK)
	v.submit("/login", url.Values{"key": {key}}, http.StatusOK)
	return v
}

// request goes to a page, and where it leads.
func (v *visitor) request(method, path string, form url.Values, want int) {
	v.t.Helper()
	req, err := http.NewRequestWithContext(v.t.Context(), method, v.base+path, strings.NewReader(form.Encode()))
	require.NoError(v.t, err)
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	resp, err := v.http.Do(req)
	require.NoError(v.t, err)
	raw, err := io.ReadAll(resp.Body)
	require.NoError(v.t, err)
	require.NoError(v.t, resp.Body.Close())
	require.Equal(v.t, want, resp.StatusCode, "%s", raw)
	v.page, err = html.Parse(strings.NewReader(string(raw)))
	require.NoError(v.t, err)
	v.at, v.text = resp.Request.URL.Path, ""
	var b strings.Builder
	for n := range v.page.Descendants() {
		switch {
		case n.Type == html.TextNode:
			b.WriteString(n.Data)
		case n.Type == html.ElementNode && slices.Contains([]string{"p", "div", "h2", "h3", "li", "td", "th", "option", "small"}, n.Data):
			b.WriteByte(' ')
		}
	}
	v.text = strings.Join(strings.Fields(b.String()), " ")
}

func (v *visitor) open(path string, want int) {
	v.t.Helper()
	v.request(http.MethodGet, path, nil, want)
}

// ofElement is an attribute of an element.
func ofElement(n *html.Node, name string) (string, bool) {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val, true
		}
	}
	return "", false
}

// field is what a field of the page's form holds.
func field(n *html.Node) string {
	if n.Data == "textarea" && n.FirstChild != nil {
		return n.FirstChild.Data
	}
	value, _ := ofElement(n, "value")
	return value
}

// submit sends the page's form that has the action, or a button with it, as it is filled
// in, with changes. Lines end as browsers send them.
func (v *visitor) submit(action string, changes url.Values, want int) {
	v.t.Helper()
	for n := range v.page.Descendants() {
		if n.Type != html.ElementNode || n.Data != "form" {
			continue
		}
		own, _ := ofElement(n, "action")
		found := own == action
		form := url.Values{}
		for c := range n.Descendants() {
			if by, ok := ofElement(c, "formaction"); ok && by == action {
				found = true
			}
			kind, _ := ofElement(c, "type")
			if name, ok := ofElement(c, "name"); ok && kind != "checkbox" {
				form.Set(name, field(c))
			}
		}
		if !found {
			continue
		}
		maps.Copy(form, changes)
		for _, values := range form {
			for i := range values {
				values[i] = strings.ReplaceAll(strings.ReplaceAll(values[i], "\r\n", "\n"), "\n", "\r\n")
			}
		}
		v.request(http.MethodPost, action, form, want)
		return
	}
	require.Fail(v.t, "the page has no such form", "%s at %s: %s", action, v.at, v.text)
}

// typed is what the editor holds.
func (v *visitor) typed() string {
	v.t.Helper()
	for n := range v.page.Descendants() {
		if n.Type == html.ElementNode && n.Data == "textarea" {
			return field(n)
		}
	}
	require.Fail(v.t, "there is no editor", v.text)
	return ""
}

// decides is the rule that decides a call to Washington.
func decides(t *testing.T, p *process) string {
	t.Helper()
	var x struct{ Decision struct{ Rule string } }
	status, body := p.as(t, "acme", http.MethodGet, "/v1/route?to=%2B12025550143", "", &x)
	require.Equal(t, http.StatusOK, status, body)
	return x.Decision.Rule
}

// TestConsoleRules: rules are edited, refused with their line, tried, saved, compared with
// the calls that were made, tried on some calls, put in service and taken back, each by the
// forms of the pages and without a script; of two editors the second is told of the first.
func TestConsoleRules(t *testing.T) {
	t.Parallel()
	const rules = `# Ours.
destinations:
  a: {uri: "sip:a.example.com"}
  b: {uri: "sip:b.example.com"}
rules:
  - id: washington
    match: {to: {prefix: "+1202"}}
    route: [[{to: a}]]
  - id: world
    default: true
    route: [[{to: b}]]
tests:
  - name: capital
    at: 2026-03-02T10:00:00Z
    call: {to: "+12025550143"}
    expect: {first: a}
`
	p := serve(t, "--dir", t.TempDir(), "--keys", keyFile(t, "acme"))
	v := visits(t, p, "acme")
	v.open("/rules", http.StatusOK)
	assert.Contains(t, v.text, "No rules of your own are in service.")

	// A first set: checked, saved, put in service.
	v.open("/rules/edit", http.StatusOK)
	v.submit("/rules/check", url.Values{"text": {rules}}, http.StatusOK)
	assert.Contains(t, v.text, "2 rules: no errors")
	assert.Contains(t, v.text, "1 test of the file run: all hold.")
	assert.Equal(t, rules, v.typed(), "what is typed stays")
	v.submit("/rules/save", nil, http.StatusOK)
	first := filepath.Base(v.at)
	assert.Contains(t, v.text, "It decides no call until you activate it")
	assert.Contains(t, v.text, "# Ours.")
	v.submit("/rules/"+first+"/activate", nil, http.StatusOK)
	assert.Equal(t, "/rules", v.at)
	assert.Contains(t, v.text, first[:12]+" decides every call now.")
	assert.Equal(t, "washington", decides(t, p))
	status, body := p.as(t, "acme", http.MethodPost, "/v1/calls", `{"from":"+442079460123","to":"+12025550143"}`, nil)
	require.Equal(t, http.StatusCreated, status, body)

	// An edit with faults is refused with their lines, and a test that fails, too.
	v.open("/rules/edit?from="+first, http.StatusOK)
	require.Equal(t, rules, v.typed(), "with its comments")
	v.submit("/rules/save", url.Values{"text": {strings.Replace(rules, "[[{to: b}]]", "[[{to: nowhere}]]", 1)}}, http.StatusUnprocessableEntity)
	assert.Contains(t, v.text, "error line 11")
	assert.Contains(t, v.typed(), "nowhere", "what is typed stays")
	v.submit("/rules/check", url.Values{"text": {"rules: ["}}, http.StatusOK)
	assert.Contains(t, v.text, "error")
	edited := strings.Replace(strings.Replace(rules, "id: washington", "id: capital", 1), "[[{to: a}]]", "[[{to: b}], [{to: a}]]", 1)
	v.submit("/rules/save", url.Values{"text": {edited}}, http.StatusUnprocessableEntity)
	assert.Contains(t, v.text, "1 test of the file run: 1 failed.")
	assert.Contains(t, v.text, `test "capital" fails`)
	edited = strings.Replace(edited, "first: a", "first: b", 1)

	// It is tried before it is stored anywhere.
	v.submit("/rules/try", url.Values{"text": {edited}, "callee": {"+12025550143"}}, http.StatusOK)
	assert.Contains(t, v.text, "Rule capital sends the call to b sip:b.example.com as +12025550143, then a")
	assert.Contains(t, v.text, "By the rules in service Rule washington sends the call to a")
	v.submit("/rules/save", nil, http.StatusOK)
	second := filepath.Base(v.at)
	require.NotEqual(t, first, second)
	assert.Equal(t, "washington", decides(t, p), "it is stored alone")
	assert.Contains(t, v.text, "1 added, 1 changed, 1 removed.")
	v.open("/rules/"+second+"?period=day", http.StatusOK)
	assert.Contains(t, v.text, "1 of 1 calls would go another way, 1: another destination first")
	assert.Contains(t, v.text, "rule washington, a rule capital, b c-")

	// A trial, which is ended, and then every call.
	v.submit("/rules/"+second+"/canary", url.Values{"percent": {"many"}}, http.StatusUnprocessableEntity)
	v.submit("/rules/"+second+"/canary", url.Values{"percent": {"12.5"}}, http.StatusOK)
	assert.Contains(t, v.text, "on trial, 12.5 %")
	v.submit("/rules/"+second+"/abort", nil, http.StatusOK)
	assert.NotContains(t, v.text, "on trial")
	other := visits(t, p, "acme")
	other.open("/rules/"+second, http.StatusOK)
	v.open("/rules/"+second, http.StatusOK)
	v.submit("/rules/"+second+"/activate", nil, http.StatusOK)
	assert.Equal(t, "capital", decides(t, p))

	// The other page is of what was in service before.
	other.submit("/rules/"+second+"/canary", nil, http.StatusConflict)
	assert.Contains(t, other.text, "Meanwhile ops has put "+second[:12]+" in service")

	v.submit("/rules/rollback", nil, http.StatusUnprocessableEntity)
	v.open("/rules", http.StatusOK)
	v.submit("/rules/rollback", url.Values{"sure": {"yes"}}, http.StatusOK)
	assert.Contains(t, v.text, first[:12]+" rollback ops")
	assert.Equal(t, "washington", decides(t, p))

	// Who types a number is told where it would go.
	v.open("/rules/explain?from=02079460123&region=gb&to=%2B12025550143&at=2026-03-02T10:00", http.StatusOK)
	assert.Contains(t, v.text, "+442079460123 to +12025550143")
	assert.Contains(t, v.text, "Rule washington sends the call to a")
	assert.Contains(t, v.text, "world it matches, but rule washington ranks before it")
	v.open("/rules/explain?to=x", http.StatusOK)
	assert.NotContains(t, v.text, "Rule washington")
}
