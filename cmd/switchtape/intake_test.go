package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/deadletter"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording/broker"
	"github.com/switchtape/switchtape/recording/broker/brokertest"
	"github.com/switchtape/switchtape/recording/recordingtest/samplecall"
	"github.com/switchtape/switchtape/storage/calldb"
)

// asking is a message that asks for a recording of the sample call's first seconds.
func asking(t *testing.T, id string) []byte {
	t.Helper()
	b, err := json.Marshal(record.Spec{
		CallID: callmodel.CallID(id), RecordingID: callmodel.RecordingID(id), StartedAt: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC),
		EndedAt: time.Date(2026, 3, 1, 12, 0, 5, 0, time.UTC),
		Legs:    []record.LegSpec{{Name: "agent", Segments: []record.SegmentSpec{{URI: "agent.wav"}}}},
		Outputs: []record.OutputSpec{{Codec: record.CodecWAV, Layout: record.LayoutMono}},
	})
	require.NoError(t, err)
	return b
}

// Messages of a broker become recordings, and recordings become events, each once, though
// the process is killed again and again.
func TestMessagesThroughKills(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes seconds: not with -short")
	}
	const messages, kills = 120, 4
	dir := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "legs"), 0o750))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "legs", "agent.wav"), samplecall.Agent()[:wavHeader+5*samplecall.SampleRateHz*2], 0o600))
	srv := brokertest.NATS(t)
	jobs := brokertest.NewStream(t, "JOBS", "jobs", srv)
	events := brokertest.NewStream(t, "EVENTS", "events", srv)
	db := openLedger(t, calldb.SQLiteURL(filepath.Join(dir, "switchtape.db")))
	args := []string{
		"--dir", dir, "--worker-lease-ttl", "1s", "--log-level", "warn",
		"--intake", "nats://" + srv.Host() + "?stream=JOBS&ack_wait=1s&tenant=default", "--publish", "nats://" + srv.Host() + "?subject=events",
	}
	p := serve(t, args...)
	rows := func() []ledger.Job {
		all, err := db.Jobs(t.Context(), ledger.Filter{Limit: 1000})
		require.NoError(t, err)
		return all
	}
	for i := range messages {
		jobs.Send(t, "jobs.new", "", asking(t, fmt.Sprintf("m-%03d", i)), nil)
		if (i+1)%(messages/kills) == 0 {
			require.Eventually(t, func() bool { return len(rows()) > i/2 }, time.Minute, time.Millisecond, "%s", p.log)
			p.kill(t)
			p = serve(t, args...)
		}
	}
	require.Eventually(t, func() bool { return finished(t, db) == messages }, time.Minute, 20*time.Millisecond, "%s", p.log)
	require.Len(t, rows(), messages)
	// The place in the outbox is the dead process's for a while.
	require.Eventually(t, func() bool { return len(events.Messages(t)) >= messages }, 2*time.Minute, 50*time.Millisecond, "%s", p.log)
	seen := map[string]bool{}
	for _, m := range events.Messages(t) {
		require.False(t, seen[m.Header.Get(broker.HeaderID)], "the stream knows the ids")
		seen[m.Header.Get(broker.HeaderID)] = true
		require.Equal(t, "events.recording.completed", m.Subject)
	}
	require.Len(t, seen, messages)
	require.Eventually(t, func() bool { return jobs.Unacked(t, "switchtape") == 0 }, time.Minute, 20*time.Millisecond)
	_, metrics := p.as(t, "", http.MethodGet, "/metrics", "", nil)
	assert.Contains(t, metrics, `switchtape_intake_received_total{source="nats://127.0.0.1`)
	assert.Contains(t, metrics, `switchtape_published_events_total{reader="publish"}`)
	p.terminate(t)
}

