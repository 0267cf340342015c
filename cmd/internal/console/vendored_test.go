package console_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestVendoredFiles: the files of others are those of the packages that they are said to be
// of, where npm has them. NODE_PATH is where they were installed.
func TestVendoredFiles(t *testing.T) {
	t.Parallel()
	for _, of := range []struct{ dir, name, version, dist string }{
		{"htmx", "htmx.org", "4.0.1", "dist"},
		{"wavesurfer", "wavesurfer.js", "8.0.1", "dist"},
	} {
		readme, err := os.ReadFile(filepath.Join("assets", of.dir, "README.md"))
		require.NoError(t, err)
		assert.Contains(t, string(readme), of.name+" "+of.version)
		at := ""
		for _, place := range filepath.SplitList(os.Getenv("NODE_PATH")) {
			var p struct{ Version string }
			raw, err := os.ReadFile(filepath.Join(place, of.name, "package.json"))
			if err == nil && json.Unmarshal(raw, &p) == nil && p.Version == of.version {
				at = filepath.Join(place, of.name)
			}
		}
		if at == "" {
			require.NotEqual(t, "1", os.Getenv("SWITCHTAPE_REQUIRE_SERVICES"), "there is no %s@%s in NODE_PATH", of.name, of.version)
			t.Skipf("SKIPPED, SWITCHTAPE_REQUIRE_SERVICES=1 makes it a failure: there is no %s (npm install %s@%s, and its node_modules in NODE_PATH)", of.name, of.name, of.version)
		}
		for _, file := range regexp.MustCompile(`dist/[a-z./-]+\.js`).FindAllString(string(readme), -1) {
			theirs, err := os.ReadFile(filepath.Join(at, file))
			require.NoError(t, err)
			ours, err := os.ReadFile(filepath.Join("assets", of.dir, filepath.Base(file)))
			require.NoError(t, err)
			assert.True(t, bytes.Equal(theirs, ours), "%s of %s@%s", file, of.name, of.version)
		}
		theirs, err := os.ReadFile(filepath.Join(at, "LICENSE"))
		require.NoError(t, err)
		ours, err := os.ReadFile(filepath.Join("assets", of.dir, "LICENSE"))
		require.NoError(t, err)
		assert.Equal(t, string(theirs), string(ours), of.name)
	}
}
