package callmodel_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A vocabulary is learned by reading it. What grows beyond this is two. The defects of
// package record are a list of its own, which grows with the faults that are found.
const maxNames = 136

func TestVocabulariesAreSmall(t *testing.T) {
	t.Parallel()
	names := map[string]int{}
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		for _, decl := range f.Decls {
			names[filepath.Dir(path)] += exported(decl)
		}
		return nil
	})
	require.NoError(t, err)
	require.Greater(t, names["."], 30)
	for pkg, n := range names {
		t.Logf("%s: %d exported names", pkg, n)
		assert.LessOrEqual(t, n, maxNames, "exported names of package %s", pkg)
	}
}

// exported counts the exported names that a declaration adds to its package;
// methods and fields are their type's.
func exported(decl ast.Decl) (n int) {
	switch d := decl.(type) {
	case *ast.FuncDecl:
		if d.Recv == nil && d.Name.IsExported() {
			n++
		}
	case *ast.GenDecl:
		for _, spec := range d.Specs {
			switch s := spec.(type) {
			case *ast.TypeSpec:
				if s.Name.IsExported() {
					n++
				}
			case *ast.ValueSpec:
				for _, name := range s.Names {
					if name.IsExported() {
						n++
					}
				}
			}
		}
	}
	return n
}
