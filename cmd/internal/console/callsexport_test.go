package console_test

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/callmodel/problem"
	"github.com/switchtape/switchtape/cmd/internal/console"
)

// manyCalls is an API of n calls, newest first, which refuses to go on behind the page at
// failing, if that isn't 0. Of an empty number it has nothing to say.
func manyCalls(n, failing int) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/calls", func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		limit, _ := strconv.Atoi(q.Get("limit"))
		from, _ := strconv.Atoi(q.Get("cursor"))
		if q.Get("number") == "wrong" || failing > 0 && from >= failing {
			problem.Write(w, callmodel.FieldErrors{{Path: "number", Message: "is none"}})
			return
		}
		page := []calls.Call{}
		for i := from; i < min(from+limit, n); i++ {
			page = append(page, calls.Call{
				ID: callmodel.CallID(fmt.Sprintf("c-%d", i)), State: calls.Ended, From: calls.Party{Number: "+442079460123"}, To: calls.Party{Number: "+cmd|' /C calc'!A0"},
				Trunk: "=1+1", Host: "@SUM(A1)", Metadata: map[string]string{"queue": "a,\"b\"\r\n"}, CreatedAt: time.Date(2026, 12, 1, 10, 0, i%60, 0, time.UTC),
			})
		}
		next := ""
		if from+limit < n {
			next = strconv.Itoa(from + limit)
		}
		problem.WriteJSON(w, http.StatusOK, map[string]any{"calls": page, "next": next})
	})
	return mux
}

func export(t *testing.T, api http.Handler, query string) *httptest.ResponseRecorder {
	t.Helper()
	c, err := console.New(console.Options{API: api, Guard: func(next http.Handler) http.Handler { return next }})
	require.NoError(t, err)
	w := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodGet, "/export/calls?"+query, http.NoBody)
	who := callmodel.Principal{TenantID: "acme", Subject: "ann", Scopes: []callmodel.Scope{callmodel.ScopeCallsRead}}
	c.ServeHTTP(w, r.WithContext(callmodel.WithPrincipal(r.Context(), who)))
	return w
}

// All calls of a search are exported, of all its pages, and nothing in them is a formula.
func TestExportedCalls(t *testing.T) {
	t.Parallel()
	const n = 2345
	w := export(t, manyCalls(n, 0), "number=%2B442079460123&cursor=77")
	require.Equal(t, http.StatusOK, w.Code, w.Body)
	assert.Contains(t, w.Header().Get("Content-Disposition"), `attachment; filename="calls-`)
	rows, err := csv.NewReader(w.Body).ReadAll()
	require.NoError(t, err)
	require.Len(t, rows, n+1, "all of them, whatever page was looked at")
	column := map[string]int{}
	for i, name := range rows[0] {
		column[name] = i
	}
	assert.Equal(t, "c-2344", rows[n][column["id"]])
	assert.Equal(t, "2026-12-01T10:00:04Z", rows[n][column["created_at"]])
	assert.Equal(t, "+442079460123", rows[n][column["from"]], "a number is found as it is")
	for _, name := range []string{"to", "trunk", "host"} {
		assert.Truef(t, strings.HasPrefix(rows[n][column[name]], "'"), "%s: %s", name, rows[n][column[name]])
	}
	assert.JSONEq(t, `{"queue":"a,\"b\"\r\n"}`, rows[n][column["metadata"]])

	w = export(t, manyCalls(n, 0), "format=jsonl")
	require.Equal(t, http.StatusOK, w.Code)
	lines := strings.Split(strings.TrimSpace(w.Body.String()), "\n")
	require.Len(t, lines, n)
	var last calls.Call
	require.NoError(t, json.Unmarshal([]byte(lines[n-1]), &last))
	assert.Equal(t, callmodel.CallID("c-2344"), last.ID)
}

// A list that isn't whole says so at its end; a search that is none is refused.
func TestExportedCallsEnd(t *testing.T) {
	t.Parallel()
	text := export(t, manyCalls(100_010, 0), "").Body.String()
	assert.Equal(t, 100_002, strings.Count(text, "\r\nc-")+strings.Count(text, "\r\ncut: there are more than 100000 calls")+1)
	assert.Contains(t, export(t, manyCalls(2000, 1000), "").Body.String(), "cut: the rest could not be read")
	assert.Contains(t, export(t, manyCalls(2000, 1000), "format=jsonl").Body.String(), `{"cut":"the rest could not be read`)
	for _, query := range []string{"number=wrong", "format=xls"} {
		w := export(t, manyCalls(3, 0), query)
		assert.Equal(t, http.StatusUnprocessableEntity, w.Code, query)
		assert.Contains(t, w.Header().Get("Content-Type"), "text/html")
		assert.Empty(t, w.Header().Get("Content-Disposition"))
	}
}
