package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel/record"
)

// An archive, a file to play, the waveform, the talk and the manifest, in one
// go; then somebody changes a byte of the archive.
func TestRecordAndVerify(t *testing.T) {
	t.Parallel()
	agent, customer := sample(t)
	dir := t.TempDir()
	var r record.Result
	runJSON(t, &r, "record", "--leg", "agent="+agent, "--leg", "customer="+customer+"@2s", "--layout", "stereo", "--out", filepath.Join(dir, "call.flac"),
		"--also", "mono="+filepath.Join(dir, "play.mp3"), "--peaks", "json", "--samples-per-pixel", "512", "--analysis")
	require.Equal(t, record.StatusCompleted, r.Status)
	require.Len(t, r.Outputs, 4)
	require.NotNil(t, r.Analysis)
	for _, name := range []string{"call.flac", "play.mp3", "call.peaks.json", "call.analysis.json", "call.manifest.json"} {
		assert.FileExists(t, filepath.Join(dir, name))
	}
	manifestFile := filepath.Join(dir, "call.manifest.json")
	assert.True(t, strings.HasSuffix(r.Manifest.URL, "/call.manifest.json"))

	var v verified
	runJSON(t, &v, "verify-recording", manifestFile, "--legs", filepath.Dir(agent))
	assert.True(t, v.OK)
	require.Len(t, v.Files, 6)
	assert.Equal(t, agent, v.Files[4].File, "as it was given; it is found by its last part")

	archive := readFile(t, filepath.Join(dir, "call.flac"))
	archive[len(archive)/2] ^= 1
	require.NoError(t, os.WriteFile(filepath.Join(dir, "call.flac"), archive, 0o600))
	code, out, _ := run(t, "verify-recording", "file://"+filepath.ToSlash(manifestFile))
	assert.Equal(t, 1, code)
	assert.Contains(t, out, "DIFFERS   call.flac: its SHA-256 is")
	assert.Contains(t, out, "verified  play.mp3")

	code, _, errs := run(t, "verify-recording", agent)
	assert.Equal(t, 1, code)
	assert.Contains(t, errs, "not JSON")
	code, _, errs = run(t, "record", "--leg", "a="+agent, "--out", filepath.Join(dir, "x.wav"), "--also", "play.mp3")
	assert.Equal(t, 2, code)
	assert.Contains(t, errs, "LAYOUT=FILE")
	bare := filepath.Join(t.TempDir(), "x.wav")
	runJSON(t, &r, "record", "--leg", "a="+agent, "--out", bare, "--no-manifest")
	entries, err := os.ReadDir(filepath.Dir(bare))
	require.NoError(t, err)
	assert.Len(t, entries, 1)
}
