package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// What is there is named in many ways: by a URL, by another path, by a name whose
// extension is replaced. --force replaces none of it.
func TestRecordLosesNothingByForce(t *testing.T) {
	t.Parallel()
	agent, _ := sample(t)
	said := readFile(t, agent)
	dir := t.TempDir()
	leg := filepath.Join(dir, "leg.wav")
	url := "file://" + filepath.ToSlash(leg)
	require.NoError(t, os.Mkdir(filepath.Join(dir, "sub"), 0o700))
	other := dir + "/sub/../twice.mp3"
	for name, c := range map[string]struct {
		args []string
		says string
	}{
		"the recording is named by a URL": {[]string{"--leg", "a=" + leg, "--out", url}, "is the file of leg a"},
		"the leg is named by a URL":       {[]string{"--leg", "a=" + url, "--out", leg}, "is the file of leg a"},
		"the codec's extension replaces the name's": {
			[]string{"--leg", "a=" + leg, "--codec", "wav", "--out", filepath.Join(dir, "leg.mp3")}, "is the file of leg a",
		},
		"another recording is written over the leg": {
			[]string{"--leg", "a=" + leg, "--also", "mono=" + leg, "--out", filepath.Join(dir, "x.wav")}, "is the file of leg a",
		},
		"two recordings go to one file": {
			[]string{"--leg", "a=" + leg, "--also", "mono=" + other, "--out", filepath.Join(dir, "twice.mp3")}, "would be written twice",
		},
	} {
		require.NoError(t, os.WriteFile(leg, said, 0o600))
		code, _, errs := run(t, append([]string{"record", "--force"}, c.args...)...)
		assert.Equal(t, 2, code, name)
		assert.Contains(t, errs, c.says, name)
		assert.Equal(t, said, readFile(t, leg), name)
		assert.NoFileExists(t, filepath.Join(dir, "twice.mp3"), name)
	}
}
