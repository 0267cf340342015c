package audio

import (
	"fmt"
	"math"

	goaudio "github.com/go-audio/audio"
)

// Design of the resampling filter: a Kaiser-windowed sinc whose pass band ends
// at 90 % of the lower Nyquist frequency and whose stop band begins at the
// lower Nyquist frequency itself, so that nothing aliases.
const (
	resampleStopDB = 106.0
	resamplePass   = 0.90
	// maxTable bounds the coefficients of one filter (float32s). Ratios that
	// would need more interpolate between resamplePhases stored phases.
	maxTable       = 1 << 18
	resamplePhases = 1024
	// MaxResampleRate and MinResampleRate bound the rates, in Hz, and with them
	// the memory a filter can take: below 2 MiB.
	MaxResampleRate = 768000
	MinResampleRate = 100
	// maxDecimation is the most that a rate can be lowered by in one go.
	maxDecimation = 256
)

// ResampleFilter is the filter bank for one pair of rates. It is immutable and
// may be shared by any number of sources and goroutines.
type ResampleFilter struct {
	inRate, outRate int
	up, down        int64 // outRate/inRate in lowest terms
	half            int   // input frames that an output frame needs on either side
	row             int   // coefficients of a phase: 2*half, and zeros up to a multiple of 8
	phases          int
	exact           bool // one row for each phase; else rows are interpolated
	coef            []float32
}

// NewResampleFilter designs the filter for resampling from inRate to outRate,
// both in Hz and within MinResampleRate to MaxResampleRate. A rate can be
// lowered by a factor of at most 256.
//
// The window's shape and length follow J. F. Kaiser, "Nonrecursive digital
// filter design using the I0-sinh window function", ISCAS 1974.
func NewResampleFilter(inRate, outRate int) (*ResampleFilter, error) {
	for _, r := range []int{inRate, outRate} {
		if r < MinResampleRate || r > MaxResampleRate {
			return nil, fmt.Errorf("audio: cannot resample %d Hz to %d Hz: rates must be %d to %d Hz",
				inRate, outRate, MinResampleRate, MaxResampleRate)
		}
	}
	if inRate > maxDecimation*outRate {
		return nil, fmt.Errorf("audio: cannot resample %d Hz to %d Hz: more than %d to 1", inRate, outRate, maxDecimation)
	}
	g := gcd(int64(inRate), int64(outRate))
	f := &ResampleFilter{inRate: inRate, outRate: outRate, up: int64(outRate) / g, down: int64(inRate) / g}
	scale := math.Min(1, float64(outRate)/float64(inRate)) // lower Nyquist over the input's
	width := math.Pi * (1 - resamplePass) * scale          // of the transition, radians per input frame
	f.half = int(math.Ceil((resampleStopDB - 7.95) / (2.285 * width) / 2))
	f.row = (2*f.half + 7) &^ 7
	rows := int(f.up)
	f.phases, f.exact = rows, true
	if f.up*int64(f.row) > maxTable {
		f.exact = false
		f.phases = max(int(math.Ceil(resamplePhases*scale)), 16)
		rows = f.phases + 1
	}
	f.coef = make([]float32, rows*f.row)
	cutoff := scale * (1 + resamplePass) / 2
	beta := 0.1102 * (resampleStopDB - 8.7)
	h := make([]float64, 2*f.half)
	for p := range rows {
		f.design(f.coef[p*f.row:][:2*f.half], h, float64(p)/float64(f.phases), cutoff, beta)
	}
	return f, nil
}

// design fills row with the impulse response at the distances of the input
// frames -half+1 … half from a point frac frames after frame 0. h is scratch.
func (f *ResampleFilter) design(row []float32, h []float64, frac, cutoff, beta float64) {
	clear(h)
	var sum float64
	for j := range row {
		t := float64(j-f.half+1) - frac
		w := 1 - (t/float64(f.half))*(t/float64(f.half))
		if w < 0 {
			continue
		}
		h[j] = cutoff * sinc(cutoff*t) * bessel0(beta*math.Sqrt(w))
		sum += h[j]
	}
	for j := range row {
		row[j] = float32(h[j] / sum) // every phase passes 0 Hz unchanged
	}
}

func sinc(x float64) float64 {
	if x == 0 {
		return 1
	}
	return math.Sin(math.Pi*x) / (math.Pi * x)
}

// bessel0 is the modified Bessel function of the first kind of order 0, by its
// power series (Abramowitz & Stegun 9.6.12).
func bessel0(x float64) float64 {
	sum, term := 1.0, 1.0
	for k := 1.0; term > sum*1e-17; k++ {
		term *= (x / 2 / k) * (x / 2 / k)
		sum += term
	}
	return sum
}

func gcd(a, b int64) int64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// OutFrames is [ResampledFrames] for the filter's rates.
func (f *ResampleFilter) OutFrames(inFrames int64) int64 {
	return ResampledFrames(inFrames, f.inRate, f.outRate)
}

// ResampledFrames is the number of frames that frames frames at inRate become
// at outRate: frames*outRate/inRate, rounded to nearest, halves up.
func ResampledFrames(frames int64, inRate, outRate int) int64 {
	in, out := int64(inRate), int64(outRate)
	return frames/in*out + (frames%in*out+in/2)/in
}

// LookaheadFrames is how many input frames past an output frame's own time are
// read to make it.
func (f *ResampleFilter) LookaheadFrames() int { return f.half }

