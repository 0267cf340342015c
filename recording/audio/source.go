package audio

import (
	"io"

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

// NewSource is a Source over samples that are in memory: interleaved, not
// copied and not modified. A last frame that isn't whole is left out.
func NewSource(f *goaudio.Format, samples []float32) Source {
	return &memory{format: *f, rest: samples, frames: int64(len(samples) / f.NumChannels)}
}

type memory struct {
	format goaudio.Format
	rest   []float32
	frames int64
}

func (m *memory) Format() *goaudio.Format { return &m.format }

func (m *memory) Frames() int64 { return m.frames }

func (m *memory) ReadFrames(dst []float32) (int, error) {
	ch := m.format.NumChannels
	if len(m.rest) < ch {
		return 0, io.EOF
	}
	n := min(len(dst), len(m.rest)) / ch
	copy(dst, m.rest[:n*ch])
	m.rest = m.rest[n*ch:]
	return n, nil
}

// ReadFull reads from s until dst holds len(dst)/channels frames or s ends or
// fails. The error is that of the last call: nil when dst was filled, io.EOF at
// the end of the stream. Unlike ReadFrames it returns frames and error together.
func ReadFull(s Source, dst []float32) (frames int, err error) {
	ch := s.Format().NumChannels
	want := len(dst) / ch
	for frames < want {
		n, err := s.ReadFrames(dst[frames*ch : want*ch])
		if err != nil {
			return frames, err
		}
		frames += n
	}
	return frames, nil
}

// grow returns s with length n, reallocated only if its capacity is short.
func grow(s []float32, n int) []float32 {
	if cap(s) < n {
		return make([]float32, n)
	}
	return s[:n]
}
