package webhookhttp_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/outbox"
	"github.com/switchtape/switchtape/callmodel/problem"
	"github.com/switchtape/switchtape/callmodel/problem/contracttest"
	"github.com/switchtape/switchtape/callmodel/webhooks"
	"github.com/switchtape/switchtape/recording/webhookhttp"
	"github.com/switchtape/switchtape/storage/calldb"
	"github.com/switchtape/switchtape/storage/calldb/memdb"
	"github.com/switchtape/switchtape/storage/storetest"
)

var (
	_ webhookhttp.Store = (*calldb.DB)(nil)
	_ webhookhttp.Store = (*memdb.Store)(nil)
)

// theContract is read once for all tests.
var theContract = sync.OnceValues(func() (*contracttest.Contract, error) { return contracttest.New(webhookhttp.OpenAPI()) })

func contract(t *testing.T) *contracttest.Contract {
	t.Helper()
	c, err := theContract()
	require.NoError(t, err)
	return c
}

func operator(t callmodel.TenantID) callmodel.Principal {
	return callmodel.Principal{TenantID: t, Subject: "ops-of-" + string(t), Scopes: callmodel.RoleScopes(callmodel.RoleOperator)}
}

// do makes a request; headers are pairs of name and value.
func do(t *testing.T, h http.Handler, p callmodel.Principal, method, path, body string, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(callmodel.WithPrincipal(t.Context(), p), method, path, strings.NewReader(body))
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	contract(t).Serve(t, h, w, r)
	return w
}

func ok[T any](t *testing.T, w *httptest.ResponseRecorder, status int) (v T) {
	t.Helper()
	require.Equal(t, status, w.Code, "%s", w.Body)
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &v))
	return v
}

func fails(t *testing.T, w *httptest.ResponseRecorder, status int, code callmodel.Code) problem.Problem {
	t.Helper()
	p := ok[problem.Problem](t, w, status)
	require.Equal(t, code, p.Code)
	return p
}

const hook = `{"url":"https://example.com/hooks","events":["recording.*"]}`

func TestRoutesAreThoseOfTheContract(t *testing.T) {
	t.Parallel()
	contract(t).SameRoutes(t, webhookhttp.New(memdb.New(nil), nil).Routes())
}

// TestLife: a webhook is made, its secret shown once, changed, rotated and deleted.
func TestLife(t *testing.T) {
	t.Parallel()
	h := webhookhttp.New(memdb.New(nil), nil)
	ops := operator("acme")
	w := do(t, h, ops, http.MethodPost, "/v1/webhooks", hook)
	made := ok[webhookhttp.WithSecret](t, w, http.StatusCreated)
	assert.Equal(t, "/v1/webhooks/"+made.ID, w.Header().Get("Location"))
	assert.Equal(t, "no-store", w.Header().Get("Cache-Control"))
	assert.True(t, strings.HasPrefix(made.Secret, webhooks.SecretPrefix))
	tag := w.Header().Get("ETag")
	at := "/v1/webhooks/" + made.ID

	for _, path := range []string{at, "/v1/webhooks"} {
		w = do(t, h, ops, http.MethodGet, path, "")
		require.Equal(t, http.StatusOK, w.Code)
		assert.Contains(t, w.Body.String(), made.ID)
		assert.NotContains(t, w.Body.String(), "secret")
	}
	put := `{"url":"https://acme.example/new","state":"disabled","form":"callback"}`
	w = do(t, h, ops, http.MethodPut, at, put, "If-Match", tag)
	changed := ok[webhooks.Endpoint](t, w, http.StatusOK)
	assert.Equal(t, webhooks.Disabled, changed.State)
	assert.Equal(t, webhooks.FormCallback, changed.Form)
	assert.Empty(t, changed.Events)
	fails(t, do(t, h, ops, http.MethodPut, at, put, "If-Match", tag), http.StatusConflict, callmodel.CodeConflict)
	fails(t, do(t, h, ops, http.MethodDelete, at, "", "If-Match", "torn"), http.StatusBadRequest, callmodel.CodeMalformed)

	own := "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	rotated := ok[webhookhttp.WithSecret](t, do(t, h, ops, http.MethodPost, at+"/rotate", fmt.Sprintf(`{"grace_s":60,"secret":%q}`, own)), http.StatusOK)
	assert.Equal(t, own, rotated.Secret)
	assert.Equal(t, time.Minute, rotated.OldUntil.Sub(rotated.RotatedAt))
	again := ok[webhookhttp.WithSecret](t, do(t, h, ops, http.MethodPost, at+"/rotate", ""), http.StatusOK)
	assert.NotEqual(t, own, again.Secret)
	p := fails(t, do(t, h, ops, http.MethodPost, at+"/rotate", `{"secret":"short"}`), http.StatusUnprocessableEntity, callmodel.CodeInvalid)
	assert.NotContains(t, p.Detail, "short")

	for _, path := range []string{at, at + "/deliveries"} {
		fails(t, do(t, h, operator("umbrella"), http.MethodGet, path, ""), http.StatusNotFound, callmodel.CodeNotFound)
	}
	ok[webhooks.Endpoint](t, do(t, h, ops, http.MethodDelete, at, ""), http.StatusOK)
	fails(t, do(t, h, ops, http.MethodGet, at, ""), http.StatusNotFound, callmodel.CodeNotFound)
	reader := ops
	reader.Scopes = []callmodel.Scope{callmodel.ScopeWebhooksRead}
	fails(t, do(t, h, reader, http.MethodPost, "/v1/webhooks", hook), http.StatusForbidden, callmodel.CodeForbidden)
}

