// Package speech gets recorded speech for the comparisons of codecs.
package speech

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// Unpack downloads Debian packages into the directory above dir, and unpacks them in dir:
// each once.
func Unpack(tb testing.TB, dir string, packages ...string) {
	tb.Helper()
	require.NoError(tb, os.MkdirAll(dir, 0o750))
	for _, p := range packages {
		done := filepath.Join(dir, p+".unpacked")
		if _, err := os.Stat(done); err == nil {
			continue
		}
		download := exec.CommandContext(tb.Context(), "apt-get", "download", p)
		download.Dir = filepath.Dir(dir)
		out, err := download.CombinedOutput()
		require.NoError(tb, err, "%s", out)
		debs, err := filepath.Glob(filepath.Join(filepath.Dir(dir), p+"_*.deb"))
		require.NoError(tb, err)
		require.NotEmpty(tb, debs)
		out, err = exec.CommandContext(tb.Context(), "dpkg-deb", "-x", debs[len(debs)-1], dir).CombinedOutput()
		require.NoError(tb, err, "%s", out)
		require.NoError(tb, os.WriteFile(done, nil, 0o600))
	}
}