// Dead letters are looked after on a database and on an API.
func TestDeadLetters(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	srv := brokertest.NATS(t)
	jobs := brokertest.NewStream(t, "JOBS", "jobs", srv)
	at := calldb.SQLiteURL(filepath.Join(dir, "switchtape.db"))
	db := openLedger(t, at)
	p := serve(t, "--dir", dir, "--intake", "nats://"+srv.Host()+"?stream=JOBS&tenants=default,beta")
	header := map[string]string{broker.HeaderTenant: "default"}
	wrong := strings.Replace(string(asking(t, "one")), `"mono"`, `"mone"`, 1)
	jobs.Send(t, "jobs", "", []byte(wrong), header)
	jobs.Send(t, "jobs", "", []byte("no json"), header)
	jobs.Send(t, "jobs", "", asking(t, "nobodys"), nil)
	list := func(args ...string) []deadletter.Letter {
		t.Helper()
		var page deadletter.Page
		runJSON(t, &page, append([]string{"dead-letters", "list"}, args...)...)
		return page.Letters
	}
	require.Eventually(t, func() bool { return len(list("--db", at)) == 3 }, time.Minute, 5*time.Millisecond, "%s", p.log)
	assert.Len(t, list("--api", p.url), 2, "those of nobody are the database's")
	assert.Empty(t, list("--db", at, "--state", "replayed"))
	byReason := map[string]deadletter.ID{}
	for _, l := range list("--db", at) {
		byReason[string(l.TenantID)+string(l.Code)] = l.ID
	}
	bad, malformed, nobodys := string(byReason["defaultinvalid"]), string(byReason["defaultmalformed"]), string(byReason["invalid"])

	code, out, errs := run(t, "dead-letters", "show", "--db", at, bad)
	require.Zero(t, code, errs)
	assert.Contains(t, out, `layout`)
	assert.Contains(t, out, wrong)
	var l deadletter.Letter
	runJSON(t, &l, "dead-letters", "show", "--api", p.url, malformed)
	assert.Equal(t, "no json", l.Text)

	code, _, errs = run(t, "dead-letters", "replay", "--api", p.url, malformed)
	assert.Equal(t, 1, code)
	assert.Contains(t, errs, "malformed JSON")
	code, _, errs = run(t, "dead-letters", "replay", "--db", at, nobodys)
	assert.Equal(t, 2, code)
	assert.Contains(t, errs, "--legs-of")
	code, _, errs = run(t, "dead-letters", "replay", "--db", at, "--legs-of", "*={tenant}", nobodys)
	assert.Equal(t, 1, code)
	assert.Contains(t, errs, "say whose it is")
	code, _, errs = run(t, "dead-letters", "replay", "--db", at, "--legs-of", "*={tenant}", "--tenant", "beta", nobodys)
	assert.Equal(t, 1, code)
	assert.Contains(t, errs, "is not below beta/", "it is confined as any message is")
	for range 2 {
		code, out, errs = run(t, "dead-letters", "replay", "--db", at, "--legs-of", "*=.", "--tenant", "beta", nobodys)
		require.Zero(t, code, errs)
		assert.Contains(t, out, "replayed  j")
	}
	all, err := db.Jobs(t.Context(), ledger.Filter{TenantID: "beta"})
	require.NoError(t, err)
	require.Len(t, all, 1)
	code, _, errs = run(t, "dead-letters", "discard", "--api", p.url, bad)
	require.Zero(t, code, errs)
	code, _, errs = run(t, "dead-letters", "discard", "--db", at, malformed, "d000000000009-00000000")
	assert.Equal(t, 1, code)
	assert.Contains(t, errs, "not found")
	assert.Len(t, list("--db", at, "--state", "discarded"), 2)
	for _, both := range [][]string{{"list"}, {"show", bad}, {"replay", bad}, {"discard", bad}} {
		code, _, errs = run(t, append([]string{"dead-letters"}, append(both, "--db", at, "--api", p.url)...)...)
		assert.Equal(t, 2, code, both)
		assert.Contains(t, errs, "not both", both)
	}
}

// What can't be meant ends the start, before anything is opened.
func TestBrokerFlags(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ flag, url, want string }{
		{"--intake", "nats://h?stream=x", "tenant: is missing"},
		{"--intake", "nats://h?stream=x&tenant=a&tenants=b", "tenants is given, too"},
		{"--intake", "nats://h?tenant=a", "stream: is missing"},
		{"--intake", "rabbit://h?queue=x&tenant=a", "switchtape-worker and switchtape-api have it"},
		{"--intake", "kafka://h?tenant=a", "must be one of nats"},
		{"--intake", "h", "must be like nats://"},
		{"--intake", "nats://ann:secret@h?stream=x&tenant=a", "give --intake @FILE"},
		{"--intake", "nats://token@h?stream=x&tenant=a", "give --intake @FILE"},
		{"--publish", "nats://h", "subject: is missing"},
		{"--publish", "nats://h?subject=x&reader=a/b", "reader must be"},
	} {
		code, _, errs := run(t, "serve", "--dir", t.TempDir(), "--listen", "127.0.0.1:0", c.flag, c.url)
		assert.NotZero(t, code, c.url)
		assert.Contains(t, errs, c.want, c.url)
		assert.NotContains(t, errs, "ann:secret", c.url)
	}
	file := filepath.Join(t.TempDir(), "url")
	require.NoError(t, os.WriteFile(file, []byte("nats://ann:secret@h?stream=x\n"), 0o600))
	code, _, errs := run(t, "serve", "--dir", t.TempDir(), "--listen", "127.0.0.1:0", "--intake", "@"+file)
	assert.Equal(t, 1, code)
	assert.Contains(t, errs, "nats://ann:xxxxx@h?stream=x: tenant: is missing")
	same := []string{"--publish", "nats://h?subject=x", "--publish", "nats://h?subject=y"}
	code, _, errs = run(t, append([]string{"serve", "--dir", t.TempDir(), "--listen", "127.0.0.1:0"}, same...)...)
	assert.Equal(t, 2, code)
	assert.Contains(t, errs, "reader=NAME")
}
