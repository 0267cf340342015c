package recording

import (
	"context"
	"fmt"
	"sync/atomic"

	goaudio "github.com/go-audio/audio"

	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording/analysis"
)

// block is a stretch of a bus that its readers take at the same time.
type block struct {
	room    []float32
	samples []float32 // of room: what the readers get
	readers atomic.Int32
	free    chan *block
}

func (b *block) release() {
	if b.readers.Add(-1) == 0 {
		b.free <- b // has room for every block of its bus
	}
}

// blocksPerBus is how far a reader may be behind the others.
const blocksPerBus = 4

// reader takes the blocks of a bus, in a goroutine of its own if there are
// others.
type reader struct {
	blocks chan *block   // closed when all have been sent
	done   chan struct{} // closed when it has ended
	run    func(context.Context) error
	// pull is called before a block is taken; nil if they come by themselves.
	pull func(context.Context) error
}

func newReader() *reader {
	return &reader{blocks: make(chan *block, blocksPerBus), done: make(chan struct{})}
}

// work runs the reader. If it fails it cancels the recording with the cause.
func (r *reader) work(ctx context.Context, cancel context.CancelCauseFunc) {
	defer close(r.done)
	err := r.run(ctx)
	if err == nil {
		err = r.drain(ctx)
	}
	if err != nil {
		cancel(err)
	}
}

// take is the next block; nil when there is no more.
func (r *reader) take(ctx context.Context) (*block, error) {
	if r.pull != nil {
		if err := r.pull(ctx); err != nil {
			return nil, err
		}
	}
	select {
	case b := <-r.blocks:
		return b, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// feed gives the blocks to sink as they come, and finishes it.
func (r *reader) feed(ctx context.Context, sink analysis.Tap) error {
	for {
		b, err := r.take(ctx)
		if err != nil {
			return err
		}
		if b == nil {
			return sink.Finish()
		}
		err = sink.WriteFrames(b.samples)
		b.release()
		if err != nil {
			return err
		}
	}
}

// drain releases the blocks that nobody wants: a store that has the object already
// doesn't read it.
func (r *reader) drain(ctx context.Context) error {
	for {
		b, err := r.take(ctx)
		if b == nil || err != nil {
			return err
		}
		b.release()
	}
}

// NewTap makes a tap for a recording. The tap gets what outputs get, redacted and
// trimmed like them. Each leg is on its own channel, in the spec's order, and the
// rate is the highest among the legs. frames is how many frames there will be. A
// nil tap is none. An error of NewTap or of the tap ends the recording's attempt.
type NewTap func(spec *record.Spec, f *goaudio.Format, frames int64) (analysis.Tap, error)

// newTaps makes the readers of the taps that the program adds.
func newTaps(taps []NewTap, spec *record.Spec, f *goaudio.Format, frames int64) ([]*reader, error) {
	var readers []*reader
	for _, n := range taps {
		t, err := n(spec, f, frames)
		if err != nil {
			return nil, fmt.Errorf("recording: make a tap: %w", err)
		}
		if t == nil {
			continue
		}
		r := newReader()
		r.run = func(ctx context.Context) error {
			if err := r.feed(ctx, t); err != nil {
				return fmt.Errorf("recording: a tap failed: %w", err)
			}
			return nil
		}
		readers = append(readers, r)
	}
	return readers, nil
}
