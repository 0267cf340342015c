package keyhttp_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel/problem/contracttest"
	"github.com/switchtape/switchtape/cmd/internal/keyhttp"
	"github.com/switchtape/switchtape/storage/calldb/memdb"
)

// TestRequestsOfTheContract: what the file has is taken, what it doesn't have is refused,
// and every answer is in it.
func TestRequestsOfTheContract(t *testing.T) {
	t.Parallel()
	c, err := theContract()
	require.NoError(t, err)
	h := keyhttp.New(memdb.New(nil), nil)
	made := ok(t, do(t, h, operator("acme"), http.MethodPost, "/v1/keys", dashboard), http.StatusCreated)
	old := ok(t, do(t, h, operator("acme"), http.MethodPost, "/v1/keys", `{"name":"old","grants":["reader"]}`), http.StatusCreated)
	n := c.Hold(t, h, &contracttest.Setting{
		Tenant: "acme", Values: map[string]string{"id": made.ID, "DELETE /v1/keys/{id} id": old.ID},
		Refused: map[string]string{
			"POST /v1/keys: expires_at: a time":           "it is over",
			"POST /v1/keys: expires_at: a time elsewhere": "it is over",
		},
	})
	t.Logf("%d requests", n)
	assert.Greater(t, n, 100)
}
