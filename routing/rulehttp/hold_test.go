package rulehttp_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/switchtape/switchtape/callmodel/problem/contracttest"
)

// TestRequestsOfTheContract: what the file has is taken, what it doesn't have is refused,
// and every answer is in it.
func TestRequestsOfTheContract(t *testing.T) {
	t.Parallel()
	s := on(t)
	n := contract(t).Hold(t, s, &contracttest.Setting{
		Tenant: "acme",
		Values: map[string]string{"hash": s.hash},
		Refused: map[string]string{
			`POST /v1/rules/import: format: the value "opensips"`:            "the example's table is another's",
			`POST /v1/rules/import: format: the value "kamailio"`:            "the example's table is another's",
			`POST /v1/rules/import: format: the value "kamailio-lcr"`:        "the example's table is another's",
			`POST /v1/rules/import: format: the value "opensips-dispatcher"`: "the example's table is another's",
			`POST /v1/rules/import: format: the value "kamailio-dispatcher"`: "the example's table is another's",
			`POST /v1/rules/import: format: the value "freeswitch-lcr"`:      "the example's table is another's",
			"POST /v1/rules/import: priority_ordering: true":                 "it is of kamailio-lcr, and the example is a deck",
			"POST /v1/rules/import: short_codes: true":                       "it is of proxies' tables, and the example is a deck",
			"POST /v1/rules/import: weights: true":                           "it is of opensips, and the example is a deck",
		},
		Replace: []string{"4f1d0c", s.hash},
	})
	t.Logf("%d requests", n)
	assert.Greater(t, n, 1000)
}
