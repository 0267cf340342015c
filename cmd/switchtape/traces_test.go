package main

import (
	"encoding/hex"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/callmodel/tracing"
	"github.com/switchtape/switchtape/recording/broker/brokertest"
	"github.com/switchtape/switchtape/recording/recordingtest/samplecall"
	"github.com/switchtape/switchtape/storage/calldb"
)

// collector is an OpenTelemetry collector that keeps what it gets.
type collector struct {
	*httptest.Server

	mu    sync.Mutex
	spans []*tracepb.Span
}

func newCollector(t *testing.T) *collector {
	t.Helper()
	c := &collector{}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var data tracepb.TracesData
		b, err := io.ReadAll(r.Body)
		if err == nil {
			err = proto.Unmarshal(b, &data)
		}
		if err != nil || r.URL.Path != "/v1/traces" {
			http.Error(w, "no spans", http.StatusBadRequest)
			return
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		for _, resource := range data.GetResourceSpans() {
			for _, scope := range resource.GetScopeSpans() {
				c.spans = append(c.spans, scope.GetSpans()...)
			}
		}
	}))
	t.Cleanup(c.Close)
	return c
}

// of are the spans of a trace by their names.
func (c *collector) of(trace string) map[string]*tracepb.Span {
	c.mu.Lock()
	defer c.mu.Unlock()
	found := map[string]*tracepb.Span{}
	for _, s := range c.spans {
		if hex.EncodeToString(s.GetTraceId()) == trace {
			found[s.GetName()] = s
		}
	}
	return found
}

func attribute(s *tracepb.Span, key string) string {
	for _, kv := range s.GetAttributes() {
		if kv.GetKey() == key {
			return kv.GetValue().GetStringValue()
		}
	}
	return ""
}

// TestOneTraceFromCallToURL: what is done for a call whose telephone server traces is in one
// trace, from the request over the job to the recording's URL, and so is what is done for a
// message. The lines of the log have its id.
func TestOneTraceFromCallToURL(t *testing.T) {
	t.Parallel()
	dir, c := t.TempDir(), newCollector(t)
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "legs"), 0o750))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "legs", "agent.wav"), samplecall.Agent(), 0o600))
	srv := brokertest.NATS(t)
	jobs := brokertest.NewStream(t, "JOBS", "jobs", srv)
	published := brokertest.NewStream(t, "EVENTS", "events", srv)
	receiver := newTold(t)
	p := serve(t, "--dir", dir, "--rules", rulesFile(t, string(demoRules)), "--region", "GB", "--trace-endpoint", c.URL, "--access-log",
		"--intake", "nats://"+srv.Host()+"?stream=JOBS&tenant=default", "--publish", "nats://"+srv.Host()+"?subject=events",
		"--webhook-allow", "127.0.0.1")
	const byCall, byMessage = "4bf92f3577b34da6a3ce929d0e0e4736", "0af7651916cd43dd8448eb211c80319c"
	const header, message = "00-" + byCall + "-00f067aa0ba902b7-01", "00-" + byMessage + "-b7ad6b7169203331-01"
	ask := func(path, body string) (answer []byte) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.url+path, strings.NewReader(body))
		require.NoError(t, err)
		r.Header.Set(tracing.Header, header)
		resp, err := http.DefaultClient.Do(r)
		require.NoError(t, err)
		defer func() { _ = resp.Body.Close() }()
		answer, err = io.ReadAll(resp.Body)
		require.NoError(t, err)
		require.Less(t, resp.StatusCode, 300, "%s", answer)
		return answer
	}
	var call calls.Call
	require.NoError(t, json.Unmarshal(ask("/v1/calls", `{"from":"+442079460123","to":"+12025550143","recording":{"enabled":true}}`), &call))
	ask("/v1/webhooks", `{"url":"`+receiver.URL+`","events":["recording.completed","call.ended"]}`)
	events := "/v1/calls/" + string(call.ID) + "/events"
	ask(events, `{"id":"1","type":"answered"}`)
	ask(events, `{"id":"2","type":"ended","legs":[{"name":"agent","segments":[{"uri":"agent.wav"}]}]}`)
	jobs.Send(t, "jobs", "", asking(t, "m-1"), map[string]string{tracing.Header: message})
	url := p.recorded(t, "", call.ID).URL
	db := openLedger(t, calldb.SQLiteURL(filepath.Join(dir, "switchtape.db")))
	require.Eventually(t, func() bool { return finished(t, db) == 2 }, time.Minute, 5*time.Millisecond, "%s", p.log)
	receiver.await(t, 3)
	require.Eventually(t, func() bool { return len(published.Messages(t)) >= 3 }, time.Minute, 5*time.Millisecond, "%s", p.log)
	p.terminate(t)

	made := []string{"commit", "deliver webhook", "job record", "open legs", "publish event", "render", "scan legs", "upload", "write manifest"}
	spans := c.of(byCall)
	assert.Equal(t, slices.Sorted(slices.Values(append([]string{"POST /v1/calls", "POST /v1/calls/{id}/events", "POST /v1/webhooks", "decide", "store call", "store event"}, made...))),
		slices.Sorted(maps.Keys(spans)))
	assert.Equal(t, spans["POST /v1/calls"].GetSpanId(), spans["decide"].GetParentSpanId())
	assert.Equal(t, spans["POST /v1/calls/{id}/events"].GetSpanId(), spans["job record"].GetParentSpanId())
	assert.Equal(t, spans["job record"].GetSpanId(), spans["render"].GetParentSpanId())
	assert.Equal(t, "00f067aa0ba902b7", hex.EncodeToString(spans["POST /v1/calls"].GetParentSpanId()))
	assert.NotEmpty(t, url)
	assert.Equal(t, url, attribute(spans["job record"], "switchtape.url"))
	assert.Equal(t, string(call.ID), attribute(spans["job record"], "switchtape.call"))
	assert.Equal(t, string(call.ID), attribute(spans["POST /v1/calls"], "switchtape.call"))
	spans = c.of(byMessage)
	assert.Equal(t, slices.Sorted(slices.Values(append([]string{"take message"}, made...))), slices.Sorted(maps.Keys(spans)))
	assert.Equal(t, spans["take message"].GetSpanId(), spans["job record"].GetParentSpanId())

	traces := map[string]int{}
	for _, h := range receiver.heads { // each told in the trace of what it tells of
		traces[h.Get(tracing.Header)[3:35]]++
	}
	for _, m := range published.Messages(t) {
		traces[m.Header.Get(tracing.Header)[3:35]]++
	}
	assert.Len(t, traces, 2)
	assert.GreaterOrEqual(t, traces[byCall], 4)
	assert.GreaterOrEqual(t, traces[byMessage], 2)

	for _, of := range []string{`"msg":"request"`, `"msg":"recording finished"`} {
		found := false
		for line := range strings.Lines(p.log.String()) {
			found = found || strings.Contains(line, of) && strings.Contains(line, `"trace_id":"`+byCall+`"`)
		}
		assert.True(t, found, "a line of the trace: %s", of)
	}
	for _, s := range c.spans {
		for what, form := range secrets() {
			assert.NotRegexp(t, form, s.String(), what)
		}
	}
}
