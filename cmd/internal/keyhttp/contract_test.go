package keyhttp_test

import (
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel/problem/contracttest"
	"github.com/switchtape/switchtape/cmd/internal/keyhttp"
	"github.com/switchtape/switchtape/storage/calldb/memdb"
)

// theContract is read once for all tests.
var theContract = sync.OnceValues(func() (*contracttest.Contract, error) { return contracttest.New(keyhttp.OpenAPI()) })

// serve has h answer r into w, and holds both to the contract.
func serve(t *testing.T, h http.Handler, w *httptest.ResponseRecorder, r *http.Request) {
	t.Helper()
	c, err := theContract()
	require.NoError(t, err)
	c.Serve(t, h, w, r)
}

func TestRoutesAreThoseOfTheContract(t *testing.T) {
	t.Parallel()
	c, err := theContract()
	require.NoError(t, err)
	c.SameRoutes(t, keyhttp.New(memdb.New(nil), nil).Routes())
}
