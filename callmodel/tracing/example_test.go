package tracing_test

import (
	"context"
	"fmt"

	"github.com/switchtape/switchtape/callmodel/tracing"
)

// printer is a tracer that tells of spans as they end.
type printer struct{}

func (printer) Start(ctx context.Context, name string) (context.Context, tracing.Span) {
	return ctx, &printed{name: name}
}

func (printer) Within(ctx context.Context, _ string) context.Context { return ctx }
func (printer) Traceparent(context.Context) string                   { return "" }

type printed struct{ name string }

func (p *printed) Name(name string)           { p.name = name }
func (p *printed) Set(key, value string)      { fmt.Println(p.name, key, value) }
func (p *printed) SetInt(key string, n int64) { fmt.Println(p.name, key, n) }
func (p *printed) End(err error)              { fmt.Println(p.name, "ended:", err) }

func ExampleStart() {
	for _, tracer := range []tracing.Tracer{nil, printer{}} {
		_, span := tracing.Start(context.Background(), tracer, "decide")
		span.Set("call", "c-1")
		span.End(nil)
	}
	// Output:
	// decide call c-1
	// decide ended: <nil>
}
