//go:build unix

package adopt_test

import (
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/recording/intake/adopt"
	"github.com/switchtape/switchtape/recording/recordingtest/samplecall"
)

// Objects of one name in several formats are recordings of their own, and are adopted
// once each, whichever comes first.
func TestFormatsOfOneName(t *testing.T) {
	t.Parallel()
	store, db, o := scene(t, map[string][]byte{"20261129-1.wav": samplecall.Agent(), "20261129-1.WAV": samplecall.Customer(), "20261129-1.wave": samplecall.Agent()})
	a := adopt.New(store, db, o)
	ids := map[string]bool{}
	for _, do := range []bool{false, true} {
		for key, f := range found(t, a, "", do) {
			assert.Empty(t, f.LeftOut, key)
			assert.Equal(t, do, f.JobID != "", key)
			assert.Equal(t, do, ids[string(f.RecordingID)], "%s: it is told which it will be", key)
			ids[string(f.RecordingID)] = true
		}
	}
	assert.Len(t, ids, 3)
	for key, f := range found(t, a, "", true) {
		if !strings.HasSuffix(key, ".manifest.json") {
			assert.Equal(t, "already adopted", f.LeftOut, key)
		}
	}
	jobs, err := db.Jobs(t.Context(), ledger.Filter{})
	require.NoError(t, err)
	assert.Len(t, jobs, 3)
}

// What is in a bucket's directory and can't be adopted is told of and never opened: links
// that leave it, pipes, and names that are too long for the bucket or for a manifest. With
// and without doing it the same is said.
func TestFilesOfADirectory(t *testing.T) {
	t.Parallel()
	named := func(bytes int) string { return "20261129-" + strings.Repeat("x", bytes-len("20261129-.wav")) + ".wav" }
	const longest = 255
	store, db, o := scene(t, map[string][]byte{
		"d/" + named(longest): samplecall.Agent(), "d/" + named(245): samplecall.Agent(), "d/" + named(235): samplecall.Agent(), "d/" + named(200): samplecall.Agent(),
		"d/20261129-%zz.wav": samplecall.Agent(), "d/20261129-text.wav": []byte(strings.Repeat("text ", 100)), "d/20261129-1.wav": samplecall.Agent(),
	})
	u, err := url.Parse(store.URL("d/20261129-1.wav"))
	require.NoError(t, err)
	dir := filepath.Dir(u.Path)
	o.Dir = filepath.Dir(dir)
	outside := filepath.Join(t.TempDir(), "secret.wav")
	require.NoError(t, os.WriteFile(outside, samplecall.Agent(), 0o600))
	require.NoError(t, os.Symlink(outside, filepath.Join(dir, "20261129-link.wav")))
	require.NoError(t, os.Symlink("20261129-1.wav", filepath.Join(dir, "20261129-within.wav")))
	require.NoError(t, syscall.Mkfifo(filepath.Join(dir, "20261129-pipe.wav"), 0o600))
	a := adopt.New(store, db, o)
	want := map[string]string{
		"d/" + named(longest): "too long", "d/" + named(245): "too long", "d/" + named(235): "manifest's name would be too long", "d/" + named(200): "",
		"d/20261129-%zz.wav": "isn't there by this name", "d/20261129-text.wav": "not audio", "d/20261129-1.wav": "", "d/20261129-within.wav": "",
		"d/20261129-link.wav": "a link that leads out", "d/20261129-pipe.wav": "a pipe",
	}
	for _, do := range []bool{false, true} {
		all := found(t, a, "d/", do)
		assert.Len(t, all, len(want))
		for key, why := range want {
			f, told := all[key]
			assert.True(t, told, key)
			assert.Contains(t, f.LeftOut, why, key)
			assert.Equal(t, why == "", f.LeftOut == "", "%s: %s", key, f.LeftOut)
		}
	}
	jobs, err := db.Jobs(t.Context(), ledger.Filter{})
	require.NoError(t, err)
	assert.Len(t, jobs, 3)
	assert.Empty(t, found(t, a, "none/", true))
}
