package systemd_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/examples/deploy/internal/machines"
)

func TestMain(m *testing.M) { machines.Main(m) }

// installed installs all into a directory.
func installed(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	bin := machines.Programs(t)
	for range 2 { // it may be repeated
		install := exec.CommandContext(t.Context(), "./install.sh", bin, "api", "emergency", "worker", "backup")
		install.Env = append(os.Environ(), "DESTDIR="+root)
		out, err := install.CombinedOutput()
		require.NoError(t, err, "%s", out)
	}
	return root
}

// TestInstalled: what is installed is understood by the programs that are installed with it.
func TestInstalled(t *testing.T) {
	t.Parallel()
	root := installed(t)
	url := filepath.Join(root, "etc/switchtape/db-url")
	require.NoError(t, os.WriteFile(url, []byte("postgres://switchtape:secret@db1/switchtape\n"), 0o600))
	for _, c := range []struct{ program, settings, want string }{
		{"api", "switchtape.yaml", "journal: /var/lib/switchtape/api/journal"},
		{"api", "emergency.yaml", "lane: high"},
		{"worker", "switchtape.yaml", "finished-dir: /var/lib/switchtape/worker/finished"},
	} {
		path := filepath.Join(root, "etc/switchtape", c.settings)
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(path, []byte(strings.ReplaceAll(string(text), `"@/etc/switchtape/db-url"`, `"@`+url+`"`)), 0o600))
		switchtape := filepath.Join(root, "usr/local/bin/switchtape")
		out, err := exec.CommandContext(t.Context(), switchtape, "config", "check", c.program, "--config", path).CombinedOutput()
		require.NoError(t, err, "%s", out)
		out, err = exec.CommandContext(t.Context(), switchtape, "config", "print", c.program, "--config", path, "--given").CombinedOutput()
		require.NoError(t, err, "%s", out)
		assert.Contains(t, string(out), c.want)
		assert.NotContains(t, string(out), "secret@")
	}
	wrong := exec.CommandContext(t.Context(), "./install.sh", filepath.Join(root, "usr/local/bin"), "wroker")
	wrong.Env = append(os.Environ(), "DESTDIR="+root)
	out, err := wrong.CombinedOutput()
	require.Error(t, err)
	assert.Contains(t, string(out), "there is no service wroker")
}

// TestUnits: systemd finds no fault in the units, and each is as little exposed as the README
// says.
func TestUnits(t *testing.T) {
	t.Parallel()
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		if os.Getenv("SWITCHTAPE_REQUIRE_SERVICES") != "" {
			t.Fatal("systemd-analyze is missing; install systemd")
		}
		t.Skip("SKIPPED, SWITCHTAPE_REQUIRE_SERVICES=1 makes it a failure: the units need systemd-analyze; install systemd")
	}
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	root := installed(t)
	// Of the units only the programs' place is another here.
	units, err := filepath.Glob(filepath.Join(root, "etc/systemd/system/*.service"))
	require.NoError(t, err)
	require.Len(t, units, 4)
	timer := filepath.Join(root, "etc/systemd/system/switchtape-backup.timer")
	require.FileExists(t, filepath.Join(root, "usr/local/lib/switchtape/backup.sh"))
	for _, unit := range units {
		text, err := os.ReadFile(unit)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(unit, []byte(strings.ReplaceAll(string(text), "/usr/local/bin/", filepath.Join(root, "usr/local/bin")+"/")), 0o600))
		out, err := exec.CommandContext(t.Context(), analyze, "verify", "--man=no", unit, timer).CombinedOutput()
		require.NoError(t, err, "%s", out)
		assert.Empty(t, string(out))

		out, err = exec.CommandContext(t.Context(), analyze, "security", "--offline=true", unit).CombinedOutput()
		require.NoError(t, err, "%s", out)
		level := regexp.MustCompile(`exposure level for \S+: ([\d.]+)`).FindSubmatch(out)
		require.NotNil(t, level, "%s", out)
		name := strings.TrimSuffix(filepath.Base(unit), ".service")
		said := regexp.MustCompile("\\| `" + name + "` \\|.*\\| ([\\d.]+) \\|").FindSubmatch(readme)
		require.NotNil(t, said, "the README has no %s", name)
		is, err := strconv.ParseFloat(string(level[1]), 64)
		require.NoError(t, err)
		most, err := strconv.ParseFloat(string(said[1]), 64)
		require.NoError(t, err)
		assert.LessOrEqual(t, is, most, name)
	}
}
