package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording/recordingtest/samplecall"
)

// keyFile has an operator's key for each tenant, which is its name.
func keyFile(t *testing.T, tenants ...string) string {
	t.Helper()
	var b strings.Builder
	for _, tenant := range tenants {
		sum := sha256.Sum256([]byte(tenant))
		b.WriteString(hex.EncodeToString(sum[:]) + " " + tenant + " operator ops\n")
	}
	path := filepath.Join(t.TempDir(), "keys")
	require.NoError(t, os.WriteFile(path, []byte(b.String()), 0o600))
	return path
}

// as makes a request with a tenant's key, and decodes the answer into v.
func (p *process) as(t *testing.T, tenant, method, path, body string, v any) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, p.url+path, strings.NewReader(body))
	require.NoError(t, err)
	req.Header.Set("Authorization", "Bearer "+tenant)
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	if v != nil && resp.StatusCode < 300 {
		require.NoError(t, json.Unmarshal(b, v), "%s", b)
	}
	return resp.StatusCode, string(b)
}

// endCall makes a call that leaves this file, as agent's leg, or names none.
func (p *process) endCall(t *testing.T, tenant, uri string) (id callmodel.CallID, status int, body string) {
	t.Helper()
	var call calls.Call
	status, body = p.as(t, tenant, http.MethodPost, "/v1/calls", `{"from":"+442079460123","to":"+12025550143","recording":{"enabled":true}}`, &call)
	require.Equal(t, http.StatusCreated, status, body)
	events := "/v1/calls/" + string(call.ID) + "/events"
	status, body = p.as(t, tenant, http.MethodPost, events, `{"id":"1","type":"answered"}`, nil)
	require.Equal(t, http.StatusOK, status, body)
	legs := `,"legs":[{"name":"agent","segments":[{"uri":"` + uri + `"}]}]`
	if uri == "" {
		legs = ""
	}
	status, body = p.as(t, tenant, http.MethodPost, events, `{"id":"2","type":"ended"`+legs+`}`, nil)
	return call.ID, status, body
}

// recorded waits for the call's recording.
func (p *process) recorded(t *testing.T, tenant string, id callmodel.CallID) record.CallEntry {
	t.Helper()
	var call calls.Call
	require.Eventually(t, func() bool {
		call = calls.Call{}
		p.as(t, tenant, http.MethodGet, "/v1/calls/"+string(id), "", &call)
		return len(call.Recordings) == 1 && call.Recordings[0].State != string(calls.RecordingPending)
	}, 30*time.Second, 5*time.Millisecond, "%s", p.log)
	return call.Recordings[0]
}

