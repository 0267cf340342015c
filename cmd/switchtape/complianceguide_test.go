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

// TestComplianceGuide: compliance.md, each command as it stands there.
func TestComplianceGuide(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it builds the program: not with -short")
	}
	needTools(t, "bash", "curl", "go")
	page, err := os.ReadFile("../../examples/docs/compliance.md")
	require.NoError(t, err)
	root, err := filepath.Abs("../..")
	require.NoError(t, err)
	dir := t.TempDir()
	script := "legs=" + root + "/recording/recordingtest/samplecall\ngo build -C '" + root + "' -o '" + dir + "/bin/' ./cmd/switchtape\n"
	for _, block := range regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllSubmatch(page, -1) {
		script += string(block[1])
	}
	require.Contains(t, script, ":8080")
	out := runScript(t, dir, strings.ReplaceAll(script, ":8080", ":"+freePort(t)), 2*time.Minute)
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
