package apidocs_test

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel/problem/contracttest"
	"github.com/switchtape/switchtape/cmd/internal/apidocs"
)

func contracts() [][]byte { return apidocs.Contracts() }

func get(t *testing.T, h http.Handler, path string) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
	return w
}

// TestServed: all handlers' operations are in one file, and the page has all it needs.
func TestServed(t *testing.T) {
	t.Parallel()
	mux := http.NewServeMux()
	require.NoError(t, apidocs.Mount(mux, contracts()...))
	w := get(t, mux, "/openapi.yaml")
	require.Equal(t, http.StatusOK, w.Code)
	assert.Equal(t, "application/yaml", w.Header().Get("Content-Type"))
	_, err := contracttest.New(w.Body.Bytes())
	require.NoError(t, err, "the whole is OpenAPI")
	operations := regexp.MustCompile(`operationId: (\w+)`)
	var want []string
	for _, c := range contracts() {
		for _, m := range operations.FindAllSubmatch(c, -1) {
			want = append(want, string(m[1]))
		}
	}
	var have []string
	for _, m := range operations.FindAllSubmatch(w.Body.Bytes(), -1) {
		have = append(have, string(m[1]))
	}
	assert.Equal(t, want, have)
	assert.Len(t, have, 93)

	assert.Equal(t, "/docs/", get(t, mux, "/docs").Header().Get("Location"))
	page := get(t, mux, "/docs/")
	require.Equal(t, http.StatusOK, page.Code)
	links := regexp.MustCompile(`(?:src|href)="([^"]+)"`).FindAllStringSubmatch(page.Body.String(), -1)
	require.Len(t, links, 5)
	for _, l := range links {
		at := "/docs/" + l[1]
		if l[1][0] == '/' {
			at = l[1]
		}
		assert.Equal(t, http.StatusOK, get(t, mux, at).Code, "%s: the page asks for nothing elsewhere", at)
	}
	assert.NotRegexp(t, `<script>|<style|style=| on\w+=`, page.Body.String(), "nothing is inline")
	policy := page.Header().Get("Content-Security-Policy")
	assert.Contains(t, policy, "default-src 'none'")
	assert.NotRegexp(t, `unsafe|https?:|\*`, policy)
	assert.Equal(t, http.StatusNotFound, get(t, mux, "/docs/README.md").Code)
}

func TestJoin(t *testing.T) {
	t.Parallel()
	const a = "info: {description: A}\ntags: [{name: x}]\npaths: {/a: {get: {}}}\ncomponents: {schemas: {S: {type: string}}}\n"
	whole, err := apidocs.Join([]byte(a), []byte("paths: {/b: {get: {}}}\ncomponents: {schemas: {S: {type: string}, T: {type: object}}}\n"))
	require.NoError(t, err)
	assert.Regexp(t, `(?s)description: A.*/a:.*/b:.*S:.*T:`, string(whole))
	for text, why := range map[string]string{
		"paths: {/a: {get: {}}}":                          `the path "/a"`,
		"components: {schemas: {S: {type: number}}}":      `schemas "S"`,
		"components: {schemas: {S: {type: [string, x]}}}": `schemas "S"`,
		"\x00": "the contract 1",
		"":     "the contract 1 is empty",
	} {
		_, err := apidocs.Join([]byte(a), []byte(text))
		require.ErrorContains(t, err, why, text)
	}
}
