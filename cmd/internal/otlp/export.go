package otlp

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/protobuf/encoding/protowire"
)

// exporter posts batches of spans. OpenTelemetry's own brings gRPC; the few messages that
// are needed are written here.
type exporter struct {
	url     string
	headers http.Header
	client  *http.Client
	log     *slog.Logger
	now     func() time.Time

	mu   sync.Mutex
	told time.Time // when it was last logged that spans are let go; zero: never, or they are taken again
}

// tellEvery is how often it is logged that spans are let go.
const tellEvery = time.Minute

// ExportSpans implements sdktrace.SpanExporter.
func (e *exporter) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	if len(spans) == 0 {
		return nil
	}
	err := e.post(ctx, encode(spans))
	e.mu.Lock()
	defer e.mu.Unlock()
	switch now := e.now(); {
	case err == nil:
		e.told = time.Time{}
	case now.Sub(e.told) >= tellEvery:
		e.told = now
		e.log.WarnContext(ctx, "spans can't be sent to the collector, and are let go", "spans", len(spans), "error", err)
	}
	return nil // it was told, and the SDK would do it in its own way
}

// Shutdown implements sdktrace.SpanExporter.
func (e *exporter) Shutdown(context.Context) error {
	e.client.CloseIdleConnections()
	return nil
}

func (e *exporter) post(ctx context.Context, body []byte) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, e.url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	maps.Copy(r.Header, e.headers)
	r.Header.Set("Content-Type", "application/x-protobuf")
	resp, err := e.client.Do(r)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }() // what it says more is of no use
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10))
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("the collector answers %s", resp.Status)
	}
	return nil
}

// encode is an ExportTraceServiceRequest (opentelemetry-proto 1.x,
// collector/trace/v1/trace_service.proto, trace/v1/trace.proto). All spans are of one
// resource and one scope.
func encode(spans []sdktrace.ReadOnlySpan) []byte {
	scope := message(nil, 1, func(b []byte) []byte { return text(b, 1, spans[0].InstrumentationScope().Name) })
	for _, s := range spans {
		scope = message(scope, 2, func(b []byte) []byte { return span(b, s) })
	}
	return message(nil, 1, func(b []byte) []byte {
		b = message(b, 1, func(b []byte) []byte { return attributes(b, 1, spans[0].Resource().Attributes()) })
		return message(b, 2, func(b []byte) []byte { return append(b, scope...) })
	})
}

// span appends a Span's fields.
func span(b []byte, s sdktrace.ReadOnlySpan) []byte {
	of, parent := s.SpanContext(), s.Parent()
	id, own := of.TraceID(), of.SpanID()
	b = raw(b, 1, id[:])
	b = raw(b, 2, own[:])
	if parent.SpanID().IsValid() {
		above := parent.SpanID()
		b = raw(b, 4, above[:])
	}
	b = text(b, 5, s.Name())
	b = number(b, 6, kind(s.SpanKind()))
	b = fixed(b, 7, s.StartTime())
	b = fixed(b, 8, s.EndTime())
	b = attributes(b, 9, s.Attributes())
	if status := s.Status(); status.Code == codes.Error {
		b = message(b, 15, func(b []byte) []byte { return number(text(b, 2, status.Description), 3, statusError) })
	}
	return b
}

// statusError is Status.STATUS_CODE_ERROR.
const statusError = 2

// kind is the SpanKind's number, which is one more than that of none in the SDK's order.
func kind(k trace.SpanKind) uint64 {
	switch k {
	case trace.SpanKindServer:
		return 2
	case trace.SpanKindClient:
		return 3
	case trace.SpanKindProducer:
		return 4
	case trace.SpanKindConsumer:
		return 5
	case trace.SpanKindUnspecified, trace.SpanKindInternal:
	}
	return 1
}

// attributes appends KeyValues, with texts and numbers, which are all that is set here.
func attributes(b []byte, field protowire.Number, list []attribute.KeyValue) []byte {
	for _, kv := range list {
		b = message(b, field, func(b []byte) []byte {
			return message(text(b, 1, string(kv.Key)), 2, func(b []byte) []byte {
				if kv.Value.Type() == attribute.INT64 {
					return number(b, 3, uint64(kv.Value.AsInt64())) // the wire's form of an int64
				}
				return text(b, 1, kv.Value.String())
			})
		})
	}
	return b
}

func message(b []byte, field protowire.Number, fields func([]byte) []byte) []byte {
	return raw(b, field, fields(nil))
}

func raw(b []byte, field protowire.Number, value []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(b, field, protowire.BytesType), value)
}

// text appends a text, which must be UTF-8: a collector refuses the batch otherwise.
func text(b []byte, field protowire.Number, value string) []byte {
	return protowire.AppendString(protowire.AppendTag(b, field, protowire.BytesType), strings.ToValidUTF8(value, "\uFFFD"))
}

func number(b []byte, field protowire.Number, value uint64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(b, field, protowire.VarintType), value)
}

// fixed appends a time in nanoseconds of Unix.
func fixed(b []byte, field protowire.Number, at time.Time) []byte {
	return protowire.AppendFixed64(protowire.AppendTag(b, field, protowire.Fixed64Type), uint64(at.UnixNano()))
}
