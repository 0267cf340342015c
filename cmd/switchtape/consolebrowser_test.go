package main

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/callmodel/deadletter"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/cmd/internal/service"
	"github.com/switchtape/switchtape/recording/recordingtest"
)

// legsOf are the events of a call that leaves two legs in a directory of its own.
func legsOf(dir string) []string {
	return []string{
		`{"id":"1","type":"answered"}`,
		fmt.Sprintf(`{"id":"2","type":"ended","legs":[{"name":"agent","segments":[{"uri":"%[1]s/agent.wav"}]},{"name":"customer","segments":[{"uri":"%[1]s/customer.wav"}]}]}`, dir),
	}
}

// called makes a call of the host, and tells what happens to it.
func (p *process) called(t *testing.T, key, host string, events ...string) callmodel.CallID {
	t.Helper()
	var call calls.Call
	status, body := p.as(t, key, http.MethodPost, "/v1/calls", `{"from":"+442079460103","to":"+12025550143","host":"`+host+`","recording":{"enabled":true}}`, &call)
	require.Equal(t, http.StatusCreated, status, body)
	for _, ev := range events {
		status, body := p.as(t, key, http.MethodPost, "/v1/calls/"+string(call.ID)+"/events", ev, nil)
		require.Equal(t, http.StatusOK, status, body)
	}
	return call.ID
}

// TestConsoleJobsInABrowser: somebody finds the recordings that were set aside, reads why,
// mends the legs, puts the jobs back and hears what becomes of them; sets one aside, moves a
// queue, and lets a message go that was no job.
func TestConsoleJobsInABrowser(t *testing.T) {
	t.Parallel()
	needBrowser(t)
	const key, rate, seconds = "operator,compliance", 8000, 4
	dir := t.TempDir()
	legs, good := filepath.Join(dir, "legs"), filepath.Join(dir, "good")
	tones := []float64{437.5, 1062.5}
	names := []string{"agent.wav", "customer.wav"}
	for i, name := range names {
		writeLeg(t, filepath.Join(good, name), rate, recordingtest.Sine(seconds*rate, rate, tones[i], 0.25, 0))
	}
	p := serve(t, "--dir", dir, "--keys", consoleKeys(t, key), "--rules", "demo-rules.yaml")
	var ids []callmodel.CallID
	var mendable [][][2]string
	for i, host := range []string{"pbx-1", "pbx-2", "pbx-2", "pbx-3", "pbx-4"} {
		at := fmt.Sprintf("call-%d", i)
		var files [][2]string
		for _, name := range names {
			files = append(files, [2]string{filepath.Join(legs, at, name), filepath.Join(good, name)})
		}
		if host != "pbx-4" { // whose legs don't come
			require.NoError(t, os.MkdirAll(filepath.Join(legs, at), 0o750))
			for _, f := range files {
				require.NoError(t, os.WriteFile(f[0], []byte(strings.Repeat("no audio, ", 1000)), 0o600))
			}
		}
		mendable = append(mendable, files)
		ids = append(ids, p.called(t, key, host, legsOf(at)...))
	}
	jobs := make([]callmodel.JobID, len(ids))
	require.Eventually(t, func() bool {
		var list struct{ Jobs []ledger.Job }
		p.as(t, key, http.MethodGet, "/v1/jobs", "", &list)
		aside := 0
		for i := range list.Jobs {
			for k, id := range ids {
				if list.Jobs[i].CallID == id {
					jobs[k] = list.Jobs[i].ID
				}
			}
			if list.Jobs[i].State == ledger.Quarantined {
				aside++
			}
		}
		return len(list.Jobs) == len(ids) && aside == len(ids)-1
	}, 30*time.Second, 20*time.Millisecond, "%s", p.log)
	keepLetter(t, dir)
	inBrowser(t, "jobs.cjs", map[string]any{"url": p.url, "key": key, "calls": ids, "jobs": jobs, "legs": mendable, "tones": tones})
	p.terminate(t)
}

// keepLetter leaves a message in the service's database that a broker has delivered and that
// could not be taken.
func keepLetter(t *testing.T, dir string) {
	t.Helper()
	db, err := service.OpenDB(t.Context(), service.DBOptions{DB: service.SQLiteURL(dir)}, false)
	require.NoError(t, err)
	body := []byte(`{"legs":[{"name":"agent","segments":[{"uri":"agent.wav"}]}]}`)
	_, _, err = db.KeepLetter(t.Context(), deadletter.New{
		TenantID: "acme", Source: "nats://broker.example/recordings", Fingerprint: deadletter.Fingerprint("m-1", body), MessageID: "m-1",
		Kind: "record", Code: callmodel.CodeInvalid, Reason: "the message m-1 has no call: name it as call_id", Body: body,
	})
	require.NoError(t, err)
	require.NoError(t, db.Close())
}