// Where there is more than one tenant none can have another's legs recorded for
// itself, by whatever name.
func TestTenantsLegsAreTheirOwn(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	legs := filepath.Join(dir, "legs")
	for _, sub := range []string{"acme", "beta", "acme-2", "incoming/gamma"} {
		require.NoError(t, os.MkdirAll(filepath.Join(legs, sub), 0o750))
		require.NoError(t, os.WriteFile(filepath.Join(legs, sub, "agent.wav"), samplecall.Agent(), 0o600))
	}
	require.NoError(t, os.WriteFile(filepath.Join(legs, "agent.wav"), samplecall.Agent(), 0o600))
	require.NoError(t, os.Symlink("../acme/agent.wav", filepath.Join(legs, "beta", "link.wav")))
	p := serve(t, "--dir", dir, "--rules", rulesFile(t, string(demoRules)), "--region", "GB",
		"--keys", keyFile(t, "acme", "beta", "gamma", "incoming"), "--legs-of", "gamma=incoming/gamma", "--worker-leg-wait", "0s")

	for tenant, uri := range map[string]string{"acme": "acme/agent.wav", "beta": "beta/agent.wav", "gamma": "incoming/gamma/agent.wav"} {
		id, status, body := p.endCall(t, tenant, uri)
		require.Equal(t, http.StatusOK, status, body)
		require.Equal(t, record.StatusCompleted, p.recorded(t, tenant, id).Status, tenant)
	}
	submit := func(tenant, uri, more string) (int, string, callmodel.JobID) {
		var answer struct {
			JobID callmodel.JobID `json:"job_id"`
		}
		status, body := p.as(t, tenant, http.MethodPost, "/v1/recordings", `{"call_id":"c","recording_id":"r-`+strings.NewReplacer("/", "-").Replace(uri)+`",
			"started_at":"2026-03-01T12:00:00Z","outputs":[{"codec":"wav","layout":"mono"}],`+more+`
			"legs":[{"name":"agent","segments":[{"uri":"`+uri+`"}]}]}`, &answer)
		return status, body, answer.JobID
	}
	for _, uri := range []string{"acme/agent.wav", "agent.wav", "acme-2/agent.wav", "beta-2/agent.wav", "beta/../acme/agent.wav", "beta"} {
		_, status, body := p.endCall(t, "beta", uri)
		require.Equal(t, http.StatusUnprocessableEntity, status, uri)
		require.Contains(t, body, "legs[0].segments[0].uri")
		if !strings.Contains(uri, "..") {
			require.Contains(t, body, "is not below beta/")
			require.Contains(t, body, "--legs-of")
		}
		status, body, _ = submit("beta", uri, "")
		require.Equal(t, http.StatusUnprocessableEntity, status, uri)
		require.Contains(t, body, "legs[0].segments[0].uri")
	}
	for _, below := range []string{"acme", "."} {
		status, body, _ := submit("beta", "acme/agent.wav", `"legs_below":"`+below+`",`)
		require.Equal(t, http.StatusUnprocessableEntity, status)
		require.Contains(t, body, "legs_below")
	}
	status, body, _ := submit("incoming", "incoming/gamma/agent.wav", "")
	require.Equal(t, http.StatusForbidden, status, "the directory of that name was given to gamma")
	require.Contains(t, body, "--legs-of incoming=DIR")

	// A link leads to what is another's.
	status, body, id := submit("beta", "beta/link.wav", "")
	require.Equal(t, http.StatusAccepted, status, body)
	var job ledger.Job
	require.Eventually(t, func() bool {
		p.as(t, "beta", http.MethodGet, "/v1/recordings/jobs/"+string(id), "", &job)
		return job.State == ledger.Quarantined
	}, 30*time.Second, 5*time.Millisecond, "%s", p.log)
	require.Contains(t, job.LastError, "escapes")
	status, body, again := submit("beta", "beta/link.wav", "")
	require.Equal(t, http.StatusAccepted, status, body)
	require.Equal(t, id, again, "it is the same recording")

	// One whose legs aren't there, or weren't named, waits for them as ever.
	_, status, body = p.endCall(t, "beta", "beta/nowhere.wav")
	require.Equal(t, http.StatusOK, status, body)
	_, status, body = p.endCall(t, "beta", "")
	require.Equal(t, http.StatusOK, status, body)
	require.Eventually(t, func() bool {
		var page struct{ Jobs []ledger.Job }
		p.as(t, "beta", http.MethodGet, "/v1/recordings/jobs?state=queued", "", &page)
		return len(page.Jobs) == 2 && page.Jobs[0].Reason == record.LegsMissing && page.Jobs[1].Reason == record.LegsMissing
	}, 30*time.Second, 5*time.Millisecond, "%s", p.log)
	p.terminate(t)
}

// One tenant has all legs, as ever; so have several where the operator says so.
func TestOneTenantHasAllLegs(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "legs"), 0o750))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "legs", "agent.wav"), samplecall.Agent(), 0o600))
	p := serve(t, "--dir", dir, "--rules", rulesFile(t, string(demoRules)), "--region", "GB", "--keys", keyFile(t, "acme"))
	id, status, body := p.endCall(t, "acme", "agent.wav")
	require.Equal(t, http.StatusOK, status, body)
	require.Equal(t, record.StatusCompleted, p.recorded(t, "acme", id).Status)
	p.terminate(t)

	p = serve(t, "--dir", dir, "--region", "GB", "--keys", keyFile(t, "acme", "beta"), "--legs-of", "*=.")
	id, status, body = p.endCall(t, "beta", "agent.wav")
	require.Equal(t, http.StatusOK, status, "the operator said that they share them: %s", body)
	require.Equal(t, record.StatusCompleted, p.recorded(t, "beta", id).Status)
	p.terminate(t)
}
