package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// runGuide runs each command of a page of the documents as it stands there, one after the
// other in dir: only the ports are the test's own. It returns what they print.
func runGuide(t *testing.T, dir, name string, ports ...string) string {
	t.Helper()
	if testing.Short() {
		t.Skip("it builds the program: not with -short")
	}
	needTools(t, "bash", "curl", "go")
	page, err := os.ReadFile(filepath.Join("../../examples/docs", name))
	require.NoError(t, err)
	root, err := filepath.Abs("../..")
	require.NoError(t, err)
	script := "legs=" + root + "/recording/recordingtest/samplecall\ngo build -C '" + root + "' -o '" + dir + "/bin/' ./cmd/switchtape\n"
	for _, block := range regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllSubmatch(page, -1) {
		script += string(block[1])
	}
	for _, port := range ports {
		require.Contains(t, script, port)
		script = strings.ReplaceAll(script, port, freePort(t))
	}
	return runScript(t, dir, script, 2*time.Minute)
}

// TestComplianceGuide: compliance.md.
func TestComplianceGuide(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	out := runGuide(t, dir, "compliance.md", "8080")
	for _, want := range []string{
		"age-encryption.org/v1", "it is held", "legal hold", "asked for by the customer", `"code":"gone"`, "\n410\n", "gone since", "0 mismatches left", "lines as they were sealed",
	} {
		assert.Contains(t, out, want)
	}
	part, err := os.ReadFile(filepath.Join(dir, "part.mp3"))
	require.NoError(t, err)
	assert.Greater(t, len(part), 10_000)
	for _, name := range []string{"about-the-call/part-0001.zip", "about-the-number/index.json"} {
		assert.FileExists(t, filepath.Join(dir, name))
	}
}

// TestRegionsGuide: regions.md. Each region has made what it was asked for, though one of
// them was killed.
func TestRegionsGuide(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	out := runGuide(t, dir, "regions.md", "8080", "8081")
	assert.Equal(t, 2, strings.Count(out, "0 mismatches left"), out)
	for region, recordings := range map[string][]string{"east": {"e1", "e2"}, "west": {"w1"}} {
		for _, id := range recordings {
			made, err := filepath.Glob(filepath.Join(dir, region, "bucket", "default", "*", "*", "*", "*", id, id+".v1.mp3"))
			require.NoError(t, err)
			assert.Len(t, made, 1, "%s in %s", id, region)
		}
	}
}

// TestTuningGuide: tuning.md.
func TestTuningGuide(t *testing.T) {
	t.Parallel()
	out := runGuide(t, t.TempDir(), "tuning.md", "8080")
	for _, want := range []string{"switchtape-worker", "concurrency", "switchtape_recording_duration_seconds_sum", "switchtape_lane_limit"} {
		assert.Contains(t, out, want)
	}
}
