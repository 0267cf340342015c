package callhttp_test

import (
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel/problem/contracttest"
	"github.com/switchtape/switchtape/routing/callhttp"
	"github.com/switchtape/switchtape/routing/callservice"
)

// theContract is read once for all tests.
var theContract = sync.OnceValues(func() (*contracttest.Contract, error) { return contracttest.New(callhttp.OpenAPI()) })

func contract(t *testing.T) *contracttest.Contract {
	t.Helper()
	c, err := theContract()
	require.NoError(t, err)
	return c
}

func TestRoutesAreThoseOfTheContract(t *testing.T) {
	t.Parallel()
	contract(t).SameRoutes(t, on(t, sqliteDB(t), callservice.Options{}).Routes())
}
