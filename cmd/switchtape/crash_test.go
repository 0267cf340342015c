package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net/http"
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
	"github.com/switchtape/switchtape/storage/calldb"
	"github.com/switchtape/switchtape/storage/storetest/pgtest"
)

const waiting = 200

// backlog makes a directory with 200 ended calls whose recordings wait.
func backlog(t *testing.T, db *calldb.DB, dir string) {
	t.Helper()
	legs := filepath.Join(dir, "legs")
	require.NoError(t, os.MkdirAll(legs, 0o750))
	// Five seconds of each leg, the header left as it was: that of a server
	// which crashed while it wrote.
	const bytes = wavHeader + 5*samplecall.SampleRateHz*2
	require.NoError(t, os.WriteFile(filepath.Join(legs, "agent.wav"), samplecall.Agent()[:bytes], 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(legs, "customer.wav"), samplecall.Customer()[:bytes], 0o600))
	leg := func(name string) record.LegSpec {
		return record.LegSpec{Name: name, Segments: []record.SegmentSpec{{URI: name + ".wav"}}}
	}
	start := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for i := range waiting {
		call := calls.Call{
			ID: callmodel.CallID(fmt.Sprintf("call-%03d", i)), TenantID: "default", State: calls.Answered, Type: calls.TypeVoice,
			AnsweredAt: start, CreatedAt: start, Recording: &calls.RecordingPreference{Enabled: true},
			Decision: &calls.Decision{Destinations: []calls.Destination{{ID: "a"}}},
		}
		_, err := db.CreateCall(t.Context(), calls.NewCall{Call: call, Actor: "test"})
		require.NoError(t, err)
		_, err = db.AppendEvent(t.Context(), "default", call.ID, calls.Event{
			ID: "end", Type: calls.EventEnded, At: start.Add(5 * time.Second), Legs: []record.LegSpec{leg("agent"), leg("customer")},
		}, "test", []record.OutputSpec{{Codec: record.CodecWAV, Layout: record.LayoutStereo}})
		require.NoError(t, err)
	}
}

func openLedger(t *testing.T, at string) *calldb.DB {
	t.Helper()
	db, err := calldb.Open(t.Context(), at, nil)
	require.NoError(t, err)
	t.Cleanup(func() { _ = db.Close() })
	_, err = db.Migrate(t.Context())
	require.NoError(t, err)
	return db
}

func finished(t *testing.T, db *calldb.DB) int64 {
	t.Helper()
	s, err := db.Stats(context.WithoutCancel(t.Context()))
	require.NoError(t, err)
	return s.Done
}

// kill -9 of switchtape serve at any moment while 200 jobs wait: after the
// restart all of them are done, once.
func TestKillMinusNine(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes seconds: not with -short")
	}
	for name, at := range map[string]func(t *testing.T, dir string) string{
		"SQLite": func(t *testing.T, dir string) string {
			t.Helper()
			return calldb.SQLiteURL(filepath.Join(dir, "switchtape.db"))
		},
		"PostgreSQL": func(t *testing.T, _ string) string { t.Helper(); return pgtest.URL(t) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			url := at(t, dir)
			db := openLedger(t, url)
			backlog(t, db, dir)
			args := []string{"--dir", dir, "--db", url, "--worker-lease-ttl", "1s", "--log-level", "error"}
			const kills = 5
			for range kills {
				p := serve(t, args...)
				before := finished(t, db)
				// Somewhere between nothing and a fifth of the backlog further on.
				until := before + rand.Int64N(waiting/kills)
				require.Eventually(t, func() bool { n := finished(t, db); return n >= until || n == waiting }, time.Minute, time.Millisecond, p.log.String())
				p.kill(t)
			}
			p := serve(t, args...)
			require.Eventually(t, func() bool { return finished(t, db) == waiting }, time.Minute, 20*time.Millisecond, "%s", p.log)
			p.terminate(t)
			checkAftermath(t, db, dir)
		})
	}
}

// checkAftermath checks that every call has its one recording, whole.
func checkAftermath(t *testing.T, db *calldb.DB, dir string) {
	t.Helper()
	stats, err := db.Stats(t.Context())
	require.NoError(t, err)
	stats.OldestQueued = 0
	assert.Equal(t, ledger.Stats{Done: waiting, ByKind: map[string]ledger.Counts{record.Kind: {Done: waiting}}}, stats)

	objects, manifests := map[string][]byte{}, 0
	require.NoError(t, filepath.WalkDir(filepath.Join(dir, "recordings"), func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil || d.IsDir():
			return err
		case strings.HasSuffix(path, ".wav"):
			objects[path] = readFile(t, path)
		case strings.HasSuffix(path, ".manifest.json"):
			manifests++
		case strings.HasSuffix(path, ".attrs"), d.Name() == ".lock":
		default:
			t.Errorf("%s was left behind", path)
		}
		return nil
	}))
	assert.Len(t, objects, waiting)
	assert.Equal(t, waiting, manifests)
	var first []byte
	for path, data := range objects {
		if first == nil {
			first = data
		}
		assert.True(t, bytes.Equal(first, data), "%s: the same legs give the same bytes", path)
	}

	events, err := db.OutboxEvents(t.Context(), 0, 1000)
	require.NoError(t, err)
	told := map[string]int{}
	for _, e := range events {
		told[e.Subject]++
	}
	assert.Len(t, events, waiting, "no duplicate event")
	assert.Len(t, told, waiting)
	for i := range waiting {
		call, err := db.Call(t.Context(), "default", callmodel.CallID(fmt.Sprintf("call-%03d", i)))
		require.NoError(t, err)
		require.Len(t, call.Recordings, 1)
		assert.NotEmpty(t, call.Recordings[0].URL)
	}
}

