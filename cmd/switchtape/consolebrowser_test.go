package main

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
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
	p := serve(t, "--dir", dir, "--keys", consoleKeys(t, key), "--rules", "demo-rules.yaml", "--worker-leg-wait", "0s")
	var ids []callmodel.CallID
	var mendable [][][2]string
	for i, host := range []string{"pbx-1", "pbx-2", "pbx-2", "pbx-3"} {
		at := fmt.Sprintf("call-%d", i)
		var files [][2]string
		for _, name := range names {
			files = append(files, [2]string{filepath.Join(legs, at, name), filepath.Join(good, name)})
		}
		require.NoError(t, os.MkdirAll(filepath.Join(legs, at), 0o750))
		for _, f := range files {
			require.NoError(t, os.WriteFile(f[0], []byte(strings.Repeat("no audio, ", 1000)), 0o600))
		}
		mendable = append(mendable, files)
		ids = append(ids, p.called(t, key, host, legsOf(at)...))
	}
	jobs := make([]callmodel.JobID, len(ids))
	require.Eventually(t, func() bool {
		var list struct{ Jobs []ledger.Job }
		p.as(t, key, http.MethodGet, "/v1/jobs?state=quarantined", "", &list)
		for i := range list.Jobs {
			jobs[slices.Index(ids, list.Jobs[i].CallID)] = list.Jobs[i].ID
		}
		return len(list.Jobs) == len(ids)
	}, 30*time.Second, 20*time.Millisecond, "%s", p.log)
	var waits struct { // of a kind that no worker here does
		ID callmodel.JobID `json:"job_id"`
	}
	status, body := p.as(t, key, http.MethodPost, "/v1/jobs",
		`{"kind":"command","key":"c-1","queue":"pbx-4","call_id":"`+string(ids[0])+`","payload":{"command":"transcribe","recording":{"call_id":"`+string(ids[0])+`"}}}`, &waits)
	require.Equal(t, http.StatusAccepted, status, body)
	keepLetter(t, dir)
	inBrowser(t, "jobs.cjs", map[string]any{"url": p.url, "key": key, "calls": ids, "jobs": jobs, "waits": waits.ID, "legs": mendable, "tones": tones, "seconds": seconds})
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

// TestConsoleRulesInABrowser: rules are edited, refused while they are typed, tested,
// compared with the day's calls, put in service, tried, promoted and taken back; calls go
// where the pages say.
func TestConsoleRulesInABrowser(t *testing.T) {
	t.Parallel()
	needBrowser(t)
	const key = "operator"
	p := serve(t, "--dir", t.TempDir(), "--keys", consoleKeys(t, key))
	inBrowser(t, "rules.cjs", map[string]any{"url": p.url, "key": key})
	p.terminate(t)
}

// TestConsoleFleetInABrowser: of three servers one lost a leg and one has neither legs nor
// sound, and the page tells which, why, and what the service needs.
func TestConsoleFleetInABrowser(t *testing.T) {
	t.Parallel()
	needBrowser(t)
	const key, rate, seconds = "operator", 8000, 2
	dir := t.TempDir()
	rules := "name: one\ndestinations:\n  berlin: {uri: \"sip:berlin.example\", limits: {concurrent: 7}}\nrules:\n  - {id: all, default: true, route: [[{to: berlin}]]}\n"
	p := serve(t, "--dir", dir, "--keys", consoleKeysOf(t, service.DefaultTenant, key), "--rules", rulesFile(t, rules), "--worker-leg-wait", "0s", "--worker-follow-growing", "0s")
	var ids []callmodel.CallID
	for i, of := range []struct {
		host string
		legs []string
	}{
		{"pbx-1", []string{"agent", "customer"}},
		{"pbx-1", []string{"agent", "customer"}},
		{"pbx-2", []string{"agent", "customer"}},
		{"pbx-2", []string{"agent"}},
		{"pbx-3", nil},
		{"pbx-3", []string{"garbage"}},
	} {
		at := fmt.Sprintf("call-%d", i)
		for k, name := range of.legs {
			path := filepath.Join(dir, "legs", at, name+".wav")
			if name != "garbage" {
				writeLeg(t, path, rate, recordingtest.Sine(seconds*rate, rate, 437.5*float64(k+1), 0.25, 0))
				continue
			}
			require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o750))
			for _, leg := range []string{"agent", "customer"} {
				require.NoError(t, os.WriteFile(filepath.Join(filepath.Dir(path), leg+".wav"), []byte(strings.Repeat("no audio, ", 1000)), 0o600))
			}
		}
		ids = append(ids, p.called(t, key, of.host, legsOf(at)...))
	}
	for _, id := range ids {
		p.recorded(t, key, id)
	}
	require.Eventually(t, func() bool { // they are counted a little later
		var counted struct {
			Total struct{ Calls, Waiting int64 }
		}
		status, body := p.as(t, key, http.MethodGet, "/v1/promise", "", &counted)
		require.Equal(t, http.StatusOK, status, body)
		return counted.Total.Calls == int64(len(ids)) && counted.Total.Waiting == 0
	}, 30*time.Second, 50*time.Millisecond, "%s", p.log)
	inBrowser(t, "fleet.cjs", map[string]any{"url": p.url, "key": key})
	p.terminate(t)
}

// TestConsolePages: every page of the demonstration's day is read by axe in light, dark and
// on a phone, gone through by the keyboard, and light to load.
func TestConsolePages(t *testing.T) {
	t.Parallel()
	needBrowser(t)
	dir := filepath.Join(t.TempDir(), "demo")
	var day demoOutput
	runJSON(t, &day, "demo", "--dir", dir)
	called := func(fate string) string {
		for _, e := range day.Day {
			if e.Fate == fate {
				return "/calls/" + string(e.CallID)
			}
		}
		require.Fail(t, "the day has no such call", fate)
		return ""
	}
	const all, deaf = "operator,compliance", "calls:read"
	p := serve(t, "--dir", dir, "--keys", consoleKeysOf(t, service.DefaultTenant, all, deaf), "--rules", "demo-rules.yaml", "--region", "GB")
	var absent struct{ Jobs []ledger.Job }
	status, body := p.as(t, all, http.MethodGet, "/v1/jobs?status=absent", "", &absent)
	require.Equal(t, http.StatusOK, status, body)
	require.NotEmpty(t, absent.Jobs)
	inBrowser(t, "pages.cjs", map[string]any{
		"url": p.url, "key": all, "deaf": deaf, "recorded": called("in stereo"), "absent": "/jobs/" + string(absent.Jobs[0].ID),
		"calls": map[string]string{
			"emergency": called("an emergency"), "degraded": called("a leg with a gap, one cut short"), "absent": called("its legs never came"),
			"paused": called("paused while a card is read out"), "quarantined": called("a leg that is no sound"), "busy": called("busy"),
			"failed-over": called("the first trunk was down"), "redacted": called("redacted afterwards"), "held": called("under a legal hold"), "goes-on": called("goes on"),
		},
	})
	p.terminate(t)
}
