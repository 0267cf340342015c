package rulehttp_test

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/routing"
	"github.com/switchtape/switchtape/routing/dialimport"
)

// Another system's tables become a rule set that can be put, and every version
// can be had back in each format.
func TestImportAndExport(t *testing.T) {
	t.Parallel()
	s := on(t)
	before := lines(t, s)
	body, err := json.Marshal(map[string]any{"format": "opensips", "tenant": "acme", "files": []map[string]string{
		{"name": "dr_gateways.csv", "text": "gwid,type,address,strip,pri_prefix\n1,0,gw.example.com,0,+\n"},
		{"name": "dr_rules.csv", "text": "ruleid,groupid,prefix,timerec,priority,gwlist\n1,0,49,,0,1\n2,0,1,,0,7\n"},
	}})
	require.NoError(t, err)
	in := ok[struct {
		RuleSet  json.RawMessage   `json:"ruleset"`
		Lossless bool              `json:"lossless"`
		Report   dialimport.Report `json:"report"`
	}](t, s, operator(), http.MethodPost, "/v1/rules/import", string(body), http.StatusOK)
	assert.False(t, in.Lossless, "rule 2 has a gateway that isn't there")
	assert.Positive(t, in.Report.Skipped.Count)
	rs, err := routing.Parse(in.RuleSet)
	require.NoError(t, err)
	assert.Len(t, rs.Rules, 1)
	assert.Equal(t, before, lines(t, s), "nothing was stored")

	fails(t, s, operator(), http.MethodPost, "/v1/rules/import", `{"format":"cisco","files":[{"name":"a","text":"b"}]}`,
		http.StatusUnprocessableEntity, callmodel.CodeInvalid)
	fails(t, s, operator(), http.MethodPost, "/v1/rules/import", `{"format":"csv"}`, http.StatusUnprocessableEntity, callmodel.CodeInvalid)
	fails(t, s, as(reads(), "acme"), http.MethodPost, "/v1/rules/import", string(body), http.StatusForbidden, callmodel.CodeForbidden)

	problem := fails(t, s, operator(), http.MethodPost, "/v1/rules/import",
		`{"format":"csv","currency":"EUR","files":[{"name":"a.csv","text":"code,rate\n49,1\n49,2\n"}]}`,
		http.StatusUnprocessableEntity, callmodel.CodeInvalid)
	require.Len(t, problem.Errors, 2, "why, and each note")
	assert.Contains(t, problem.Errors[1].Message, "a.csv:2")
	hash := s.hash
	get := func(query string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/v1/rules/"+hash+query, nil)
		s.ServeHTTP(w, r.WithContext(callmodel.WithPrincipal(r.Context(), operator())))
		require.Equal(t, http.StatusOK, w.Code, w.Body)
		return w
	}
	for _, query := range []string{"", "?format=json", "?format=yaml"} {
		again, err := routing.Parse(get(query).Body.Bytes())
		require.NoError(t, err)
		assert.Equal(t, hash, again.Hash(), query)
	}
	w := get("?format=csv")
	assert.Equal(t, "application/zip", w.Header().Get("Content-Type"))
	z, err := zip.NewReader(bytes.NewReader(w.Body.Bytes()), int64(w.Body.Len()))
	require.NoError(t, err)
	names := map[string]string{}
	for _, f := range z.File {
		r, err := f.Open()
		require.NoError(t, err)
		text, err := io.ReadAll(r)
		require.NoError(t, err)
		names[f.Name] = string(text)
	}
	assert.Contains(t, names["rules.csv"], "nyc")
	assert.Contains(t, names, "report.json")
	fails(t, s, operator(), http.MethodGet, "/v1/rules/"+hash+"?format=pdf", "", http.StatusUnprocessableEntity, callmodel.CodeInvalid)
	fails(t, s, as(reads(), "other"), http.MethodGet, "/v1/rules/"+hash, "", http.StatusNotFound, callmodel.CodeNotFound)
}
