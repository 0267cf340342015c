package calldb_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/storage/storetest"
)

// TestNoMachineClock: nothing in this package looks at the machine's clock, so
// a wrong one can't matter. (memdb is a database itself, and asks its clock.)
func TestNoMachineClock(t *testing.T) {
	t.Parallel()
	seen := 0
	require.NoError(t, filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") ||
			strings.HasPrefix(path, "memdb") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			return err
		}
		seen++
		ast.Inspect(file, func(n ast.Node) bool {
			s, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			x, ok := s.X.(*ast.Ident)
			if ok && x.Name == "time" {
				require.NotContains(t, []string{"Now", "Since", "Until"}, s.Sel.Name, path)
			}
			if ok && x.Name == "uuid" {
				t.Errorf("%s: uuid %s may hold the machine's time", path, s.Sel.Name)
			}
			return true
		})
		return nil
	}))
	require.Greater(t, seen, 10)
}

// TestDatabaseClock: the times of a job are those of the database's clock.
func TestDatabaseClock(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, at string) {
		db := migrated(t, at)
		before, err := db.Now(t.Context())
		require.NoError(t, err)
		require.WithinDuration(t, time.Now(), before, time.Minute, "both clocks are this machine's, here")
		id, _, err := db.Enqueue(t.Context(), storetest.Request("c1"))
		require.NoError(t, err)
		_, err = db.Claim(t.Context(), ledger.Claim{Worker: "w", TTL: time.Hour})
		require.NoError(t, err)
		after, err := db.Now(t.Context())
		require.NoError(t, err)
		j, err := db.Job(t.Context(), id)
		require.NoError(t, err)
		require.False(t, j.CreatedAt.Before(before) || j.CreatedAt.After(after))
		require.False(t, j.LeaseUntil.Before(before.Add(time.Hour)) || j.LeaseUntil.After(after.Add(time.Hour)))
	})
}
