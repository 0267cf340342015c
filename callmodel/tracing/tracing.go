// Package tracing is the port by which the rooms say what they spend time on for one call:
// spans, each within the one that its context has, through the request, the job and the
// recording.
//
//	request ─▶ callservice ─▶ job's payload: traceparent ─▶ worker ─▶ phases, upload, commit
//
// Nobody needs to trace: a nil Tracer does nothing, and costs nothing. The program chooses
// the library that makes spans and the place that they go to.
package tracing

import "context"

// Tracer makes spans. It may be used by any number of goroutines, and never waits.
type Tracer interface {
	// Start begins a span within that of ctx, and returns a context that has it.
	Start(ctx context.Context, name string) (context.Context, Span)
	// Within is ctx with the span of another process, by its traceparent; what is none
	// leaves ctx as it is.
	Within(ctx context.Context, traceparent string) context.Context
	// Traceparent names the span of ctx for another process; "" if it has none.
	Traceparent(ctx context.Context) string
}

// Span is what takes a while. Its methods are called by one goroutine, End last and once.
type Span interface {
	// Name gives it another name, known only now.
	Name(name string)
	// Set says more of it.
	Set(key, value string)
	// SetInt is Set with a number.
	SetInt(key string, value int64)
	// End ends it, with what went wrong; nil for nothing.
	End(err error)
}

// Start is the tracer's; a nil one makes a span of which nothing is kept, and allocates
// nothing.
func Start(ctx context.Context, t Tracer, name string) (context.Context, Span) {
	if t == nil {
		return ctx, nothing{}
	}
	return t.Start(ctx, name)
}

// Within is the tracer's; ctx itself with a nil one.
func Within(ctx context.Context, t Tracer, traceparent string) context.Context {
	if t == nil || traceparent == "" {
		return ctx
	}
	return t.Within(ctx, traceparent)
}

// Traceparent is the tracer's; "" with a nil one.
func Traceparent(ctx context.Context, t Tracer) string {
	if t == nil {
		return ""
	}
	return t.Traceparent(ctx)
}

type nothing struct{}

func (nothing) Name(string)          {}
func (nothing) Set(string, string)   {}
func (nothing) SetInt(string, int64) {}
func (nothing) End(error)            {}

// Header is the header, of HTTP and of a broker's message, in which a traceparent comes
// (W3C Trace Context, section 3.2).
const Header = "traceparent"

// traceparentLen is how long one of version 00 is: 00-{32 hex}-{16 hex}-{2 hex}.
const traceparentLen = 55

// Valid reports whether the text is a traceparent of version 00: lower-case hexadecimal,
// with neither id all zeros (W3C Trace Context, section 3.2.2).
func Valid(traceparent string) bool {
	if len(traceparent) != traceparentLen || traceparent[:3] != "00-" || traceparent[35] != '-' || traceparent[52] != '-' {
		return false
	}
	return hex(traceparent[3:35], true) && hex(traceparent[36:52], true) && hex(traceparent[53:], false)
}

// hex reports whether s is lower-case hexadecimal, and with notZero has another digit than 0.
func hex(s string, notZero bool) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case c == '0':
		case c >= '1' && c <= '9', c >= 'a' && c <= 'f':
			notZero = false
		default:
			return false
		}
	}
	return !notZero
}
