package routing_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/routing"
)

const numbered = `
tenant_numbers: {acme: ["+4930123*", "+49*", "+12125550100"], globex: ["+493012*", "611"]}
destinations: {a: {uri: "sip:a"}}
rules: [{id: all, default: true, route: [[{to: a}]]}]
`

// TestTenantNumbers: the whole number holds, or else its longest prefix, in the binary form,
// too.
func TestTenantNumbers(t *testing.T) {
	t.Parallel()
	r, packed, err := routing.CompileAndPack([]byte(numbered))
	require.NoError(t, err)
	form, err := packed.MarshalBinary()
	require.NoError(t, err)
	again, err := routing.CompileBinary(form)
	require.NoError(t, err)
	for number, want := range map[string]callmodel.TenantID{
		"+49301234": "acme", "+49301299": "globex", "+4989": "acme", "+12125550100": "acme", "+121255501001": "", "611": "globex", "6111": "", "": "", "+4": "",
	} {
		assert.Equal(t, want, r.TenantOf(number), number)
		assert.Equal(t, want, again.TenantOf(number), number)
	}
	for change, says := range map[[2]string]string{
		{`"611"`, `"+49*"`}:   `tenant_numbers.globex[1]: "+49*" is tenant acme's already`,
		{`"611"`, `"49-30"`}:  "tenant_numbers.globex[1]",
		{`"611"`, `"x*"`}:     "tenant_numbers.globex[1]",
		{`globex:`, `"a b":`}: "tenant_numbers.a b",
	} {
		_, err := routing.CompileText([]byte(strings.Replace(numbered, change[0], change[1], 1)))
		require.ErrorContains(t, err, says)
	}
}

// TestTenantOfDoesNotAllocate.
func TestTenantOfDoesNotAllocate(t *testing.T) {
	r, err := routing.CompileText([]byte(numbered))
	require.NoError(t, err)
	assert.Zero(t, testing.AllocsPerRun(100, func() { _ = r.TenantOf("+4930129912345") }))
}
