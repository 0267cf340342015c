package main

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	goaudio "github.com/go-audio/audio"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording"
	"github.com/switchtape/switchtape/recording/codec"
	"github.com/switchtape/switchtape/recording/recordingtest"
)

// needBrowser is Debian's Chromium, where Node.js can drive it. NODE_PATH is where the
// packages are: playwright-core and @axe-core/playwright.
func needBrowser(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("a browser takes its time: not with -short")
	}
	browser, err := exec.LookPath("chromium")
	if err == nil {
		_ = os.Getenv("NODE_PATH") // so that Go doesn't take the outcome of another one for this one's
		err = exec.CommandContext(t.Context(), "node", "-e", `require.resolve("playwright-core"); require.resolve("@axe-core/playwright")`).Run()
	}
	if err != nil {
		const what = "chromium, or node with playwright-core and @axe-core/playwright (npm install playwright-core@1.65.1 @axe-core/playwright@4.14.0, and its node_modules in NODE_PATH)"
		require.NotEqual(t, "1", os.Getenv("SWITCHTAPE_REQUIRE_SERVICES"), "there is no %s: %v", what, err)
		t.Skipf("SKIPPED, SWITCHTAPE_REQUIRE_SERVICES=1 makes it a failure: there is no %s: %v", what, err)
	}
	return browser
}

// inBrowser runs a script of testdata/console with what it is given. Pictures of the pages
// are left in SWITCHTAPE_PICTURES, if there is one.
func inBrowser(t *testing.T, script string, given map[string]any) {
	t.Helper()
	given["chromium"], given["pictures"], given["short"] = needBrowser(t), os.Getenv("SWITCHTAPE_PICTURES"), testing.Short()
	raw, err := json.Marshal(given)
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), "node", filepath.Join("testdata", "console", script))
	cmd.Env = append(os.Environ(), "CONSOLE_TEST="+string(raw))
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	t.Logf("%s", out)
}

// consoleKeys are a file of keys of one tenant, which are called as what they grant.
func consoleKeys(t *testing.T, grants ...string) string {
	t.Helper()
	return consoleKeysOf(t, "acme", grants...)
}

func consoleKeysOf(t *testing.T, tenant callmodel.TenantID, grants ...string) string {
	t.Helper()
	var b []byte
	for i, g := range grants {
		b = fmt.Appendf(b, "%x %s %s someone-%d\n", sha256.Sum256([]byte(g)), tenant, g, i)
	}
	path := filepath.Join(t.TempDir(), "keys")
	require.NoError(t, os.WriteFile(path, b, 0o600))
	return path
}

// writeLeg writes a leg.
func writeLeg(t *testing.T, path string, rate int, samples []float32) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o750))
	f, err := os.Create(path)
	require.NoError(t, err)
	e, err := recording.BuiltinCodecs().NewEncoder(record.CodecWAV, f, &goaudio.Format{NumChannels: 1, SampleRate: rate}, codec.Options{Frames: int64(len(samples))})
	require.NoError(t, err)
	require.NoError(t, e.WriteFrames(samples))
	require.NoError(t, e.Finish())
	require.NoError(t, f.Close())
}

