// Package otlp sends spans to a collector by OTLP over HTTP, in batches and from a queue of
// its own: what there is no room or no collector for is let go, and nothing waits for it.
//
//	tracing.Tracer ─▶ OpenTelemetry's SDK: sampler, queue ─▶ exporter ─▶ POST …/v1/traces
package otlp

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/tracing"
	"github.com/switchtape/switchtape/cmd/internal/clock"
)

// Options say whether spans are made, and where they go.
type Options struct {
	TraceEndpoint string  `help:"OpenTelemetry collector that spans are sent to by OTLP over HTTP: http://127.0.0.1:4318, or the whole URL. Default: OTEL_EXPORTER_OTLP_TRACES_ENDPOINT or OTEL_EXPORTER_OTLP_ENDPOINT; without them nothing is traced. Headers are those of OTEL_EXPORTER_OTLP_HEADERS." placeholder:"URL"`
	TraceRatio    float64 `help:"Share of the traces that is kept of those that begin here, 0 to 1; of others whoever began them has decided." default:"1"`
}

// Identity is the process of which the spans are.
type Identity struct {
	Program, Version, Instance string
}

// Tracer makes spans. A nil one is none.
type Tracer struct {
	provider *sdktrace.TracerProvider
	tracer   trace.Tracer
	w3c      propagation.TraceContext
}

var _ tracing.Tracer = (*Tracer)(nil)

// Open makes a tracer; nil if nothing is to be traced. getenv is that of the process. It
// connects to nothing: spans that can't be sent are logged once in a while, and let go.
func (o *Options) Open(who Identity, getenv func(string) string, log *slog.Logger) (*Tracer, error) {
	at, err := o.endpoint(getenv)
	if err != nil || at == "" {
		return nil, err
	}
	if o.TraceRatio < 0 || o.TraceRatio > 1 {
		return nil, callmodel.FieldErrors{{Path: "--trace-ratio", Message: fmt.Sprintf("is %v; give 0 to 1", o.TraceRatio)}}
	}
	headers, err := parseHeaders(getenv("OTEL_EXPORTER_OTLP_HEADERS"))
	if err != nil {
		return nil, err
	}
	e := &exporter{url: at, headers: headers, client: &http.Client{Timeout: sendTimeout}, log: log, now: clock.Now}
	provider := sdktrace.NewTracerProvider(
		sdktrace.WithBatcher(e, sdktrace.WithExportTimeout(sendTimeout), sdktrace.WithMaxQueueSize(queued)),
		sdktrace.WithSampler(sdktrace.ParentBased(sdktrace.TraceIDRatioBased(o.TraceRatio))),
		sdktrace.WithResource(resource.NewSchemaless(
			attribute.String("service.name", who.Program), attribute.String("service.version", who.Version),
			attribute.String("service.instance.id", who.Instance))),
	)
	return &Tracer{provider: provider, tracer: provider.Tracer("github.com/switchtape/switchtape")}, nil
}

const (
	// sendTimeout bounds sending a batch.
	sendTimeout = 10 * time.Second
	// queued is how many spans wait to be sent at most; others are let go.
	queued = 4096
	// closeTimeout is how long a process that ends sends what waits.
	closeTimeout = 2 * time.Second
)

// endpoint is the URL that spans are posted to; "" for none (OpenTelemetry Protocol
// Exporter specification, section "Endpoint URLs for OTLP/HTTP").
func (o *Options) endpoint(getenv func(string) string) (string, error) {
	if at := getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"); at != "" && o.TraceEndpoint == "" {
		return checked("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", at, "")
	}
	if o.TraceEndpoint != "" {
		return checked("--trace-endpoint", o.TraceEndpoint, "/v1/traces")
	}
	if at := getenv("OTEL_EXPORTER_OTLP_ENDPOINT"); at != "" {
		return checked("OTEL_EXPORTER_OTLP_ENDPOINT", at, "/v1/traces")
	}
	return "", nil
}

// checked is the URL, with that path if it has none.
func checked(name, at, path string) (string, error) {
	u, err := url.Parse(at)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return "", callmodel.FieldErrors{{Path: name, Message: "is not a URL like http://127.0.0.1:4318"}}
	}
	if strings.Trim(u.Path, "/") == "" {
		u.Path = path
	}
	return u.String(), nil
}

// parseHeaders reads NAME=VALUE,NAME=VALUE, with values in percent-encoding.
func parseHeaders(text string) (http.Header, error) {
	h := http.Header{}
	if text == "" {
		return h, nil
	}
	for pair := range strings.SplitSeq(text, ",") {
		name, value, ok := strings.Cut(pair, "=")
		value, err := url.PathUnescape(strings.TrimSpace(value))
		if !ok || err != nil || strings.TrimSpace(name) == "" {
			return nil, callmodel.FieldErrors{{Path: "OTEL_EXPORTER_OTLP_HEADERS", Message: "is not NAME=VALUE,NAME=VALUE"}}
		}
		h.Set(strings.TrimSpace(name), value)
	}
	return h, nil
}

// Close sends what waits, for a moment at most. A nil Tracer has nothing to send.
func (t *Tracer) Close() {
	if t == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	_ = t.provider.Shutdown(ctx) // spans that a collector doesn't take are let go
}

// Port is the tracer as the rooms take it: nil if it is.
func (t *Tracer) Port() tracing.Tracer {
	if t == nil {
		return nil
	}
	return t
}

// Start implements tracing.Tracer. A span that is the first of its trace here is a
// server's: of a request, a message or a job.
func (t *Tracer) Start(ctx context.Context, name string) (context.Context, tracing.Span) {
	kind := trace.SpanKindInternal
	if above := trace.SpanContextFromContext(ctx); !above.IsValid() || above.IsRemote() {
		kind = trace.SpanKindServer
	}
	ctx, span := t.tracer.Start(ctx, name, trace.WithSpanKind(kind))
	return ctx, &running{span}
}

// Within implements tracing.Tracer.
func (t *Tracer) Within(ctx context.Context, traceparent string) context.Context {
	return t.w3c.Extract(ctx, propagation.MapCarrier{tracing.Header: traceparent})
}

// Traceparent implements tracing.Tracer.
func (t *Tracer) Traceparent(ctx context.Context) string {
	carrier := propagation.MapCarrier{}
	t.w3c.Inject(ctx, carrier)
	return carrier[tracing.Header]
}

// running is a span that hasn't ended.
type running struct{ span trace.Span }

func (r *running) Name(name string)           { r.span.SetName(name) }
func (r *running) Set(key, value string)      { r.span.SetAttributes(attribute.String(key, value)) }
func (r *running) SetInt(key string, n int64) { r.span.SetAttributes(attribute.Int64(key, n)) }

func (r *running) End(err error) {
	if err != nil {
		text := err.Error()
		if errors.Is(err, context.Canceled) {
			text = "ended before it was done"
		}
		r.span.SetStatus(codes.Error, text[:min(len(text), maxErrorText)])
	}
	r.span.End()
}

// maxErrorText bounds what a span says of its error, in bytes.
const maxErrorText = 1024