// SIGTERM drains: what runs is finished or given back, nothing stays leased.
func TestTerminateDrains(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes seconds: not with -short")
	}
	dir := t.TempDir()
	url := calldb.SQLiteURL(filepath.Join(dir, "switchtape.db"))
	db := openLedger(t, url)
	backlog(t, db, dir)
	p := serve(t, "--dir", dir)
	require.Eventually(t, func() bool { return finished(t, db) > 10 }, time.Minute, time.Millisecond)
	p.terminate(t)
	stats, err := db.Stats(t.Context())
	require.NoError(t, err)
	assert.Zero(t, stats.Running)
	assert.EqualValues(t, waiting, stats.Done+stats.Queued)
}

// A call goes through the service as a telephone server would take it, over
// HTTP, with probes and metrics looked at.
func TestServeOverHTTP(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	rules := rulesFile(t, string(demoRules))
	p := serve(t, "--dir", dir, "--rules", rules, "--region", "GB", "--emergency", "sip:psap.example")
	require.NoError(t, os.WriteFile(filepath.Join(dir, "legs", "agent.wav"), samplecall.Agent(), 0o600))

	var call calls.Call
	code := request(t, http.MethodPost, p.url+"/v1/calls", `{"from":"020 7946 0123","to":"+12025550143","recording":{"enabled":true}}`, &call)
	require.Equal(t, http.StatusCreated, code)
	for _, ev := range []string{
		`{"id":"1","type":"answered"}`,
		`{"id":"2","type":"ended","legs":[{"name":"agent","segments":[{"uri":"agent.wav"}]}]}`,
	} {
		require.Equal(t, http.StatusOK, request(t, http.MethodPost, p.url+"/v1/calls/"+string(call.ID)+"/events", ev, &call), p.log)
	}
	require.Eventually(t, func() bool {
		call.Recordings = nil
		request(t, http.MethodGet, p.url+"/v1/calls/"+string(call.ID), "", &call)
		return len(call.Recordings) == 1 && call.Recordings[0].State != string(calls.RecordingPending)
	}, 30*time.Second, 5*time.Millisecond)
	assert.Equal(t, record.StatusCompleted, call.Recordings[0].Status)

	// The audio itself, through the API and its signed link.
	resp := get(t, p.url+call.Recordings[0].Link)
	assert.Equal(t, "audio/mpeg", resp.header.Get("Content-Type"), "the default codec")
	assert.Len(t, resp.body, int(call.Recordings[0].Outputs[0].Bytes))

	for path, part := range map[string]string{
		"/healthz": "ok", "/readyz": "database: ok", "/metrics": `switchtape_recording_attempts_total{outcome="done",status="completed"} 1`,
	} {
		resp := get(t, p.url+path)
		assert.Equal(t, http.StatusOK, resp.code)
		assert.Contains(t, string(resp.body), part)
	}
	var emergency calls.Call
	require.Equal(t, http.StatusCreated, request(t, http.MethodPost, p.url+"/v1/calls", `{"to":"112","from":7,"bogus":[]}`, &emergency))
	assert.True(t, emergency.Emergency)

	// Another site's page can't use the machine's own trust.
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.url+"/v1/calls", strings.NewReader(`{}`))
	require.NoError(t, err)
	req.Header.Set("Origin", "https://evil.example")
	req.Header.Set("Sec-Fetch-Site", "cross-site")
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	assert.Equal(t, http.StatusForbidden, res.StatusCode)
	p.terminate(t)
}

type response struct {
	code   int
	header http.Header
	body   []byte
}

func get(t *testing.T, url string) response { t.Helper(); return do(t, http.MethodGet, url, "") }

func do(t *testing.T, method, url, body string) response {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	require.NoError(t, err)
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	var b bytes.Buffer
	_, err = b.ReadFrom(resp.Body)
	require.NoError(t, err)
	return response{resp.StatusCode, resp.Header, b.Bytes()}
}

func request(t *testing.T, method, url, body string, v any) int {
	t.Helper()
	r := do(t, method, url, body)
	if r.code < http.StatusBadRequest {
		require.NoError(t, json.Unmarshal(r.body, v), string(r.body))
	}
	return r.code
}
