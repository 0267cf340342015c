package auth_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/cmd/internal/auth"
)

// TestGuesses: an address may guess some times at once and then one a second, and another
// address doesn't notice.
func TestGuesses(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	g := auth.NewGuesses(func() time.Time { return now })
	for range 20 {
		require.False(t, g.Wrong("192.0.2.1:1234"))
	}
	require.True(t, g.Wrong("192.0.2.1:5678"), "whatever its port")
	require.False(t, g.Wrong("192.0.2.2:1234"))
	now = now.Add(time.Second)
	require.False(t, g.Wrong("192.0.2.1:1234"))
	require.True(t, g.Wrong("192.0.2.1:1234"))
}
