package analysis

import (
	"bytes"
	"errors"
	"fmt"
	"math"

	goaudio "github.com/go-audio/audio"
)

// The bounds of peaks.
const (
	DefaultSamplesPerPixel = 256     // audiowaveform's default zoom
	DefaultMaxPixels       = 1 << 22 // 37 hours of 8 kHz at 256
)

// PeaksOptions configure [NewPeaks] and [NewPeaksWriter]. The zero value works.
type PeaksOptions struct {
	// SamplesPerPixel is how many frames a pair of minimum and maximum stands
	// for. 0 means DefaultSamplesPerPixel; the least is 2, as in audiowaveform.
	SamplesPerPixel int
	// Bits of a value: 8 or 16. 0 means 16.
	Bits int
	// Join makes one waveform of all channels, as audiowaveform does without
	// --split-channels: of each frame the mean of its 16 bit samples, rounded
	// towards 0.
	Join bool
	// MaxPixels bounds what Peaks keeps. Where a recording has more, pairs of
	// pixels are joined and SamplesPerPixel doubles. 0 means DefaultMaxPixels.
	// It must be even. A PeaksWriter keeps nothing and has no such bound.
	MaxPixels int
}

func (o *PeaksOptions) withDefaults() (PeaksOptions, error) {
	var p PeaksOptions
	if o != nil {
		p = *o
	}
	if p.SamplesPerPixel == 0 {
		p.SamplesPerPixel = DefaultSamplesPerPixel
	}
	if p.Bits == 0 {
		p.Bits = 16
	}
	if p.MaxPixels == 0 {
		p.MaxPixels = DefaultMaxPixels
	}
	switch {
	case p.SamplesPerPixel < 2 || p.SamplesPerPixel > math.MaxInt32:
		return p, fmt.Errorf("analysis: %d samples per pixel; the least is 2", p.SamplesPerPixel)
	case p.Bits != 8 && p.Bits != 16:
		return p, fmt.Errorf("analysis: peaks of %d bits; there are 8 and 16", p.Bits)
	case p.MaxPixels < 2 || p.MaxPixels%2 != 0:
		return p, errors.New("analysis: MaxPixels must be even and positive")
	}
	return p, nil
}

// Waveform is the peaks of a recording as BBC audiowaveform defines them (its
// doc/DataFormat.md, version 2):
//
//   - A sample is 16 bit: x·32768 to the nearest, ties to even, clipped to
//     [-32768, 32767]; what a 16 bit WAV file of the recording holds.
//   - Pixel i of a channel is the minimum and the maximum over the frames
//     i·SamplesPerPixel to (i+1)·SamplesPerPixel-1.
//   - The last pixel is over the frames that are left, if there are any: there
//     are ⌈frames/SamplesPerPixel⌉ pixels, and nothing is padded.
//   - A value of 8 bits is that of 16 divided by 256 and rounded towards 0.
type Waveform struct {
	Channels        int
	SampleRateHz    int
	SamplesPerPixel int
	Bits            int // 8 or 16
	// Data is, pixel after pixel, the minimum and the maximum of channel 0, of
	// channel 1 …, always of 16 bits.
	Data []int16
}

// Length is the number of pixels.
func (w *Waveform) Length() int { return len(w.Data) / (2 * max(w.Channels, 1)) }

// MarshalJSON gives audiowaveform's JSON, version 2.
func (w *Waveform) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	_, err := w.WriteJSON(&b)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}

// Peaks keeps the waveform in memory, 4 bytes for each pixel of a channel.
type Peaks struct {
	options PeaksOptions
	in      *splitter
	scan    peakScan
	data    []int16
}

// NewPeaks makes a Peaks. o may be nil.
func NewPeaks(f *goaudio.Format, o *PeaksOptions) (*Peaks, error) {
	opt, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	p := &Peaks{options: opt}
	if p.in, err = newSplitter(f, p.process); err != nil {
		return nil, err
	}
	p.init(f)
	return p, nil
}

// init is what NewPeaks does beyond the splitter, which an Analyzer shares.
func (p *Peaks) init(f *goaudio.Format) {
	p.scan.init(f.NumChannels, p.options)
	p.data = make([]int16, 0, 2*p.scan.outputs*min(p.options.MaxPixels, 4096))
}

// WriteFrames implements [Tap].
func (p *Peaks) WriteFrames(src []float32) error { return p.in.write(src) }

// Finish implements [Tap].
func (p *Peaks) Finish() error {
	if ended, err := p.in.finish(); !ended || err != nil {
		return err
	}
	p.end()
	return nil
}

// Result is the waveform so far, whole after Finish. It shares the tap's memory:
// it is valid until the next WriteFrames.
func (p *Peaks) Result() *Waveform { return p.waveform(p.in.rate) }

