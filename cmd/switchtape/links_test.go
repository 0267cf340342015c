package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/recording/recordingtest/samplecall"
	"github.com/switchtape/switchtape/storage/storetest/buckettest"
)

// Recordings and legs may be in a bucket of S3's.
func TestRecordToAndFromS3(t *testing.T) {
	srv := buckettest.S3(t)
	srv.Setenv(t)
	bucket, query, _ := strings.Cut(srv.URL, "?")
	object := func(name string) string { return bucket + "/" + name + "?" + query }
	leg := filepath.Join(t.TempDir(), "agent.wav")
	require.NoError(t, os.WriteFile(leg, samplecall.Agent(), 0o600))

	code, _, errs := run(t, "record", "--leg", "agent="+leg, "--layout", "mono", "--codec", "wav", "--out", object("made/first.wav"))
	require.Zero(t, code, errs)
	code, _, errs = run(t, "record", "--leg", "agent="+object("made/first.wav"), "--layout", "mono", "--out", object("made/second.flac"))
	require.Zero(t, code, errs)
	code, _, errs = run(t, "verify-recording", object("made/second.manifest.json"))
	require.Zero(t, code, errs)
	code, _, errs = run(t, "record", "--leg", "agent="+leg, "--layout", "mono", "--rate", "16000", "--out", object("made/second.flac"))
	assert.NotZero(t, code)
	assert.Contains(t, errs, "choose another name")
}

// What this command doesn't link is refused with a word on who has it.
func TestBucketsOfOtherClouds(t *testing.T) {
	t.Parallel()
	leg := filepath.Join(t.TempDir(), "agent.wav")
	require.NoError(t, os.WriteFile(leg, samplecall.Agent(), 0o600))
	for url, missing := range map[string]string{"gs://x": "storage/gcs", "azblob://x": "storage/azure"} {
		want := "buckets need github.com/switchtape/switchtape/" + missing + ", which this program doesn't link; switchtape-worker and switchtape-api have it"
		for _, args := range [][]string{
			{"record", "--leg", "agent=" + leg, "--out", url + "/call.wav"},
			{"verify-recording", url + "/call.manifest.json"},
			{"serve", "--dir", t.TempDir(), "--listen", "127.0.0.1:0", "--bucket", url},
			{"serve", "--dir", t.TempDir(), "--listen", "127.0.0.1:0", "--legs", url},
		} {
			code, _, errs := run(t, args...)
			assert.Equal(t, 1, code, args)
			assert.Contains(t, errs, want, args)
		}
	}
	code, _, errs := run(t, "record", "--leg", "agent="+leg, "--out", "ftp://x/call.wav")
	assert.Equal(t, 1, code)
	assert.Contains(t, errs, "the scheme must be s3, gs, azblob, file or mem")
}