// Resample converts s to the filter's output rate. The result has no delay,
// and exactly OutFrames of the source's frames. s must have the filter's input
// rate. With equal rates s itself is returned, bit-exact.
func Resample(s Source, f *ResampleFilter) (Source, error) {
	in := s.Format()
	if in.SampleRate != f.inRate {
		return nil, fmt.Errorf("%w: source has %d Hz, the filter takes %d Hz", errFormat, in.SampleRate, f.inRate)
	}
	if f.inRate == f.outRate {
		return s, nil
	}
	r := &resampler{
		src: s, f: f,
		format: goaudio.Format{NumChannels: in.NumChannels, SampleRate: f.outRate},
		hist:   make([][]float32, in.NumChannels),
		base:   -int64(f.half - 1),
	}
	for c := range r.hist {
		// Silence before the first frame.
		r.hist[c] = make([]float32, f.half-1, f.half-1+f.row+resampleBlock)
	}
	if in.NumChannels > 1 {
		r.block = make([]float32, resampleBlock*in.NumChannels)
	}
	return r, nil
}

// resampleBlock is how many input frames are read at a time.
const resampleBlock = 2048

type resampler struct {
	src    Source
	f      *ResampleFilter
	format goaudio.Format
	hist   [][]float32 // by channel: input frames from base on
	base   int64
	at     int64     // floor of the next output frame's time, in input frames
	rem    int64     // its fraction, in 1/up
	given  int64     // output frames
	read   int64     // input frames
	total  int64     // output frames, once the source has ended
	block  []float32 // for sources of several channels
	err    error     // how the source ended
}

func (r *resampler) Format() *goaudio.Format { return &r.format }

func (r *resampler) Frames() int64 {
	if n, ok := FramesOf(r.src); ok {
		return r.f.OutFrames(n)
	}
	return -1
}

func (r *resampler) ReadFrames(dst []float32) (int, error) {
	ch := r.format.NumChannels
	want := len(dst) / ch
	n := 0
	for n < want {
		if got := r.produce(dst[n*ch : want*ch]); got > 0 {
			n += got
			continue
		}
		if r.err != nil {
			if n == 0 {
				return 0, r.err
			}
			break
		}
		r.fill()
	}
	return n, nil
}

// fill drops what no later output needs and reads the next block.
func (r *resampler) fill() {
	f := r.f
	drop := int(r.at - int64(f.half-1) - r.base)
	drop = min(max(drop, 0), len(r.hist[0]))
	r.base += int64(drop)
	for c, h := range r.hist {
		kept := copy(h, h[drop:])
		r.hist[c] = h[:kept]
	}
	var n int
	var err error
	if len(r.hist) == 1 {
		h := r.hist[0]
		if cap(h)-len(h) < resampleBlock {
			bigger := make([]float32, len(h), len(h)+2*resampleBlock)
			copy(bigger, h)
			h = bigger
		}
		n, err = ReadFull(r.src, h[len(h):len(h)+resampleBlock])
		r.hist[0] = h[:len(h)+n]
	} else {
		n, err = ReadFull(r.src, r.block)
		ch := len(r.hist)
		for c := range r.hist {
			h := r.hist[c]
			for i := range n {
				h = append(h, r.block[i*ch+c])
			}
			r.hist[c] = h
		}
	}
	r.read += int64(n)
	if err != nil {
		r.err = err
		r.total = f.OutFrames(r.read)
		for c, h := range r.hist {
			for range f.row { // silence after the last frame
				h = append(h, 0)
			}
			r.hist[c] = h
		}
	}
}

// produce makes as many output frames as dst takes and the history allows.
func (r *resampler) produce(dst []float32) int {
	f := r.f
	ch := len(r.hist)
	want := int64(len(dst) / ch)
	if r.err != nil {
		want = min(want, r.total-r.given)
	}
	stepInt, stepRem := f.down/f.up, f.down%f.up
	n := int64(0)
	for ; n < want; n++ {
		// A row may be padded by up to 7 zeros: the frames that these meet
		// must be there too.
		from := int(r.at - int64(f.half-1) - r.base)
		if from+f.row > len(r.hist[0]) {
			break
		}
		for c, h := range r.hist {
			dst[int(n)*ch+c] = f.at(h[from:from+f.row], r.rem)
		}
		r.at += stepInt
		r.rem += stepRem
		if r.rem >= f.up {
			r.rem -= f.up
			r.at++
		}
	}
	r.given += n
	return int(n)
}

// at filters x for the phase rem/up.
func (f *ResampleFilter) at(x []float32, rem int64) float32 {
	if f.exact {
		return dot(x, f.coef[int(rem)*f.row:][:len(x)])
	}
	u := float64(rem) * float64(f.phases) / float64(f.up)
	p := int(u)
	w := float32(u - float64(p))
	rows := f.coef[p*f.row:]
	return float32(dot(x, rows[:len(x)])*(1-w)) + float32(dot(x, rows[f.row:][:len(x)])*w)
}

// dot is the scalar product of two slices of one length, a multiple of 8. The
// sums are kept apart so that the processor can do them side by side; the
// conversions forbid fused multiply-add, so that every machine gives the same bytes.
func dot(a, b []float32) float32 {
	var s0, s1, s2, s3, s4, s5, s6, s7 float32
	b = b[:len(a)]
	for len(a) >= 8 && len(b) >= 8 {
		s0 += float32(a[0] * b[0])
		s1 += float32(a[1] * b[1])
		s2 += float32(a[2] * b[2])
		s3 += float32(a[3] * b[3])
		s4 += float32(a[4] * b[4])
		s5 += float32(a[5] * b[5])
		s6 += float32(a[6] * b[6])
		s7 += float32(a[7] * b[7])
		a, b = a[8:], b[8:]
	}
	return ((s0 + s1) + (s2 + s3)) + ((s4 + s5) + (s6 + s7))
}
