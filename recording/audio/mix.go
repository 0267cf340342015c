package audio

import (
	"errors"
	"fmt"
	"io"

	goaudio "github.com/go-audio/audio"
)

// Mix sums sources of one format into one Source that ends with the longest.
// Nothing is scaled: a leg that ends doesn't change the level of the others,
// and sums may leave [-1, 1]. Put [Limit] behind it. At least one source is
// needed.
func Mix(sources ...Source) (Source, error) {
	f, err := sameFormat(sources)
	if err != nil {
		return nil, err
	}
	return &mix{inputs: newInputs(sources), format: f}, nil
}

// Merge puts the channels of its sources side by side, in order, into one
// Source that ends with the longest; shorter ones are silent from their end.
// All must have one sample rate. At least one source is needed.
func Merge(sources ...Source) (Source, error) {
	if len(sources) == 0 {
		return nil, errors.New("audio: nothing to merge")
	}
	f := goaudio.Format{SampleRate: sources[0].Format().SampleRate}
	for i, s := range sources {
		if s.Format().SampleRate != f.SampleRate {
			return nil, fmt.Errorf("%w: source %d has %d Hz, the first %d Hz",
				errFormat, i, s.Format().SampleRate, f.SampleRate)
		}
		f.NumChannels += s.Format().NumChannels
	}
	return &merge{inputs: newInputs(sources), format: f}, nil
}

func sameFormat(sources []Source) (goaudio.Format, error) {
	if len(sources) == 0 {
		return goaudio.Format{}, errors.New("audio: nothing to mix")
	}
	f := *sources[0].Format()
	for i, s := range sources {
		if *s.Format() != f {
			return f, fmt.Errorf("%w: source %d is %+v, the first %+v", errFormat, i, *s.Format(), f)
		}
	}
	return f, nil
}

// inputs reads a block of each of several sources in step.
type inputs struct {
	src   []Source
	block [][]float32
	ended []bool
	err   error
}

func newInputs(sources []Source) inputs {
	return inputs{
		src:   sources,
		block: make([][]float32, len(sources)),
		ended: make([]bool, len(sources)),
	}
}

// read fills every block with want frames, silence behind the end of its
// source, and returns how many frames are good. 0 comes with an error.
func (in *inputs) read(want int) (int, error) {
	if in.err != nil {
		return 0, in.err
	}
	longest, failedAt := 0, want
	var failed error
	for i, s := range in.src {
		ch := s.Format().NumChannels
		in.block[i] = grow(in.block[i], want*ch)
		n := 0
		if !in.ended[i] {
			var err error
			n, err = ReadFull(s, in.block[i])
			switch {
			case errors.Is(err, io.EOF):
				in.ended[i] = true
			case err != nil && (failed == nil || n < failedAt):
				failed, failedAt = err, n
			}
		}
		clear(in.block[i][n*ch:])
		longest = max(longest, n)
	}
	n := longest
	if failed != nil {
		in.err, n = failed, failedAt
	} else if longest == 0 {
		in.err = io.EOF
	}
	if n == 0 {
		return 0, in.err
	}
	return n, nil
}

// frames is the length of the longest input, -1 if one doesn't know its own.
func (in *inputs) frames() int64 {
	var longest int64
	for _, s := range in.src {
		n, ok := FramesOf(s)
		if !ok {
			return -1
		}
		longest = max(longest, n)
	}
	return longest
}

type mix struct {
	inputs

	format goaudio.Format
}

func (m *mix) Format() *goaudio.Format { return &m.format }

func (m *mix) Frames() int64 { return m.frames() }

func (m *mix) ReadFrames(dst []float32) (int, error) {
	want := len(dst) / m.format.NumChannels
	if want == 0 && m.err == nil {
		return 0, nil
	}
	n, err := m.read(want)
	if err != nil {
		return 0, err
	}
	dst = dst[:n*m.format.NumChannels]
	switch len(m.block) {
	case 1:
		copy(dst, m.block[0])
	default:
		add(dst, m.block[0], m.block[1])
		for _, b := range m.block[2:] {
			add(dst, dst, b)
		}
	}
	return n, nil
}

type merge struct {
	inputs

	format goaudio.Format
}

func (m *merge) Format() *goaudio.Format { return &m.format }

func (m *merge) Frames() int64 { return m.frames() }

func (m *merge) ReadFrames(dst []float32) (int, error) {
	want := len(dst) / m.format.NumChannels
	if want == 0 && m.err == nil {
		return 0, nil
	}
	n, err := m.read(want)
	if err != nil {
		return 0, err
	}
	if len(m.block) == 2 && m.format.NumChannels == 2 {
		interleave2(dst[:2*n], m.block[0][:n], m.block[1][:n])
		return n, nil
	}
	first := 0
	for i, s := range m.src {
		ch := s.Format().NumChannels
		for c := range ch {
			from := m.block[i][c:]
			for f := range n {
				dst[f*m.format.NumChannels+first+c] = from[f*ch]
			}
		}
		first += ch
	}
	return n, nil
}

// Downmix makes one channel of a source of several: their mean, so that it
// can't clip. A source of one channel is returned as it is.
func Downmix(s Source) Source {
	if s.Format().NumChannels == 1 {
		return s
	}
	return &downmix{src: s, format: goaudio.Format{NumChannels: 1, SampleRate: s.Format().SampleRate}}
}

type downmix struct {
	src    Source
	format goaudio.Format
	block  []float32
}

func (d *downmix) Format() *goaudio.Format { return &d.format }

func (d *downmix) Frames() int64 { return framesOrUnknown(d.src) }

func (d *downmix) ReadFrames(dst []float32) (int, error) {
	ch := d.src.Format().NumChannels
	d.block = grow(d.block, len(dst)*ch)
	n, err := d.src.ReadFrames(d.block)
	scale := 1 / float32(ch)
	for i := range n {
		var sum float32
		for _, x := range d.block[i*ch : (i+1)*ch] {
			sum += x
		}
		dst[i] = sum * scale
	}
	return n, err
}

// Gain multiplies every sample by gain; see [FromDecibels].
func Gain(s Source, gain float32) Source { return &gainStage{src: s, gain: gain} }

type gainStage struct {
	src  Source
	gain float32
}

func (g *gainStage) Format() *goaudio.Format { return g.src.Format() }

func (g *gainStage) Frames() int64 { return framesOrUnknown(g.src) }

func (g *gainStage) ReadFrames(dst []float32) (int, error) {
	n, err := g.src.ReadFrames(dst)
	for i := range dst[:n*g.src.Format().NumChannels] {
		dst[i] *= g.gain
	}
	return n, err
}

func framesOrUnknown(s Source) int64 {
	if n, ok := FramesOf(s); ok {
		return n
	}
	return -1
}