// TestConsole is somebody who finds a call, hears each party, sees why it went where it did,
// redacts, shares and holds it, and somebody who may do none of it, in a browser.
func TestConsole(t *testing.T) {
	t.Parallel()
	needBrowser(t)
	const all, deaf, rate, seconds = "operator,compliance", "calls:read", 8000, 20
	dir := t.TempDir()
	p := serve(t, "--dir", dir, "--keys", consoleKeys(t, all, deaf), "--rules", "demo-rules.yaml", "--share-url", "http://share.invalid", "--access-log")
	tones := []float64{437.5, 1062.5}
	for i, name := range []string{"agent.wav", "customer.wav"} {
		writeLeg(t, filepath.Join(dir, "legs", name), rate, recordingtest.Sine(seconds*rate, rate, tones[i], 0.25, 0))
	}
	made := func(from string) string {
		var call calls.Call
		status, body := p.as(t, all, http.MethodPost, "/v1/calls", `{"from":"`+from+`","to":"+12025550143","host":"pbx-1","metadata":{"queue":"<b>sales</b>"},"recording":{"enabled":true}}`, &call)
		require.Equal(t, http.StatusCreated, status, body)
		return string(call.ID)
	}
	made("+442079460101")
	made("+442079460102")
	const number = "+442079460103"
	id := made(number)
	for _, ev := range []string{`{"id":"1","type":"answered"}`, `{"id":"2","type":"ended","legs":[{"name":"agent","segments":[{"uri":"agent.wav"}]},{"name":"customer","segments":[{"uri":"customer.wav"}]}]}`} {
		status, body := p.as(t, all, http.MethodPost, "/v1/calls/"+id+"/events", ev, nil)
		require.Equal(t, http.StatusOK, status, body)
	}
	entry := p.recorded(t, all, callmodel.CallID(id))
	inBrowser(t, "call.cjs", map[string]any{
		"url": p.url, "key": all, "deaf": deaf, "number": number, "call": "/calls/" + id, "job": string(entry.JobID), "tones": tones,
		"range": map[string]float64{"from": 5, "to": 9}, "seconds": seconds,
	})
	log := p.log.String()
	assert.Regexp(t, `"route":"/calls/\{call\}","status":200,.*"tenant":"acme","principal":"someone-0","call":"`+regexp.QuoteMeta(id)+`"`, log, "pages are in the access log")
	assert.NotContains(t, log, number[1:], "and no numbers")
	p.terminate(t)
}

// TestConsoleSeeks: after a seek what sounds is within 50 ms of what the waveform shows, or
// within a frame of the MP3 where that is longer: 576 samples (ISO 13818-3, 2.4.2.3) are
// 72 ms at 8 kHz. SWITCHTAPE_LONG_TESTS has a recording of an hour at each rate, else there
// are ten minutes at 8 kHz.
func TestConsoleSeeks(t *testing.T) { //nolint:tparallel // each rate measures
	t.Parallel()
	needBrowser(t)
	rates, minutes := []int{8000}, 10
	const tries = 12
	if os.Getenv("SWITCHTAPE_LONG_TESTS") == "1" {
		rates, minutes = []int{8000, 16000, 24000}, 60
	}
	for _, rate := range rates {
		t.Run(fmt.Sprint(rate), func(t *testing.T) {
			const key, every = "operator", 10
			dir := t.TempDir()
			p := serve(t, "--dir", dir, "--keys", consoleKeys(t, key), "--rules", "demo-rules.yaml")
			samples := make([]float32, minutes*60*rate)
			var clicks, seeks []float64
			for at := every / 2 * rate; at < len(samples); at += every * rate {
				copy(samples[at:], recordingtest.Sine(rate/250, rate, 1000, 0.9, 0)) // 4 ms
				clicks = append(clicks, float64(at)/float64(rate))
			}
			for i := range tries { // there and back again
				at := (i * 7 % tries) * (len(clicks) - 1) / (tries - 1)
				seeks = append(seeks, clicks[at])
			}
			for _, name := range []string{"agent.wav", "customer.wav"} {
				writeLeg(t, filepath.Join(dir, "legs", name), rate, samples)
			}
			var call calls.Call
			status, body := p.as(t, key, http.MethodPost, "/v1/calls", `{"from":"+442079460103","to":"+12025550143","recording":{"enabled":true,
				"outputs":[{"codec":"mp3","layout":"stereo"},{"codec":"wav","layout":"stereo"},{"codec":"peaks-dat","layout":"stereo"}]}}`, &call)
			require.Equal(t, http.StatusCreated, status, body)
			for _, ev := range []string{`{"id":"1","type":"answered"}`, `{"id":"2","type":"ended","legs":[{"name":"agent","segments":[{"uri":"agent.wav"}]},{"name":"customer","segments":[{"uri":"customer.wav"}]}]}`} {
				status, body := p.as(t, key, http.MethodPost, "/v1/calls/"+string(call.ID)+"/events", ev, nil)
				require.Equal(t, http.StatusOK, status, body)
			}
			made := p.recorded(t, key, call.ID)
			within := max(50, 576*1000/rate)
			inBrowser(t, "clicks.cjs", map[string]any{"url": p.url, "key": key, "call": "/calls/" + string(call.ID), "job": string(made.JobID), "clicks": clicks, "seeks": seeks, "within": within})
			p.terminate(t)
		})
	}
}
