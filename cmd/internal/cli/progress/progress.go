// Package progress draws how far a command has come that takes long: how much is done, how
// fast it goes, and how long the rest takes where it is known how much that is. It draws on
// a terminal alone, and takes away at the end what it has drawn.
package progress

import (
	"io"
	"time"

	"github.com/schollz/progressbar/v3"

	"github.com/switchtape/switchtape/cmd/internal/cli"
)

// Unknown is a total that isn't known.
const Unknown = -1

// Bytes is the unit of what is counted in bytes.
const Bytes = "bytes"

// every is how often it is drawn at most.
const every = 100 * time.Millisecond

// Bar is what is drawn. Its methods may be called by several goroutines. Where there is no
// terminal, and of the zero value, they do nothing.
type Bar struct {
	bar *progressbar.ProgressBar // nil: nobody looks
}

// New draws what is done, so many of the unit in all: [Bytes], or a plural as "calls"; "" is
// steps, which have no rate. Whoever calls it calls Done.
func New(s cli.Streams, what, unit string, total int64) *Bar {
	if !s.Terminal() {
		return &Bar{}
	}
	options := []progressbar.Option{
		progressbar.OptionSetWriter(s.Err), progressbar.OptionSetDescription(what), progressbar.OptionClearOnFinish(),
		progressbar.OptionThrottle(every),
		progressbar.OptionSetSpinnerChangeInterval(0), // its own goroutine reads what it has begun without the lock
	}
	switch unit {
	case "":
	case Bytes:
		options = append(options, progressbar.OptionShowBytes(true))
	default:
		options = append(options, progressbar.OptionShowCount(), progressbar.OptionShowIts(), progressbar.OptionSetItsString(unit))
	}
	return &Bar{progressbar.NewOptions64(total, options...)}
}

// Add says that n more are done.
func (b *Bar) Add(n int64) {
	if b.bar != nil {
		_ = b.bar.Add64(n) // a picture
	}
}

// Set says that so many are done, of so many in all, which may be Unknown.
func (b *Bar) Set(done, total int64) {
	if b.bar == nil {
		return
	}
	if total != b.bar.GetMax64() && total != Unknown {
		b.bar.ChangeMax64(total)
	}
	_ = b.bar.Set64(done)
}

// Step says that one step more is begun, and which.
func (b *Bar) Step(what string) {
	if b.bar != nil {
		b.bar.Describe(what)
		_ = b.bar.Add(1)
	}
}

// Reader counts what is read of r, in bytes.
func (b *Bar) Reader(r io.Reader) io.Reader {
	if b.bar == nil {
		return r
	}
	return &reader{r, b}
}

// Writer counts what is written to w, in bytes.
func (b *Bar) Writer(w io.Writer) io.Writer {
	if b.bar == nil {
		return w
	}
	return &writer{w, b}
}

// Done takes away what is drawn.
func (b *Bar) Done() {
	if b.bar != nil {
		_ = b.bar.Finish()
	}
}

type writer struct {
	w io.Writer
	b *Bar
}

func (w *writer) Write(p []byte) (int, error) {
	n, err := w.w.Write(p)
	w.b.Add(int64(n))
	return n, err
}

type reader struct {
	r io.Reader
	b *Bar
}

func (r *reader) Read(p []byte) (int, error) {
	n, err := r.r.Read(p)
	r.b.Add(int64(n))
	return n, err
}
