package callmodel_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/switchtape/switchtape/callmodel"
)

// TestScopes: a principal may do what its scopes say, and nothing that follows
// from them.
func TestScopes(t *testing.T) {
	for _, given := range callmodel.Scopes() {
		p := callmodel.Principal{TenantID: "acme", Scopes: []callmodel.Scope{given}}
		for _, asked := range callmodel.Scopes() {
			assert.Equal(t, given == asked, p.Allows(asked), "%s asked of %s", asked, given)
		}
	}
	assert.False(t, callmodel.Principal{}.Allows(""), "no scope allows nothing")
	all := callmodel.Principal{Scopes: callmodel.Scopes()}
	assert.False(t, all.Allows(""))
	assert.False(t, all.Allows("calls:*"))
	assert.Zero(t, testing.AllocsPerRun(100, func() {
		if !all.Allows(callmodel.ScopeAuditRead) {
			t.Error("it has every scope")
		}
	}))
}
