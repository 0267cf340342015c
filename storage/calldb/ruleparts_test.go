package calldb_test

import (
	"bytes"
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel/rulesets"
)

// TestPartsOfRuleSetsThatNobodyHas: parts of a text that was not stored to its end go
// when another is stored, and those of one that was stay.
func TestPartsOfRuleSetsThatNobodyHas(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, at string) {
		db := migrated(t, at)
		names := func() int {
			rows, err := db.Rows(t.Context(), "SELECT DISTINCT parts FROM rule_set_parts")
			require.NoError(t, err)
			return len(rows)
		}
		put := func(hash string) error {
			return db.PutRuleSet(t.Context(), rulesets.Version{TenantID: "acme", Hash: hash, Format: "json", Body: bytes.Repeat([]byte(hash), 1<<20)}, "ann")
		}
		require.NoError(t, put("kept"))
		require.NoError(t, put("kept"))
		require.Equal(t, 1, names())
		require.NoError(t, db.Exec(t.Context(), "INSERT INTO rule_set_parts (parts, part, stored_at, body) SELECT 'left', 0, 1, body FROM rule_set_parts"))
		require.NoError(t, db.Exec(t.Context(), "INSERT INTO rule_set_parts (parts, part, stored_at, body) SELECT 'fresh', 0, 9000000000000000, body FROM rule_set_parts WHERE parts = 'left'"))
		require.Equal(t, 3, names())
		require.NoError(t, put("next"))
		require.Equal(t, 3, names(), "that of a process that is at it stays")
		r, err := db.RuleSet(t.Context(), "acme", "kept")
		require.NoError(t, err)
		require.True(t, bytes.Equal(bytes.Repeat([]byte("kept"), 1<<20), r.Body))

		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		require.Error(t, db.PutRuleSet(ctx, rulesets.Version{TenantID: "acme", Hash: "broken-off", Format: "json", Body: make([]byte, 2<<20)}, "ann"))
		require.Equal(t, 3, names())
	})
}
