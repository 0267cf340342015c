package problem_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/problem"
)

func TestElsewhere(t *testing.T) {
	t.Parallel()
	mux := http.NewServeMux()
	for _, pattern := range []string{"GET /v1/calls", "POST /v1/calls", "PUT /v1/rules/{hash}"} {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })
	}
	mux.Handle("/", problem.Elsewhere(mux))
	for _, c := range []struct {
		method, path string
		status       int
		allow        string
	}{
		{http.MethodGet, "/v1/calls", http.StatusTeapot, ""},
		{http.MethodHead, "/v1/calls", http.StatusTeapot, ""},
		{http.MethodDelete, "/v1/calls", http.StatusMethodNotAllowed, "GET, HEAD, POST, OPTIONS"},
		{"BREW", "/v1/calls", http.StatusMethodNotAllowed, "GET, HEAD, POST, OPTIONS"},
		{http.MethodOptions, "/v1/calls", http.StatusNoContent, "GET, HEAD, POST, OPTIONS"},
		{http.MethodGet, "/v1/rules/x", http.StatusMethodNotAllowed, "PUT, OPTIONS"},
		{http.MethodGet, "/v1/rules", http.StatusNotFound, ""},
		{http.MethodOptions, "/elsewhere", http.StatusNotFound, ""},
	} {
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), c.method, c.path, nil))
		assert.Equal(t, c.status, w.Code, "%s %s", c.method, c.path)
		assert.Equal(t, c.allow, w.Header().Get("Allow"), "%s %s", c.method, c.path)
		if c.status == http.StatusMethodNotAllowed {
			var p problem.Problem
			require.NoError(t, json.Unmarshal(w.Body.Bytes(), &p))
			assert.Equal(t, callmodel.CodeMethodNotAllowed, p.Code)
		}
	}
}

func TestDoor(t *testing.T) {
	t.Parallel()
	list := problem.Door{Query: []string{"state", "limit", "tag*"}}
	media := problem.Door{Gives: []string{"audio/*", problem.JSON}}
	rules := problem.Door{Takes: []string{problem.JSON, "application/yaml"}}
	for _, c := range []struct {
		door                problem.Door
		query, accept, kind string
		code                callmodel.Code // "": taken
	}{
		{list, "", "", "", ""},
		{list, "state=a&limit=3&tag=x&tag=y", "", "", ""},
		{list, "sate=a", "", "", callmodel.CodeInvalid},
		{list, "STATE=a", "", "", callmodel.CodeInvalid},
		{list, "state=a&state=b", "", "", callmodel.CodeInvalid},
		{list, "state", "", "", ""},
		{list, "tag*=x", "", "", callmodel.CodeInvalid},
		{list, "state=%zz", "", "", callmodel.CodeMalformed},
		{list, "state=a;limit=3", "", "", callmodel.CodeMalformed},
		{media, "limit=1", "", "", callmodel.CodeInvalid},
		{list, "", "*/*", "", ""},
		{list, "", "application/*", "", ""},
		{list, "", "text/html, application/json;q=0.9", "", ""},
		{list, "", "text/html", "", callmodel.CodeNotAcceptable},
		{list, "", "application/json;q=0", "", callmodel.CodeNotAcceptable},
		{list, "", "application/json;q=0.0, text/*", "", callmodel.CodeNotAcceptable},
		{list, "", "nonsense", "", callmodel.CodeNotAcceptable},
		{media, "", "audio/mpeg", "", ""},
		{media, "", "audio/*;q=0.5", "", ""},
		{media, "", "video/mp4", "", callmodel.CodeNotAcceptable},
		{list, "", "", "application/json; charset=utf-8", ""},
		{list, "", "", "application/merge-patch+json", ""},
		{list, "", "", "application/x-www-form-urlencoded", ""}, // of curl -d
		{list, "", "", "application/xml", callmodel.CodeUnsupportedMediaType},
		{list, "", "", "multipart/form-data; boundary=x", callmodel.CodeUnsupportedMediaType},
		{list, "", "", "json", callmodel.CodeUnsupportedMediaType},
		{list, "", "", ";", callmodel.CodeUnsupportedMediaType},
		{rules, "", "", "application/yaml", ""},
		{list, "", "", "application/yaml", callmodel.CodeUnsupportedMediaType},
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/?"+c.query, nil)
		for name, value := range map[string]string{"Accept": c.accept, "Content-Type": c.kind} {
			if value != "" {
				r.Header.Set(name, value)
			}
		}
		err := c.door.Check(r)
		if c.code == "" {
			assert.NoError(t, err, "%+v", c)
		} else {
			assert.Equal(t, c.code, callmodel.CodeOf(err), "%+v: %v", c, err)
		}
	}
}

func TestPreferred(t *testing.T) {
	t.Parallel()
	types := []string{problem.JSON, "application/x-ndjson", "text/csv"}
	for accept, want := range map[string]string{
		"":                                      problem.JSON,
		"*/*":                                   problem.JSON,
		"text/csv":                              "text/csv",
		"text/*":                                "text/csv",
		"application/*":                         problem.JSON,
		"application/x-ndjson, text/csv":        "application/x-ndjson",
		"application/x-ndjson;q=0.5, text/csv":  "text/csv",
		"text/html, */*;q=0.8, text/csv;q=0.9":  "text/csv",
		"*/*, application/json;q=0":             "application/x-ndjson",
		"application/*;q=0.1, text/*;q=0.01, x": problem.JSON,
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
		r.Header.Set("Accept", accept)
		assert.Equal(t, want, problem.Preferred(r, types), "%q", accept)
	}
}
