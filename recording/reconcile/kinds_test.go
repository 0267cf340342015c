package reconcile_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/recording/reconcile"
)

// table is the file KINDS.md, from the code.
func table() string {
	var b strings.Builder
	b.WriteString("# What `switchtape verify` finds\n\nThe kinds of mismatches, as the code has them. `--repair` mends those with a ✓, where it can.\n\n")
	b.WriteString("| kind | what it means | what to do | `--repair` |\n|---|---|---|---|\n")
	for _, i := range reconcile.Kinds() {
		mark := ""
		if i.Repaired {
			mark = "✓"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", i.Kind, i.Meaning, i.Remedy, mark)
	}
	return b.String()
}

// KINDS.md is what the code says: SWITCHTAPE_UPDATE=1 writes it.
func TestKindsAreListed(t *testing.T) {
	t.Parallel()
	if os.Getenv("SWITCHTAPE_UPDATE") == "1" {
		require.NoError(t, os.WriteFile("KINDS.md", []byte(table()), 0o600))
	}
	b, err := os.ReadFile("KINDS.md")
	require.NoError(t, err)
	assert.Equal(t, table(), string(b))
	seen := map[reconcile.Kind]bool{}
	for _, i := range reconcile.Kinds() {
		assert.False(t, seen[i.Kind])
		assert.NotEmpty(t, i.Meaning)
		assert.NotEmpty(t, i.Remedy)
		seen[i.Kind] = true
	}
	_, err = reconcile.InfoOf("nothing")
	require.Error(t, err)
}
