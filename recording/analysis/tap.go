package analysis

import (
	"errors"
	"fmt"
	"math"
	"time"

	goaudio "github.com/go-audio/audio"
)

// Tap takes the frames of a recording and measures them. Its methods are those of
// an encoder, so code that feeds encoders can feed a tap.
//
// WriteFrames takes any whole number of interleaved frames and keeps no
// reference to src. Finish ends the stream. The first error is sticky: every
// later call returns it. After Finish, WriteFrames is [ErrFinished] and Finish
// is a no-op. A Tap is used by one goroutine at a time.
//
// Every tap has a Result. It is complete after Finish. Before, it lacks the last
// frames written, as some measures need the frames after them.
type Tap interface {
	WriteFrames(src []float32) error
	Finish() error
}

// ErrFinished is returned by WriteFrames after Finish.
var ErrFinished = errors.New("analysis: the tap is finished")

// ErrPartialFrame is returned by WriteFrames for a block that isn't a whole
// number of frames.
var ErrPartialFrame = errors.New("analysis: the block is not a whole number of frames")

// The range of formats that taps take.
const (
	MinSampleRateHz = 8000
	MaxSampleRateHz = 768000
	MaxChannels     = 64
)

// MaxSample is the largest magnitude of a sample that is told apart, +24 dBFS.
const MaxSample = 16

// checkFormat refuses what the taps can't measure.
func checkFormat(f *goaudio.Format) error {
	switch {
	case f == nil:
		return errors.New("analysis: no format")
	case f.NumChannels < 1 || f.NumChannels > MaxChannels:
		return fmt.Errorf("analysis: %d channels; 1 to %d are supported", f.NumChannels, MaxChannels)
	case f.SampleRate < MinSampleRateHz || f.SampleRate > MaxSampleRateHz:
		return fmt.Errorf("analysis: sample rate %d Hz; %d to %d are supported", f.SampleRate, MinSampleRateHz, MaxSampleRateHz)
	}
	return nil
}

// cellsPerChunk cells of 10 ms are handed on at a time. Chunks begin at the same
// frames whatever the blocks were. So all sums begin at the same frames, too, and
// their rounding is the same.
const cellsPerChunk = 10

// cellFrames is 10 ms, or a little less where that isn't whole.
func cellFrames(rate int) int { return rate / 100 }

// splitter turns interleaved blocks into chunks of one slice per channel.
type splitter struct {
	rate     int
	channels int
	chunk    int         // frames in a chunk
	planes   [][]float32 // by channel
	fill     int         // frames in planes
	frames   int64       // written
	odd      []int64     // by channel: samples that were not finite or beyond MaxSample
	err      error
	finished bool
	process  func(planes [][]float32) error // of a chunk, shorter than a whole one only at the end
}

func newSplitter(f *goaudio.Format, process func([][]float32) error) (*splitter, error) {
	if err := checkFormat(f); err != nil {
		return nil, err
	}
	s := &splitter{
		rate: f.SampleRate, channels: f.NumChannels, chunk: cellsPerChunk * cellFrames(f.SampleRate),
		odd: make([]int64, f.NumChannels), process: process,
	}
	s.planes = make([][]float32, s.channels)
	for c := range s.planes {
		s.planes[c] = make([]float32, s.chunk)
	}
	return s, nil
}

func (s *splitter) write(src []float32) error {
	switch {
	case s.err != nil:
		return s.err
	case s.finished:
		return ErrFinished
	case len(src)%s.channels != 0:
		s.err = ErrPartialFrame
		return s.err
	}
	for len(src) > 0 {
		n := min(s.chunk-s.fill, len(src)/s.channels)
		s.take(src[:n*s.channels], n)
		src = src[n*s.channels:]
		s.fill += n
		s.frames += int64(n)
		if s.fill == s.chunk {
			s.fill = 0
			if err := s.process(s.planes); err != nil {
				s.err = err
				return err
			}
		}
	}
	return nil
}

// take spreads n frames over the planes, from fill on.
func (s *splitter) take(src []float32, n int) {
	full := src
	switch s.channels {
	case 1:
		copy(s.planes[0][s.fill:], src)
	case 2:
		a, b := s.planes[0][s.fill:][:n], s.planes[1][s.fill:][:n]
		for i := range a {
			if len(src) < 2 {
				break
			}
			a[i], b[i] = src[0], src[1]
			src = src[2:]
		}
	default:
		for c, plane := range s.planes {
			at := c
			for i := range plane[s.fill:][:n] {
				plane[s.fill+i] = src[at]
				at += s.channels
			}
		}
	}
	if odd(full[:n*s.channels]) {
		for c, plane := range s.planes {
			s.odd[c] += bound(plane[s.fill:][:n])
		}
	}
}

// odd reports whether a sample may be beyond ±MaxSample or NaN: the magnitude
// of a float32 orders like its bits, and NaN and Inf are above all others.
func odd(x []float32) bool {
	const limit = 0x41800000 // of MaxSample
	var seen uint32
	for len(x) >= 4 {
		seen |= (limit - math.Float32bits(x[0])&0x7FFFFFFF) | (limit - math.Float32bits(x[1])&0x7FFFFFFF) |
			(limit - math.Float32bits(x[2])&0x7FFFFFFF) | (limit - math.Float32bits(x[3])&0x7FFFFFFF)
		x = x[4:]
	}
	for _, v := range x {
		seen |= limit - math.Float32bits(v)&0x7FFFFFFF
	}
	return seen>>31 != 0
}

// bound puts every sample within ±MaxSample and returns how many weren't.
func bound(x []float32) (odd int64) {
	for i, v := range x {
		if v <= MaxSample && v >= -MaxSample {
			continue
		}
		odd++
		switch {
		case v > MaxSample:
			x[i] = MaxSample
		case v < -MaxSample:
			x[i] = -MaxSample
		default: // NaN
			x[i] = 0
		}
	}
	return odd
}

// finish hands on what is left. It reports whether this call ended the stream.
func (s *splitter) finish() (ended bool, err error) {
	if s.err != nil || s.finished {
		return false, s.err
	}
	s.finished = true
	if s.fill > 0 {
		for c := range s.planes {
			s.planes[c] = s.planes[c][:s.fill]
		}
		s.fill = 0
		s.err = s.process(s.planes)
	}
	return true, s.err
}

// wholeMillis is the length of frames, to the nearest millisecond.
func wholeMillis(frames int64, rate int) time.Duration {
	return time.Duration((frames*1000+int64(rate)/2)/int64(rate)) * time.Millisecond
}
