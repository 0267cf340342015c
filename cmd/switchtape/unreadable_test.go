package main

import (
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording/recordingtest/samplecall"
)

// A recording whose key is missing says so until the file of keys is read again, which a bad
// file changes nothing of; a damaged one says that no retry helps. Each is a line of the log,
// and counted.
func TestUnreadableRecordings(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	keys, writers, used := filepath.Join(dir, "keys.json"), filepath.Join(dir, "writers.json"), filepath.Join(dir, "used.json")
	for _, args := range [][]string{{"new", "--out", keys}, {"writers", keys, "--out", writers}} {
		code, _, errs := run(t, append([]string{"encryption"}, args...)...)
		require.Zero(t, code, errs)
	}
	use := func(file string) {
		require.NoError(t, os.WriteFile(used, readFile(t, file), 0o600))
	}
	use(writers)
	p := serve(t, "--dir", dir, "--rules", rulesFile(t, string(demoRules)), "--record-codec", "wav", "--encrypt-keys", used, "--share-url", "http://127.0.0.1")
	assert.Contains(t, p.log.String(), "no identities of some tenants")
	require.NoError(t, os.WriteFile(filepath.Join(dir, "legs", "agent.wav"), samplecall.Agent(), 0o600))
	var made struct {
		JobID callmodel.JobID `json:"job_id"`
	}
	require.Equal(t, http.StatusAccepted, request(t, http.MethodPost, p.url+"/v1/recordings", `{"call_id":"c1","legs":[{"name":"agent","segments":[{"uri":"agent.wav"}]}]}`, &made))
	var job ledger.Job
	require.Eventually(t, func() bool {
		request(t, http.MethodGet, p.url+"/v1/recordings/jobs/"+string(made.JobID), "", &job)
		return job.State == ledger.Done
	}, 30*time.Second, 5*time.Millisecond, "%s", p.log)
	result, err := record.ResultOf(&job)
	require.NoError(t, err)
	u, err := url.Parse(result.Outputs[0].URL)
	require.NoError(t, err)
	media := p.url + "/v1/recordings/jobs/" + string(made.JobID) + "/media"
	var share struct {
		URL string `json:"url"`
	}
	require.Equal(t, http.StatusCreated, request(t, http.MethodPost, p.url+"/v1/shares", `{"job_id":"`+string(made.JobID)+`","expires_in_s":600}`, &share))
	link, err := url.Parse(share.URL)
	require.NoError(t, err)
	shared := p.url + link.Path + "/audio"

	for range 5 {
		r := do(t, http.MethodGet, media, "")
		require.Equal(t, http.StatusServiceUnavailable, r.code)
		require.Contains(t, string(r.body), `"code":"key_missing"`)
		require.NotContains(t, string(r.body), u.Path, "where it is stored is for the log")
	}
	require.Equal(t, http.StatusServiceUnavailable, do(t, http.MethodGet, shared, "").code)
	hangup := func(want string) {
		t.Helper()
		n := strings.Count(p.log.String(), want)
		require.NoError(t, p.cmd.Process.Signal(syscall.SIGHUP))
		require.Eventually(t, func() bool { return strings.Count(p.log.String(), want) > n }, 10*time.Second, 5*time.Millisecond, "%s", p.log)
	}
	use(keys)
	hangup("the encryption keys read again")
	require.Equal(t, http.StatusOK, do(t, http.MethodGet, media, "").code)
	require.Equal(t, http.StatusOK, do(t, http.MethodGet, shared, "").code)
	require.NoError(t, os.WriteFile(used, []byte("no keys"), 0o600))
	hangup("the encryption keys can't be read again; those in use stay")
	require.Equal(t, http.StatusOK, do(t, http.MethodGet, media, "").code)

	raw := readFile(t, u.Path)
	raw[4096+16+1] ^= 1 // in the first chunk
	require.NoError(t, os.Chmod(u.Path, 0o600))
	require.NoError(t, os.WriteFile(u.Path, raw, 0o600))
	for range 5 {
		r := do(t, http.MethodGet, media, "")
		require.Equal(t, http.StatusInternalServerError, r.code)
		require.Contains(t, string(r.body), `"code":"recording_damaged"`)
	}
	require.Equal(t, http.StatusInternalServerError, do(t, http.MethodGet, shared, "").code)

	// What somebody with the bucket's rights has put there in the plain isn't what was stored.
	require.NoError(t, os.WriteFile(u.Path, samplecall.Agent(), 0o600))
	r := do(t, http.MethodGet, media, "")
	require.Equal(t, http.StatusInternalServerError, r.code)
	require.Contains(t, string(r.body), `"code":"recording_damaged"`)

	const line = "a recording can't be read"
	lines := 0
	for l := range strings.Lines(p.log.String()) {
		if !strings.Contains(l, line) {
			continue
		}
		lines++
		for _, part := range []string{`"level":"ERROR"`, `"call":"c1"`, `"recording":"`, result.Outputs[0].Key, "file://"} {
			require.Contains(t, l, part)
		}
	}
	require.LessOrEqual(t, lines, 4, "it is bounded: one a minute for each way to the recording")
	require.GreaterOrEqual(t, lines, 2)
	metrics := string(do(t, http.MethodGet, p.url+"/metrics", "").body)
	require.Contains(t, metrics, `switchtape_unreadable_recordings_total{code="key_missing"} 6`)
	require.Contains(t, metrics, `switchtape_unreadable_recordings_total{code="recording_damaged"} 7`)
}