func (p *Peaks) waveform(rate int) *Waveform {
	return &Waveform{
		Channels: p.scan.outputs, SampleRateHz: rate,
		SamplesPerPixel: p.scan.perPixel, Bits: p.options.Bits, Data: p.data,
	}
}

func (p *Peaks) process(planes [][]float32) error { return p.processCells(planes, nil) }

// processCells is process with the cells of each channel, of which it needn't
// look at the samples again.
func (p *Peaks) processCells(planes [][]float32, cells []cellScan) error {
	for at := 0; at < len(planes[0]); {
		n, full := p.scan.run(planes, cells, at)
		at += n
		if full {
			p.keep()
		}
	}
	return nil
}

func (p *Peaks) end() {
	if p.scan.count > 0 {
		p.keep()
	}
}

// keep appends the pixel of the scan, and joins pairs when there are too many.
func (p *Peaks) keep() {
	p.data = p.scan.appendPixel(p.data)
	step := 2 * p.scan.outputs
	if len(p.data) < step*p.options.MaxPixels || p.scan.perPixel > math.MaxInt32/2 {
		return
	}
	to := 0
	for at := 0; at < len(p.data); at += 2 * step {
		for c := 0; c < step; c += 2 {
			p.data[to+c] = min(p.data[at+c], p.data[at+step+c])
			p.data[to+c+1] = max(p.data[at+c+1], p.data[at+step+c+1])
		}
		to += step
	}
	p.data = p.data[:to]
	p.scan.perPixel *= 2
}

// peakScan finds the minimum and maximum of pixels.
type peakScan struct {
	perPixel int
	outputs  int
	join     bool
	count    int       // frames in the pixel
	lo, hi   []float32 // by output channel, of the pixel; in 16 bit units if join
}

func (p *peakScan) init(channels int, o PeaksOptions) {
	*p = peakScan{perPixel: o.SamplesPerPixel, outputs: channels, join: o.Join && channels > 1}
	if p.join {
		p.outputs = 1
	}
	p.lo, p.hi = make([]float32, p.outputs), make([]float32, p.outputs)
	p.reset()
}

func (p *peakScan) reset() {
	p.count = 0
	for c := range p.lo {
		p.lo[c], p.hi[c] = math.MaxFloat32, -math.MaxFloat32
	}
}

// run scans from frame at to the end of the pixel or of the planes. It returns
// the frames scanned and whether the pixel is full.
func (p *peakScan) run(planes [][]float32, cells []cellScan, at int) (frames int, full bool) {
	frames = min(p.perPixel-p.count, len(planes[0])-at)
	switch {
	case p.join:
		p.lo[0], p.hi[0] = joinedRange(planes, at, frames, p.lo[0], p.hi[0])
	case cells != nil:
		for c := range p.lo {
			p.lo[c], p.hi[c] = cells[c].valueRange(planes[c], at, at+frames, p.lo[c], p.hi[c])
		}
	default:
		for c := range p.lo {
			p.lo[c], p.hi[c] = valueRange(planes[c][at:at+frames], p.lo[c], p.hi[c])
		}
	}
	p.count += frames
	return frames, p.count == p.perPixel
}

// appendPixel appends the pixel and begins the next.
func (p *peakScan) appendPixel(dst []int16) []int16 {
	for c := range p.lo {
		if p.join {
			dst = append(dst, int16(p.lo[c]), int16(p.hi[c]))
		} else {
			dst = append(dst, sample16(p.lo[c]), sample16(p.hi[c]))
		}
	}
	p.reset()
	return dst
}

// valueRange widens lo and hi to the values of x.
func valueRange(x []float32, lo, hi float32) (float32, float32) {
	a, b := order(lo), order(hi)
	for len(x) >= 4 {
		k, l, m, n := order(x[0]), order(x[1]), order(x[2]), order(x[3])
		a, b = min(a, min(k, l), min(m, n)), max(b, max(k, l), max(m, n))
		x = x[4:]
	}
	for _, v := range x {
		a, b = min(a, order(v)), max(b, order(v))
	}
	return disorder(a), disorder(b)
}

// joinedRange widens lo and hi to the means of frames, in 16 bit units.
func joinedRange(planes [][]float32, at, frames int, lo, hi float32) (float32, float32) {
	for i := at; i < at+frames; i++ {
		sum := 0
		for _, plane := range planes {
			sum += int(sample16(plane[i]))
		}
		v := float32(sum / len(planes))
		lo, hi = min(lo, v), max(hi, v)
	}
	return lo, hi
}

// sample16 is a sample of 16 bits, rounded as audio.PutPCM16 does.
func sample16(x float32) int16 {
	return int16(min(max(math.RoundToEven(float64(x)*32768), -32768), 32767))
}
