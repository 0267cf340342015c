// Package audio is the pull pipeline that turns the legs of a call into
// finished channels: every stage is a [Source] over other Sources.
//
//	leg file ─ decoder ─ Place (offset, span) ─ Resample ─┬─ Mix   (sum into one channel)
//	                                                       └─ Merge (a channel each)
//	                                                            │
//	                                                         Quantize ─ encoder
//
// Samples are interleaved float32 in [-1, 1]; time is counted in frames and
// never read from a clock, so the same input gives the same bytes.
package audio

import (
	goaudio "github.com/go-audio/audio"
)

// Source is a pull stream of interleaved float32 frames, nominally in [-1, 1].
// A frame is one sample of every channel; a source of C channels fills
// frames*C values of dst.
//
// The legal returns of ReadFrames, held by the contract test in recordingtest:
//
//   - n > 0, nil: n frames were written to the front of dst. n is
//     len(dst)/channels unless the stream ends or fails within this call, so a
//     caller that asks for a block gets a whole block until the last one.
//   - 0, io.EOF: the stream ended. Every later call returns 0, io.EOF.
//   - 0, err: the stream failed. The error is sticky: every later call returns it.
//   - 0, nil: only when dst holds less than one frame.
//
// Values of dst beyond the n frames are never touched. A Source is used by one
// goroutine at a time.
type Source interface {
	// Format is go-audio's {NumChannels, SampleRate}. It is constant, never
	// nil, and must not be modified by the caller.
	Format() *goaudio.Format
	ReadFrames(dst []float32) (frames int, err error)
}

// Sized is implemented by a Source whose total number of frames is known
// before it is read. Frames counts from the start of the stream, however much
// has been read already.
type Sized interface {
	Frames() int64
}

// FramesOf reports the total number of frames of s, and whether s knows it.
func FramesOf(s Source) (int64, bool) {
	if z, ok := s.(Sized); ok {
		if n := z.Frames(); n >= 0 {
			return n, true
		}
	}
	return 0, false
}