// TestDeliveries: they are listed in pages, and replayed.
func TestDeliveries(t *testing.T) {
	t.Parallel()
	db := memdb.New(nil)
	h := webhookhttp.New(db, nil)
	ops := operator("acme")
	made := ok[webhookhttp.WithSecret](t, do(t, h, ops, http.MethodPost, "/v1/webhooks", hook), http.StatusCreated)
	at := "/v1/webhooks/" + made.ID
	deliver(t, db, made.ID, 3)
	first := ok[webhookhttp.DeliveryPage](t, do(t, h, ops, http.MethodGet, at+"/deliveries?limit=2&state=failed", ""), http.StatusOK)
	require.Len(t, first.Deliveries, 2)
	require.NotZero(t, first.Next)
	rest := ok[webhookhttp.DeliveryPage](t, do(t, h, ops, http.MethodGet, fmt.Sprint(at, "/deliveries?after=", first.Next), ""), http.StatusOK)
	require.Len(t, rest.Deliveries, 1)
	require.Zero(t, rest.Next)
	one := fmt.Sprintf(`{"ids":[%d]}`, first.Deliveries[0].ID)
	assert.Equal(t, webhookhttp.Replayed{Replayed: 1}, ok[webhookhttp.Replayed](t, do(t, h, ops, http.MethodPost, at+"/replay", one), http.StatusOK))
	assert.Equal(t, webhookhttp.Replayed{Replayed: 2}, ok[webhookhttp.Replayed](t, do(t, h, ops, http.MethodPost, at+"/replay", `{}`), http.StatusOK))
	waiting := ok[webhookhttp.DeliveryPage](t, do(t, h, ops, http.MethodGet, at+"/deliveries?state=waiting", ""), http.StatusOK)
	assert.Len(t, waiting.Deliveries, 3)
	assert.EqualValues(t, 3, ok[webhooks.Endpoint](t, do(t, h, ops, http.MethodGet, at, ""), http.StatusOK).Health.Waiting)
	for _, query := range []string{"?state=odd", "?after=x", "?after=-1", "?from=now", "?limit=0", "?extra=1"} {
		fails(t, do(t, h, ops, http.MethodGet, at+"/deliveries"+query, ""), http.StatusUnprocessableEntity, callmodel.CodeInvalid)
	}
}

// deliver makes n deliveries of the endpoint, all of which fail.
func deliver(t *testing.T, db *memdb.Store, id string, n int) {
	t.Helper()
	for i := range n {
		_, _, err := db.Enqueue(t.Context(), storetest.Request(fmt.Sprint("c", i)))
		require.NoError(t, err)
	}
	leases, err := db.Claim(t.Context(), ledger.Claim{Worker: "w", Limit: n, TTL: time.Hour})
	require.NoError(t, err)
	for _, l := range leases {
		require.NoError(t, db.Complete(t.Context(), l, storetest.Completed(string(l.Job.CallID))))
	}
	r := outbox.Reader{Name: "webhooks", Holder: "a"}
	_, err = db.TakeOutbox(t.Context(), r)
	require.NoError(t, err)
	events, err := db.OutboxEvents(t.Context(), 0, 100)
	require.NoError(t, err)
	_, err = db.FanOut(t.Context(), r, events)
	require.NoError(t, err)
	got, err := db.ClaimDeliveries(t.Context(), webhooks.Claim{EndpointID: id, Limit: n})
	require.NoError(t, err)
	require.Len(t, got.Tasks, n)
	for _, k := range got.Tasks {
		require.NoError(t, db.SettleDelivery(t.Context(), webhooks.Outcome{EndpointID: id, ID: k.ID, Token: k.Token, Status: 500, Error: "answered 500"}))
	}
}

// TestRequestsOfTheContract: what the file has is taken, what it doesn't have is refused,
// and every answer is in it.
func TestRequestsOfTheContract(t *testing.T) {
	t.Parallel()
	h := webhookhttp.New(memdb.New(nil), nil)
	made := ok[webhookhttp.WithSecret](t, do(t, h, operator("acme"), http.MethodPost, "/v1/webhooks", hook), http.StatusCreated)
	old := ok[webhookhttp.WithSecret](t, do(t, h, operator("acme"), http.MethodPost, "/v1/webhooks", hook), http.StatusCreated)
	n := contract(t).Hold(t, h, &contracttest.Setting{
		Tenant: "acme", Values: map[string]string{"id": made.ID, "DELETE /v1/webhooks/{id} id": old.ID},
		Refused: map[string]string{
			"POST /v1/webhooks: url: the longest":                   "it is no URL",
			"PUT /v1/webhooks/{id}: url: the longest":               "it is no URL",
			"POST /v1/webhooks/{id}/replay: from: a time":           "it is later than the example's to",
			"POST /v1/webhooks/{id}/replay: from: a time elsewhere": "it is later than the example's to",
		},
	})
	t.Logf("%d requests", n)
	assert.Greater(t, n, 200)
}
