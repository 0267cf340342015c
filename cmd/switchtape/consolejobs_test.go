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
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording/recordingtest/samplecall"
)

// pages is a browser of the service's pages: it keeps cookies and follows where it is led.
func pages(t *testing.T, p *process) func(method, path string, form url.Values) string {
	t.Helper()
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	browser := &http.Client{Jar: jar, Timeout: 10 * time.Second}
	return func(method, path string, form url.Values) string {
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
}

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

	page := pages(t, p)
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

// A call that was recorded is seen in the fleet with its server, as kept, beside the
// destination that it went to, the bucket and the services.
func TestConsoleShowsTheFleet(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	rules := "name: one\ndestinations:\n  berlin: {uri: \"sip:berlin.example\", limits: {concurrent: 7}}\nrules:\n  - {id: all, default: true, route: [[{to: berlin}]]}\n"
	p := serve(t, "--dir", dir, "--rules", rulesFile(t, rules), "--region", "GB", "--record-codec", "wav", "--worker-leg-wait", "0s")
	require.NoError(t, os.WriteFile(filepath.Join(dir, "legs", "agent.wav"), samplecall.Agent(), 0o600))
	var call calls.Call
	require.Equal(t, http.StatusCreated, request(t, http.MethodPost, p.url+"/v1/calls",
		`{"from":"+442079460123","to":"+12025550143","host":"pbx-7","recording":{"enabled":true}}`, &call), p.log)
	for _, event := range []string{`{"id":"1","type":"answered"}`, `{"id":"2","type":"ended","legs":[{"name":"agent","segments":[{"uri":"agent.wav"}]}]}`} {
		require.Less(t, request(t, http.MethodPost, p.url+"/v1/calls/"+string(call.ID)+"/events", event, &call), 300, p.log)
	}
	page := pages(t, p)
	body := ""
	require.Eventually(t, func() bool {
		body = page(http.MethodGet, "/fleet?period=1h", nil)
		return strings.Contains(body, `queue=pbx-7">pbx-7</a>`) && strings.Contains(body, `<div><dt>Waited for</dt><dd>0</dd></div>`)
	}, 30*time.Second, 50*time.Millisecond, "%s", p.log)
	assert.Contains(t, body, `<dt>Unexplained</dt><dd><span class="badge good">0</span>`)
	assert.Contains(t, body, `<dt>Kept</dt><dd>100.0 %</dd>`)
	assert.Contains(t, body, `<svg class="chart"`)
	assert.Contains(t, body, `<td data-label="Kind">destination</td><th scope="row" data-label="Name">berlin</th><td data-label="State"><span class="badge good">up</span></td>`)
	assert.Contains(t, body, `<td data-label="Kind">bucket</td><th scope="row" data-label="Name">file://`+filepath.Join(dir, "recordings")+`</th><td data-label="State"><span class="badge good">up</span></td>`)
	for _, name := range []string{"database", "rules", "worker", "recordings"} {
		assert.Contains(t, body, `<td data-label="Kind">service</td><th scope="row" data-label="Name">`+name+`</th><td data-label="State"><span class="badge good">up</span></td>`)
	}
	p.terminate(t)
}
