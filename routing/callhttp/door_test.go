package callhttp_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/problem"
	"github.com/switchtape/switchtape/routing/callservice"
)

// endpoints are all that the handler has.
var endpoints = [][2]string{
	{http.MethodPost, "/v1/calls"},
	{http.MethodGet, "/v1/calls"},
	{http.MethodGet, "/v1/calls/c1"},
	{http.MethodPost, "/v1/calls/c1/events"},
	{http.MethodGet, "/v1/calls/c1/events"},
	{http.MethodGet, "/v1/calls/c1/explanation"},
	{http.MethodGet, "/v1/route"},
	{http.MethodPut, "/v1/rules"},
	{http.MethodGet, "/v1/rules"},
	{http.MethodGet, "/v1/rules/history"},
	{http.MethodPost, "/v1/rules/rollback"},
	{http.MethodPost, "/v1/rules/x/activate"},
	{http.MethodPost, "/v1/rules/x/canary"},
	{http.MethodPost, "/v1/rules/x/promote"},
	{http.MethodPost, "/v1/rules/x/abort"},
	{http.MethodGet, "/v1/audit"},
}

// TestDoors: no endpoint answers what was not asked of it: a parameter that it
// doesn't know, a type that the client doesn't take, a body of another type.
func TestDoors(t *testing.T) {
	t.Parallel()
	s := on(t, sqliteDB(t), callservice.Options{})
	for _, e := range endpoints {
		p := fails(t, s, operator(), e[0], e[1]+"?befor=x", "{}", http.StatusUnprocessableEntity, callmodel.CodeInvalid)
		require.Len(t, p.Errors, 1)
		assert.Equal(t, "befor", p.Errors[0].Path)
		fails(t, s, operator(), e[0], e[1], "{}", http.StatusNotAcceptable, callmodel.CodeNotAcceptable, "Accept", "text/html")
		fails(t, s, operator(), e[0], e[1], "{}", http.StatusUnsupportedMediaType, callmodel.CodeUnsupportedMediaType, "Content-Type", "application/xml")
		w := do(t, s, operator(), http.MethodDelete, e[1], "")
		assert.Equal(t, http.StatusMethodNotAllowed, w.Code)
		assert.Contains(t, w.Header().Get("Allow"), e[0])
	}
	fails(t, s, operator(), http.MethodGet, "/v1/calls?limit=1&limit=2", "", http.StatusUnprocessableEntity, callmodel.CodeInvalid)
	fails(t, s, operator(), http.MethodGet, "/v1/calls?cursor=nonsense", "", http.StatusUnprocessableEntity, callmodel.CodeInvalid)
}

// TestDoorsAndEmergency: nothing before the body keeps an emergency call from being
// taken.
func TestDoorsAndEmergency(t *testing.T) {
	t.Parallel()
	s := on(t, sqliteDB(t), callservice.Options{})
	w := do(t, s, caller(), http.MethodPost, "/v1/calls?x=%zz&agent=7", `{"from":"+12025550123","to":"911"}`, "Content-Type", "text/xml", "Accept", "image/png")
	require.Equal(t, http.StatusCreated, w.Code, "%s", w.Body)
}

// TestRequestIDs: the client's id, or one of our own, goes through to the answer.
func TestRequestIDs(t *testing.T) {
	t.Parallel()
	h := problem.WithRequestID(on(t, sqliteDB(t), callservice.Options{}))
	for given, kept := range map[string]bool{"": false, "r-1": true, "a b": false, "\u00e9": false, strings.Repeat("x", 128): true, strings.Repeat("x", 129): false} {
		w := do(t, h, caller(), http.MethodGet, "/v1/calls/none", "", problem.RequestIDHeader, given)
		id := w.Header().Get(problem.RequestIDHeader)
		require.NotEmpty(t, id)
		assert.Equal(t, kept, id == given, "%q", given)
		assert.Contains(t, w.Body.String(), `"request_id":"`+id+`"`)
	}
}
