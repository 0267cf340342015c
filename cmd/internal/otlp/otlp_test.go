package otlp_test

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/switchtape/switchtape/callmodel/tracing"
	"github.com/switchtape/switchtape/cmd/internal/otlp"
)

func noEnv(string) string { return "" }

// TestSpansArrive: a collector that knows nothing of Switchtape reads what is sent to it.
func TestSpansArrive(t *testing.T) {
	t.Parallel()
	got := make(chan *http.Request, 1)
	bodies := make(chan []byte, 1)
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body) // a broken one isn't decoded
		got <- r
		bodies <- body
	}))
	defer collector.Close()
	env := map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": collector.URL, "OTEL_EXPORTER_OTLP_HEADERS": "Authorization=Bearer%20x, A=b"}
	o := otlp.Options{TraceRatio: 1}
	tracer, err := o.Open(otlp.Identity{Program: "switchtape-api", Version: "1.2.3", Instance: "api-1"}, func(k string) string { return env[k] }, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	const parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	ctx := tracer.Within(t.Context(), parent)
	ctx, request := tracing.Start(ctx, tracer.Port(), "POST")
	inner := tracer.Traceparent(ctx)
	_, part := tracing.Start(ctx, tracer.Port(), "decide")
	part.Set("switchtape.source", "rules\xff")
	part.SetInt("n", -7)
	part.End(errors.New("no route"))
	request.Name("POST /v1/calls")
	request.End(nil)
	tracer.Close()

	r := <-got
	assert.Equal(t, "/v1/traces", r.URL.Path)
	assert.Equal(t, "application/x-protobuf", r.Header.Get("Content-Type"))
	assert.Equal(t, "Bearer x", r.Header.Get("Authorization"))
	assert.Equal(t, "b", r.Header.Get("A"))
	var data tracepb.TracesData
	require.NoError(t, proto.UnmarshalOptions{DiscardUnknown: false}.Unmarshal(<-bodies, &data))
	require.Len(t, data.GetResourceSpans(), 1)
	of := map[string]string{}
	for _, kv := range data.GetResourceSpans()[0].GetResource().GetAttributes() {
		of[kv.GetKey()] = kv.GetValue().GetStringValue()
	}
	assert.Equal(t, map[string]string{"service.name": "switchtape-api", "service.version": "1.2.3", "service.instance.id": "api-1"}, of)
	spans := data.GetResourceSpans()[0].GetScopeSpans()[0].GetSpans()
	require.Len(t, spans, 2)
	decide, post := spans[0], spans[1]
	assert.Equal(t, "decide", decide.GetName())
	assert.Equal(t, "POST /v1/calls", post.GetName())
	assert.Equal(t, tracepb.Span_SPAN_KIND_SERVER, post.GetKind())
	assert.Equal(t, tracepb.Span_SPAN_KIND_INTERNAL, decide.GetKind())
	assert.Equal(t, decide.GetParentSpanId(), post.GetSpanId())
	assert.Equal(t, decide.GetTraceId(), post.GetTraceId())
	assert.Contains(t, inner, "-4bf92f3577b34da6a3ce929d0e0e4736-")
	assert.Equal(t, tracepb.Status_STATUS_CODE_ERROR, decide.GetStatus().GetCode())
	assert.Equal(t, "no route", decide.GetStatus().GetMessage())
	assert.Equal(t, tracepb.Status_STATUS_CODE_UNSET, post.GetStatus().GetCode())
	assert.Equal(t, "rules\uFFFD", decide.GetAttributes()[0].GetValue().GetStringValue())
	assert.Equal(t, int64(-7), decide.GetAttributes()[1].GetValue().GetIntValue())
	assert.GreaterOrEqual(t, post.GetEndTimeUnixNano(), post.GetStartTimeUnixNano())
	assert.WithinDuration(t, time.Now(), time.Unix(0, int64(post.GetStartTimeUnixNano())), time.Minute)
}

// TestNobodyWaitsForACollector: one that hangs holds up neither spans nor the end, and that
// spans are let go is logged.
func TestNobodyWaitsForACollector(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	hangs := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	defer hangs.Close()
	defer close(release)
	refuses := httptest.NewServer(http.NotFoundHandler())
	defer refuses.Close()
	for name, at := range map[string]string{"hangs": hangs.URL, "refuses": refuses.URL, "isn't there": "http://127.0.0.1:1"} {
		var log bytes.Buffer
		o := otlp.Options{TraceEndpoint: at, TraceRatio: 1}
		tracer, err := o.Open(otlp.Identity{}, noEnv, slog.New(slog.NewTextHandler(&log, nil)))
		require.NoError(t, err)
		began := time.Now()
		for range 20_000 {
			_, span := tracer.Start(t.Context(), "x")
			span.End(nil)
		}
		assert.Less(t, time.Since(began), 2*time.Second, name)
		began = time.Now()
		tracer.Close()
		assert.Less(t, time.Since(began), 5*time.Second, name)
		if name != "hangs" {
			assert.Equal(t, 1, bytes.Count(log.Bytes(), []byte("spans can't be sent")), name)
		}
	}
}

// TestRatio: of traces that begin here a share is kept, and of others what their parents say.
func TestRatio(t *testing.T) {
	t.Parallel()
	o := otlp.Options{TraceEndpoint: "http://127.0.0.1:1", TraceRatio: 0}
	tracer, err := o.Open(otlp.Identity{}, noEnv, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	defer tracer.Close()
	kept := func(parent string) bool {
		ctx, span := tracer.Start(tracer.Within(t.Context(), parent), "x")
		defer span.End(nil)
		return tracer.Traceparent(ctx)[53:] == "01"
	}
	assert.False(t, kept(""))
	assert.True(t, kept("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"))
	assert.False(t, kept("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"))
	assert.False(t, kept("nonsense"))
}

// TestOptions: nothing is traced unless somebody asks for it, and what can't be meant is
// refused by its name.
func TestOptions(t *testing.T) {
	t.Parallel()
	open := func(o otlp.Options, env map[string]string) (*otlp.Tracer, error) {
		return o.Open(otlp.Identity{}, func(k string) string { return env[k] }, slog.New(slog.DiscardHandler))
	}
	none, err := open(otlp.Options{TraceRatio: 1}, nil)
	require.NoError(t, err)
	assert.Nil(t, none)
	assert.Nil(t, none.Port())
	none.Close()
	for want, c := range map[string]struct {
		o   otlp.Options
		env map[string]string
	}{
		"--trace-endpoint":                   {otlp.Options{TraceEndpoint: "collector:4318"}, nil},
		"--trace-ratio":                      {otlp.Options{TraceEndpoint: "http://c", TraceRatio: 2}, nil},
		"OTEL_EXPORTER_OTLP_ENDPOINT":        {otlp.Options{}, map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "ftp://c"}},
		"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": {otlp.Options{}, map[string]string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "c"}},
		"OTEL_EXPORTER_OTLP_HEADERS":         {otlp.Options{TraceEndpoint: "http://c"}, map[string]string{"OTEL_EXPORTER_OTLP_HEADERS": "x"}},
	} {
		_, err := open(c.o, c.env)
		require.ErrorContains(t, err, want)
	}
}
