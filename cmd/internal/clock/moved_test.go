//go:build movedclock

package clock

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A clock that is moved tells another time of day, and a stopwatch that runs meanwhile
// tells what it would have.
func TestMoved(t *testing.T) {
	t.Parallel()
	now := time.Now()
	for _, seconds := range []int64{0, 1, 49 * 3600, -26 * 3600} {
		then := moved(now, seconds)
		require.Equal(t, now.Unix()+seconds, then.Unix())
		require.Equal(t, now.Nanosecond(), then.Nanosecond())
		require.Zero(t, then.Sub(now), "the stopwatch")
		require.Equal(t, time.Duration(seconds)*time.Second, then.Round(0).Sub(now.Round(0)))
	}
}

// The file is read whenever the time is asked for.
func TestNowByFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "clock")
	t.Setenv(fileEnv, file)
	require.WithinDuration(t, time.Now(), Now(), time.Second, "without the file")
	for _, text := range []string{"7200", "-7200\n"} {
		require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
		d, err := time.ParseDuration(strings.TrimSpace(text) + "s")
		require.NoError(t, err)
		require.WithinDuration(t, time.Now().Round(0).Add(d), Now().Round(0), 2*time.Second)
	}
}
