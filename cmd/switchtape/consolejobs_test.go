package main

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
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
	"github.com/switchtape/switchtape/recording/recordingtest/samplecall"
)

// A recording whose leg is no audio is set aside. Whoever mends the leg puts the job back on
// its page, and the recording is made.
func TestConsoleRetriesAQuarantinedJob(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := serve(t, "--dir", dir, "--worker-leg-wait", "0s", "--record-codec", "wav")
	leg := filepath.Join(dir, "legs", "agent.wav")
	require.NoError(t, os.WriteFile(leg, []byte(strings.Repeat("no audio, ", 1000)), 0o600))
	var asked struct {
		JobID callmodel.JobID `json:"job_id"`
	}
	require.Equal(t, http.StatusAccepted, request(t, http.MethodPost, p.url+"/v1/recordings",
		`{"call_id":"call-1","legs":[{"name":"agent","segments":[{"uri":"agent.wav"}]}]}`, &asked), p.log)
	var job ledger.Job
	reaches := func(state ledger.State) {
		t.Helper()
		require.Eventually(t, func() bool {
			request(t, http.MethodGet, p.url+"/v1/jobs/"+string(asked.JobID), "", &job)
			return job.State == state
		}, 30*time.Second, 5*time.Millisecond, "%s", p.log)
	}
	reaches(ledger.Quarantined)

	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	browser := &http.Client{Jar: jar, Timeout: 10 * time.Second}
	page := func(method, path string, form url.Values) string {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), method, p.url+path, strings.NewReader(form.Encode()))
		require.NoError(t, err)
		if form != nil {
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
		resp, err := browser.Do(req)
		require.NoError(t, err)
		body, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		require.Equal(t, http.StatusOK, resp.StatusCode, string(body))
		return string(body)
	}
	at := "/jobs/" + string(asked.JobID)
	assert.Contains(t, page(http.MethodGet, "/jobs", nil), `href="`+at+`"`)
	assert.Contains(t, page(http.MethodGet, at, nil), "leg agent: a text file")

	require.NoError(t, os.WriteFile(leg, samplecall.Agent(), 0o600))
	assert.Contains(t, page(http.MethodPost, at+"/retry", url.Values{}), "The job was put back")
	reaches(ledger.Done)
	made, err := record.ResultOf(&job)
	require.NoError(t, err)
	assert.Equal(t, record.StatusCompleted, made.Status)
	assert.Contains(t, page(http.MethodGet, at, nil), `<span class="badge good">completed</span>`)
	assert.NotContains(t, page(http.MethodGet, "/jobs", nil), `href="`+at+`"`, "nothing waits for a person")
	p.terminate(t)
}
