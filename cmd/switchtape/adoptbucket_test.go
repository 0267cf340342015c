package main

import (
	"bytes"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording/recordingtest/samplecall"
	"github.com/switchtape/switchtape/storage/calldb"
)

// The finished recordings in a bucket are adopted: found, listened to and verified like
// others, none copied, and none twice.
func TestAdoptBucket(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	bucket := filepath.Join(dir, "recordings")
	agent := filepath.Join(dir, "agent.wav")
	require.NoError(t, os.WriteFile(agent, samplecall.Agent(), 0o600))
	old := filepath.Join(bucket, "old.example", "archive", "2026", "Nov")
	for _, day := range []string{"28", "29"} {
		require.NoError(t, os.MkdirAll(filepath.Join(old, day), 0o750))
	}
	for name, codec := range map[string]string{"28/a.wav": "wav", "28/b.mp3": "mp3", "29/c.flac": "flac", "29/d.wav": "alaw"} {
		code, _, errs := run(t, "record", "--leg", "a="+agent, "--leg", "b="+agent, "--layout", "stereo", "--codec", codec, "--no-manifest", "--out", filepath.Join(old, filepath.FromSlash(name)))
		require.Zero(t, code, errs)
	}
	require.NoError(t, os.WriteFile(filepath.Join(old, "29", "empty.wav"), nil, 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(old, "29", "text.wav"), []byte(strings.Repeat("no audio. ", 100)), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(bucket, "readme.txt"), []byte("x"), 0o600))
	url := calldb.SQLiteURL(filepath.Join(dir, "switchtape.db"))
	openLedger(t, url)
	args := []string{"adopt", "file://" + bucket, "--tenants", "old.example=default", "--db", url}

	var would, done, again adoption
	runJSON(t, &would, args...)
	assert.Equal(t, "fusionpbx", would.Naming)
	assert.Len(t, would.Calls, 4)
	assert.Len(t, would.LeftOut, 3)
	runJSON(t, &done, append(args, "--yes")...)
	require.Len(t, done.Calls, 4)
	reasons := map[string]string{}
	for _, l := range done.LeftOut {
		reasons[l.File] = l.Reason
	}
	assert.Contains(t, reasons["old.example/archive/2026/Nov/29/text.wav"], "not audio")
	assert.Contains(t, reasons["old.example/archive/2026/Nov/29/empty.wav"], "empty")
	assert.Contains(t, reasons["readme.txt"], "fits no pattern")
	runJSON(t, &again, append(args, "--yes")...)
	assert.Empty(t, again.Calls)
	assert.Len(t, again.LeftOut, 4+3+4, "with the manifests")

	p := serve(t, "--dir", dir)
	var page struct{ Jobs []ledger.Job }
	require.Equal(t, http.StatusOK, request(t, http.MethodGet, p.url+"/v1/recordings/jobs?state=done", "", &page))
	require.Len(t, page.Jobs, 4)
	for i := range page.Jobs {
		j := &page.Jobs[i]
		r, err := record.ResultOf(j)
		require.NoError(t, err)
		require.Equal(t, record.StatusCompleted, r.Status, "%+v", r.Defects)
		o := r.Outputs[0]
		want := readFile(t, filepath.Join(bucket, filepath.FromSlash(o.Key)))
		resp := get(t, p.url+"/v1/recordings/jobs/"+string(j.ID)+"/media")
		assert.Equal(t, http.StatusOK, resp.code)
		assert.True(t, bytes.Equal(want, resp.body), o.Key)
		assert.Equal(t, 2, o.Channels)
		code, out, errs := run(t, "verify-recording", filepath.Join(bucket, filepath.FromSlash(r.Manifest.Key)))
		assert.Zero(t, code, "%s%s", out, errs)
	}
	p.terminate(t)
	audio := 0
	require.NoError(t, filepath.WalkDir(bucket, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && !strings.Contains(path, ".manifest.json") {
			audio++
		}
		return err
	}))
	assert.GreaterOrEqual(t, audio, 7)
}

// What adopt is told wrongly of a bucket.
func TestAdoptBucketSays(t *testing.T) {
	t.Parallel()
	bucket := "file://" + t.TempDir()
	for part, args := range map[string][]string{
		"is adopted with --db": {"adopt", bucket, "--api", "http://localhost:1"},
		"--yes needs --db":     {"adopt", bucket, "--yes"},
		"of directories":       {"adopt", bucket, "--layout", "mono"},
		"--prefix is of":       {"adopt", t.TempDir(), "--prefix", "x/"},
	} {
		code, _, errs := run(t, args...)
		assert.Equal(t, 2, code, part)
		assert.Contains(t, errs, part)
	}
	code, out, _ := run(t, "adopt", bucket)
	assert.Zero(t, code)
	assert.Contains(t, out, "0 recordings would be adopted")
}
