package ops_test

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/cmd/internal/ops"
)

// Durations have their unit beside them, in groups as well.
func TestDurationsInLogs(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		is   time.Duration
		want string
	}{
		{8126557299, "8.127s"},
		{1500 * time.Microsecond, "1.5ms"},
		{-90 * time.Minute, "-1h30m0s"},
		{0, "0s"},
	} {
		var out bytes.Buffer
		ops.LogOptions{LogLevel: "info", LogFormat: "json"}.Logger(&out).WithGroup("job").Info("finished", "elapsed", c.is, "attempt", 1)
		var line struct {
			Job struct {
				Elapsed string
				Attempt int
			}
		}
		require.NoError(t, json.Unmarshal(out.Bytes(), &line), "%s", out.String())
		require.Equal(t, c.want, line.Job.Elapsed)
		require.Equal(t, 1, line.Job.Attempt)
	}
}
