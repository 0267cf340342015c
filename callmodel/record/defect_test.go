package record_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel/record"
)

// defectsReference is the file that says what each code means.
const defectsReference = "../../examples/docs/defects.md"

// declaredDefects are the codes that defect.go declares.
func declaredDefects(t *testing.T) (codes []string) {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), "defect.go", nil, 0)
	require.NoError(t, err)
	ast.Inspect(f, func(n ast.Node) bool {
		v, ok := n.(*ast.ValueSpec)
		if !ok || len(v.Values) != 1 {
			return true
		}
		if typ, ok := v.Type.(*ast.Ident); !ok || typ.Name != "DefectCode" {
			return true
		}
		if lit, ok := v.Values[0].(*ast.BasicLit); ok {
			code, err := strconv.Unquote(lit.Value)
			require.NoError(t, err)
			codes = append(codes, code)
		}
		return true
	})
	return codes
}

// TestDefectsAreListed: every code is in the list once, with what it means and what to do,
// and defects.md says the same: SWITCHTAPE_UPDATE=1 writes it.
func TestDefectsAreListed(t *testing.T) {
	t.Parallel()
	codes := []string{}
	var doc strings.Builder
	doc.WriteString(`# Defects

What can be wrong with the legs of a call, by the codes that recordings, manifests, metrics and reports
have. A recording is made all the same: what is missing is silence, what is damaged is read as far as it
goes, and each defect is named with its leg. From the code: ` + "`go doc record.DefectKinds`" + `.

| code | what it means | what to do |
|---|---|---|
`)
	for _, d := range record.DefectKinds() {
		codes = append(codes, string(d.Code))
		assert.Regexp(t, `^[A-Z].*\.$`, d.Means, d.Code)
		assert.Regexp(t, `^[A-Z].*\.$`, d.Do, d.Code)
		assert.NotContains(t, d.Means+d.Do, "|", d.Code)
		fmt.Fprintf(&doc, "| `%s` | %s | %s |\n", d.Code, d.Means, d.Do)
	}
	assert.Equal(t, declaredDefects(t), codes)
	if os.Getenv("SWITCHTAPE_UPDATE") == "1" {
		require.NoError(t, os.WriteFile(defectsReference, []byte(doc.String()), 0o600))
	}
	written, err := os.ReadFile(defectsReference)
	require.NoError(t, err)
	assert.Equal(t, doc.String(), string(written), "SWITCHTAPE_UPDATE=1 go test ./callmodel/record -run TestDefectsAreListed")
}
