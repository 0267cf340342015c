package recording_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// mostMethods bounds the methods of a type. A type that needs more is several.
const mostMethods = 12

func TestNoTypeHasManyMethods(t *testing.T) {
	t.Parallel()
	for _, dir := range []string{".", "internal/legfile"} {
		files, err := filepath.Glob(filepath.Join(dir, "*.go"))
		require.NoError(t, err)
		require.NotEmpty(t, files, dir)
		methods := map[string]int{}
		for _, name := range files {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
			require.NoError(t, err)
			for _, d := range f.Decls {
				if m, ok := d.(*ast.FuncDecl); ok && m.Recv != nil {
					methods[receiver(m.Recv.List[0].Type)]++
				}
			}
		}
		require.NotEmpty(t, methods, dir)
		for name, n := range methods {
			require.LessOrEqual(t, n, mostMethods, "%s in %s", name, dir)
		}
	}
}

// receiver is the name of a method's type.
func receiver(e ast.Expr) string {
	if p, ok := e.(*ast.StarExpr); ok {
		e = p.X
	}
	if id, ok := e.(*ast.Ident); ok {
		return id.Name
	}
	return ""
}
