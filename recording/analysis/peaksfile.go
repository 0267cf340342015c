package analysis

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"

	goaudio "github.com/go-audio/audio"
)

// PeaksFormat is a file format of audiowaveform.
type PeaksFormat string

// audiowaveform's file formats, version 2 of both.
const (
	PeaksJSON PeaksFormat = "json"
	PeaksDAT  PeaksFormat = "dat"
)

// ErrFrameCount is returned by the Finish of a [PeaksWriter] that was given
// another number of frames than was announced.
var ErrFrameCount = errors.New("analysis: frames written differ from the frames announced")

// datHeaderBytes is the size of the header of .dat, version 2.
const datHeaderBytes = 24

// WriteDAT writes the waveform in audiowaveform's binary format, version 2:
// little-endian int32 version 2, uint32 flags (bit 0: values of 8 bits), int32
// sample rate, int32 samples per pixel, uint32 length, int32 channels, then the
// values. It returns the bytes written.
func (w *Waveform) WriteDAT(to io.Writer) (int64, error) {
	return w.write(to, PeaksDAT)
}

// WriteJSON writes the waveform in audiowaveform's JSON, version 2, with a line
// feed at the end. It returns the bytes written.
func (w *Waveform) WriteJSON(to io.Writer) (int64, error) {
	return w.write(to, PeaksJSON)
}

func (w *Waveform) write(to io.Writer, format PeaksFormat) (int64, error) {
	e := peaksEncoder{w: to, format: format, bits: w.Bits}
	e.header(w.Channels, w.SampleRateHz, w.SamplesPerPixel, int64(w.Length()))
	for data := w.Data; len(data) > 0; {
		n := min(len(data), 4096)
		e.values(data[:n])
		data = data[n:]
	}
	e.end()
	return e.written, e.err
}

// PeaksWriter writes the waveform to a file while the recording is made. It
// keeps one pixel. Its bytes are those of [Waveform.WriteDAT] or
// [Waveform.WriteJSON].
type PeaksWriter struct {
	in     *splitter
	scan   peakScan
	enc    peaksEncoder
	pixel  []int16
	frames int64 // announced
}

// NewPeaksWriter makes a PeaksWriter of format to w for a recording of frames
// frames, which must be known because the header has the length. It writes
// nothing yet. o may be nil; its MaxPixels is not used.
func NewPeaksWriter(w io.Writer, f *goaudio.Format, format PeaksFormat, frames int64, o *PeaksOptions) (*PeaksWriter, error) {
	opt, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	if format != PeaksJSON && format != PeaksDAT {
		return nil, fmt.Errorf("analysis: peaks format %q; there are json and dat", format)
	}
	pixels := frames/int64(opt.SamplesPerPixel) + 1
	if frames < 0 || pixels > math.MaxUint32 {
		return nil, fmt.Errorf("analysis: peaks of %d frames", frames)
	}
	p := &PeaksWriter{enc: peaksEncoder{w: w, format: format, bits: opt.Bits}, frames: frames}
	if p.in, err = newSplitter(f, p.process); err != nil {
		return nil, err
	}
	p.scan.init(f.NumChannels, opt)
	p.pixel = make([]int16, 0, 2*p.scan.outputs)
	perPixel := int64(opt.SamplesPerPixel)
	p.enc.header(p.scan.outputs, f.SampleRate, opt.SamplesPerPixel, (frames+perPixel-1)/perPixel)
	return p, nil
}

// WriteFrames implements [Tap]. It also returns the errors of the writer.
func (p *PeaksWriter) WriteFrames(src []float32) error {
	if p.in.err == nil && p.in.frames+int64(len(src)/p.in.channels) > p.frames {
		p.in.err = ErrFrameCount
	}
	return p.in.write(src)
}

// Finish implements [Tap]: it writes what is left. It never closes the writer.
func (p *PeaksWriter) Finish() error {
	if ended, err := p.in.finish(); !ended || err != nil {
		return err
	}
	if p.in.frames != p.frames {
		p.in.err = ErrFrameCount
		return p.in.err
	}
	if p.scan.count > 0 {
		p.enc.values(p.scan.appendPixel(p.pixel[:0]))
	}
	p.enc.end()
	p.in.err = p.enc.err
	return p.in.err
}

// Result is the number of bytes written so far.
func (p *PeaksWriter) Result() int64 { return p.enc.written }

func (p *PeaksWriter) process(planes [][]float32) error {
	for at := 0; at < len(planes[0]); {
		n, full := p.scan.run(planes, nil, at)
		at += n
		if full {
			p.enc.values(p.scan.appendPixel(p.pixel[:0]))
		}
	}
	return p.enc.err
}

// peaksEncoder writes either format through a small buffer.
type peaksEncoder struct {
	w       io.Writer
	format  PeaksFormat
	bits    int
	begun   bool // a value was written
	buf     []byte
	written int64
	err     error
}

func (e *peaksEncoder) header(channels, rate, perPixel int, length int64) {
	if e.format == PeaksJSON {
		e.buf = fmt.Appendf(e.buf,
			`{"version":2,"channels":%d,"sample_rate":%d,"samples_per_pixel":%d,"bits":%d,"length":%d,"data":[`,
			channels, rate, perPixel, e.bits, length)
		return
	}
	flags := uint32(0)
	if e.bits == 8 {
		flags = 1
	}
	for _, v := range [datHeaderBytes / 4]uint32{2, flags, uint32(rate), uint32(perPixel), uint32(length), uint32(channels)} {
		e.buf = binary.LittleEndian.AppendUint32(e.buf, v)
	}
}

func (e *peaksEncoder) values(data []int16) {
	for _, v := range data {
		if e.bits == 8 {
			v /= 256
		}
		switch {
		case e.format == PeaksJSON:
			if e.begun {
				e.buf = append(e.buf, ',')
			}
			e.begun = true
			e.buf = strconv.AppendInt(e.buf, int64(v), 10)
		case e.bits == 8:
			e.buf = append(e.buf, byte(v))
		default:
			e.buf = binary.LittleEndian.AppendUint16(e.buf, uint16(v))
		}
	}
	if len(e.buf) >= 8192 {
		e.flush()
	}
}

func (e *peaksEncoder) end() {
	if e.format == PeaksJSON {
		e.buf = append(e.buf, "]}\n"...)
	}
	e.flush()
}

func (e *peaksEncoder) flush() {
	if e.err == nil {
		var n int
		n, e.err = e.w.Write(e.buf)
		e.written += int64(n)
	}
	e.buf = e.buf[:0]
}
