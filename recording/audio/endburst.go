package audio

import "math"

// What makes a burst of noise at the end of a stream.
const (
	endBurstSeconds   = 0.02 // a packet
	endBurstLouder    = 2.0  // 6 dB above the loudest packet before it
	endBurstCrossings = 0.25 // of its samples another sign: speech and tones have fewer
	endBurstLeast     = 0.0056
	endBurstAfter     = 25 // packets: half a second, to compare with
	endBurstStride    = 4  // one of so many samples is measured
)

// EndBurst is a source that tells whether its last 20 ms are a burst of noise: 6 dB louder
// than any 20 ms before them, of which there is half a second at least, and with as many
// changes of sign as noise has. Recorders write such where they end a file within a packet.
type EndBurst struct {
	Source

	silence bool
	left    int64 // frames up to the last 20 ms
	tail    []float32
	filled  int // of tail
	given   int // of tail
	err     error

	window  int
	measure int     // frames of the current window so far
	sum     float64 // of their squares
	loudest float64 // of all windows
	windows int
	found   bool
}

// FindEndBurst reads a mono source of that many frames. silence: a burst is read as silence.
func FindEndBurst(src Source, frames int64, silence bool) *EndBurst {
	window := int(math.Round(endBurstSeconds * float64(src.Format().SampleRate)))
	return &EndBurst{Source: src, silence: silence, left: max(frames-int64(window), 0), tail: make([]float32, window), window: window}
}

// Found reports whether the stream ended with a burst, once it has been read.
func (b *EndBurst) Found() bool { return b.found }

// ReadFrames implements [Source].
func (b *EndBurst) ReadFrames(dst []float32) (n int, err error) {
	for n < len(dst) && err == nil {
		var k int
		k, err = b.next(dst[n:])
		n += k
	}
	if n > 0 {
		return n, nil // an error comes again
	}
	return 0, err
}

// next is ReadFrames of one part: what is before the last 20 ms, those, or what is behind.
func (b *EndBurst) next(dst []float32) (int, error) {
	if b.left > 0 {
		n, err := b.Source.ReadFrames(dst[:min(int64(len(dst)), b.left)])
		b.left -= int64(n)
		b.listen(dst[:n])
		return n, err
	}
	for b.filled < len(b.tail) && b.err == nil {
		var n int
		n, b.err = b.Source.ReadFrames(b.tail[b.filled:])
		if b.filled += n; b.filled == len(b.tail) {
			b.decide()
		}
	}
	if b.given < b.filled {
		n := copy(dst, b.tail[b.given:b.filled])
		b.given += n
		return n, nil
	}
	if b.err != nil {
		return 0, b.err
	}
	return b.Source.ReadFrames(dst) // there are more than was said
}

// listen measures the frames before the last.
func (b *EndBurst) listen(block []float32) {
	for len(block) > 0 {
		n := min(len(block), b.window-b.measure)
		for i := 0; i < n; i += endBurstStride {
			b.sum += float64(float64(block[i]) * float64(block[i]))
		}
		block = block[n:]
		if b.measure += n; b.measure == b.window {
			b.loudest = max(b.loudest, b.sum)
			b.measure, b.sum = 0, 0
			b.windows++
		}
	}
}

// decide judges the last frames.
func (b *EndBurst) decide() {
	crossings := 0
	for i, v := range b.tail[1:] {
		if (v < 0) != (b.tail[i] < 0) {
			crossings++
		}
	}
	before := math.Sqrt(b.loudest * endBurstStride / float64(b.window))
	b.found = b.windows >= endBurstAfter && float64(crossings) >= endBurstCrossings*float64(b.window) &&
		rms(b.tail) >= max(endBurstLouder*before, endBurstLeast)
	if b.found && b.silence {
		clear(b.tail)
	}
}

// Frames implements [Sized].
func (b *EndBurst) Frames() int64 {
	if n, ok := FramesOf(b.Source); ok {
		return n
	}
	return -1
}
