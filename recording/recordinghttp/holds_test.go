package recordinghttp_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/retention"
	"github.com/switchtape/switchtape/recording/recordinghttp"
)

func complies() []callmodel.Scope { return callmodel.RoleScopes(callmodel.RoleCompliance) }

func (s *service) hold(t *testing.T) retention.HoldID {
	t.Helper()
	h, err := s.db.PlaceHold(t.Context(), retention.Hold{TenantID: "acme", Scope: retention.HoldCall, Subject: "c9", Reason: "case 9"}, "ann")
	require.NoError(t, err)
	return h.ID
}

// A hold is placed, listed and lifted, by its tenant alone, and never by an operator.
func TestHolds(t *testing.T) {
	t.Parallel()
	s := newService(t, nil)
	who := as(complies(), "acme")
	var h retention.Hold
	w := s.do(t, who, http.MethodPost, "/v1/holds", `{"scope": "call", "subject": "c1", "reason": "case 7"}`, &h)
	require.Equal(t, http.StatusCreated, w.Code)
	require.Equal(t, "/v1/holds/"+string(h.ID), w.Header().Get("Location"))
	require.Equal(t, "key-of-acme", h.PlacedBy)
	require.Contains(t, h.Warning, "there is no call c1 yet")
	h.Warning = ""
	var second retention.Hold
	s.do(t, who, http.MethodPost, "/v1/holds", `{"scope": "tenant", "reason": "audit"}`, &second)

	var page recordinghttp.HoldPage
	s.do(t, who, http.MethodGet, "/v1/holds?limit=1", "", &page)
	require.Len(t, page.Holds, 1)
	require.Equal(t, h.ID, page.Next)
	s.do(t, who, http.MethodGet, "/v1/holds?after="+string(h.ID), "", &page)
	require.Len(t, page.Holds, 1)
	require.Equal(t, second.ID, page.Holds[0].ID)

	at := "/v1/holds/" + string(h.ID)
	operator := as(callmodel.RoleScopes(callmodel.RoleOperator), "acme")
	var read retention.Hold
	s.do(t, operator, http.MethodGet, at, "", &read)
	require.Equal(t, h, read)
	s.fails(t, operator, http.MethodPost, at+"/lift", `{"reason": "in the way"}`, http.StatusForbidden, callmodel.CodeForbidden)
	s.fails(t, as(complies(), "globex"), http.MethodGet, at, "", http.StatusNotFound, callmodel.CodeNotFound)
	s.fails(t, as(complies(), "globex"), http.MethodPost, at+"/lift", `{"reason": "x"}`, http.StatusNotFound, callmodel.CodeNotFound)
	s.fails(t, who, http.MethodPost, at+"/lift", `{"reason": ""}`, http.StatusUnprocessableEntity, callmodel.CodeInvalid)
	s.do(t, who, http.MethodPost, at+"/lift", `{"reason": "closed"}`, &h)
	require.True(t, h.Lifted())
	s.fails(t, who, http.MethodPost, at+"/lift", `{"reason": "again"}`, http.StatusConflict, callmodel.CodeConflict)
	s.do(t, who, http.MethodGet, "/v1/holds?scope=call", "", &page)
	require.Empty(t, page.Holds)
	s.do(t, who, http.MethodGet, "/v1/holds?scope=call&lifted=true&subject=c1", "", &page)
	require.Len(t, page.Holds, 1)
	for _, query := range []string{"scope=all", "lifted=perhaps", "limit=0"} {
		s.fails(t, who, http.MethodGet, "/v1/holds?"+query, "", http.StatusUnprocessableEntity, callmodel.CodeInvalid)
	}
	p := s.fails(t, who, http.MethodPost, "/v1/holds", `{"scope": "number", "subject": "ann"}`, http.StatusUnprocessableEntity, callmodel.CodeInvalid)
	assert.Len(t, p.Errors, 2)

	for endpoint, needs := range map[[2]string]callmodel.Scope{
		{http.MethodPost, "/v1/holds"}:  callmodel.ScopeHoldsWrite,
		{http.MethodGet, "/v1/holds"}:   callmodel.ScopeHoldsRead,
		{http.MethodGet, at}:            callmodel.ScopeHoldsRead,
		{http.MethodPost, at + "/lift"}: callmodel.ScopeHoldsWrite,
	} {
		for _, scope := range callmodel.Scopes() {
			w := s.do(t, as([]callmodel.Scope{scope}, "acme"), endpoint[0], endpoint[1], "{}", nil)
			assert.Equal(t, scope != needs, w.Code == http.StatusForbidden, "%v with %s: %s", endpoint, scope, w.Body)
		}
	}
}

// Where there are none, none are found.
func TestWithoutHolds(t *testing.T) {
	t.Parallel()
	s := newService(t, nil)
	s.h = recordinghttp.New(s.db, nil)
	var page recordinghttp.HoldPage
	s.do(t, as(complies(), "acme"), http.MethodGet, "/v1/holds", "", &page)
	require.Empty(t, page.Holds)
	s.fails(t, as(complies(), "acme"), http.MethodPost, "/v1/holds", `{"scope": "tenant", "reason": "x"}`, http.StatusNotFound, callmodel.CodeNotFound)
}
