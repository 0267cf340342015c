package userhttp_test

import (
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel/problem/contracttest"
	"github.com/switchtape/switchtape/routing/userhttp"
	"github.com/switchtape/switchtape/storage/calldb/memdb"
)

// theContract is read once for all tests.
var theContract = sync.OnceValues(func() (*contracttest.Contract, error) {
	return contracttest.New(userhttp.OpenAPI())
})

func contract(t *testing.T) *contracttest.Contract {
	t.Helper()
	c, err := theContract()
	require.NoError(t, err)
	return c
}

func TestRoutesAreThoseOfTheContract(t *testing.T) {
	t.Parallel()
	contract(t).SameRoutes(t, userhttp.New(memdb.New(nil), nil).Routes())
}
