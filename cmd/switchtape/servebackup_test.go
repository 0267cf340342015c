package main

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/cmd/internal/service"
	"github.com/switchtape/switchtape/recording/reconcile"
	"github.com/switchtape/switchtape/recording/recordingtest/samplecall"
	"github.com/switchtape/switchtape/storage/storetest/buckettest"
)

// serve makes recordings in the backup while their bucket is away, serves them from there,
// and moves them when the bucket is there. verify compares both.
func TestServeWithABackup(t *testing.T) {
	srv := buckettest.S3(t)
	srv.Setenv(t)
	home := strings.Replace(srv.URL, "://recordings", "://later", 1)
	dir := t.TempDir()
	backup := service.FileURL(filepath.Join(dir, "backup"))
	p := serve(t, "--dir", dir, "--bucket", home, "--backup-bucket", backup)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "legs", "agent.wav"), samplecall.Agent(), 0o600))
	var made struct {
		JobID callmodel.JobID `json:"job_id"`
	}
	require.Equal(t, http.StatusAccepted, request(t, http.MethodPost, p.url+"/v1/recordings",
		`{"call_id":"c1","legs":[{"name":"agent","segments":[{"uri":"agent.wav"}]}]}`, &made), p.log)
	at := p.url + "/v1/recordings/jobs/" + string(made.JobID)
	result := func() (ledger.Job, record.Result) {
		var j ledger.Job
		request(t, http.MethodGet, at, "", &j)
		r, err := record.ResultOf(&j)
		require.NoError(t, err)
		if r == nil {
			r = &record.Result{}
		}
		return j, *r
	}
	require.Eventually(t, func() bool {
		_, r := result()
		return r.InBackup && strings.HasPrefix(r.URL(), backup)
	}, 30*time.Second, 20*time.Millisecond, "%s", p.log)
	media, err := http.Get(at + "/media")
	require.NoError(t, err)
	audio, err := io.ReadAll(media.Body)
	require.NoError(t, errors.Join(err, media.Body.Close()))
	_, r := result()
	assert.Len(t, audio, int(r.Outputs[0].Bytes), "it is served from the backup")

	verify := func(args ...string) (v verifyOutput) {
		code, out, errs := run(t, append([]string{"verify", "--db", service.SQLiteURL(dir), "--bucket", home, "--json"}, args...)...)
		require.Zero(t, code, "%s%s", out, errs)
		require.NoError(t, json.Unmarshal([]byte(out), &v))
		return v
	}
	require.NoError(t, os.Mkdir(filepath.Join(filepath.Dir(srv.Dir), "later"), 0o750))
	require.Eventually(t, func() bool {
		j, r := result()
		return j.State == ledger.Done && !r.InBackup && strings.HasPrefix(r.URL(), "s3://later/")
	}, time.Minute, 20*time.Millisecond, "%s", p.log)
	v := verify("--backup-bucket", backup)
	assert.Equal(t, backup, v.Report.Backup)
	assert.EqualValues(t, 3, v.Report.Objects, "the sound, its waveform and the manifest")
	_, r = result()
	p.terminate(t)

	// A copy that nobody removed is told once it is old enough.
	file := filepath.Join(dir, "backup", filepath.FromSlash(r.Outputs[0].Key))
	require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o750))
	require.NoError(t, os.WriteFile(file, make([]byte, r.Outputs[0].Bytes), 0o600))
	assert.EqualValues(t, 1, verify("--backup-bucket", backup).Report.Unfinished)
	code, out, errs := run(t, "verify", "--db", service.SQLiteURL(dir), "--bucket", home, "--backup-bucket", backup, "--backup-age", "1ns")
	require.Equal(t, 1, code, errs)
	assert.Contains(t, out, string(reconcile.BackupLeft))
	assert.Contains(t, out, "in "+backup)
	code, _, errs = run(t, "verify", "--db", service.SQLiteURL(dir), "--bucket", home, "--backup-bucket", home)
	require.NotZero(t, code)
	assert.Contains(t, errs, "--backup-bucket")
}
