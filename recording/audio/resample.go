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
	up, down        int64 // output frames to input frames, in lowest terms
	half            int   // input frames that an output frame needs on either side
	row             int   // coefficients of a phase: 2*half, and zeros up to a multiple of lanes
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
	if err := checkRates(inRate, outRate); err != nil {
		return nil, err
	}
	g := gcd(int64(inRate), int64(outRate))
	return newFilter(inRate, outRate, int64(outRate)/g, int64(inRate)/g), nil
}

func checkRates(inRate, outRate int) error {
	for _, r := range []int{inRate, outRate} {
		if r < MinResampleRate || r > MaxResampleRate {
			return fmt.Errorf("audio: cannot resample %d Hz to %d Hz: rates must be %d to %d Hz",
				inRate, outRate, MinResampleRate, MaxResampleRate)
		}
	}
	if inRate > maxDecimation*outRate {
		return fmt.Errorf("audio: cannot resample %d Hz to %d Hz: more than %d to 1", inRate, outRate, maxDecimation)
	}
	return nil
}

// newFilter designs a filter whose ratio up/down is that of the rates, nearly at least.
func newFilter(inRate, outRate int, up, down int64) *ResampleFilter {
	f := &ResampleFilter{inRate: inRate, outRate: outRate, up: up, down: down}
	scale := math.Min(1, float64(outRate)/float64(inRate)) // lower Nyquist over the input's
	width := math.Pi * (1 - resamplePass) * scale          // of the transition, radians per input frame
	f.half = int(math.Ceil((resampleStopDB - 7.95) / (2.285 * width) / 2))
	f.row = (2*f.half + lanes - 1) &^ (lanes - 1)
	rows := int(f.up)
	f.phases, f.exact = rows, true
	if f.up*int64(f.row) > maxTable {
		f.exact = false
		f.phases = max(int(math.Ceil(resamplePhases*scale)), 16)
		rows = f.phases + 1
	}
	f.coef = make([]float32, rows*f.row)
	cutoff := scale * (1 + resamplePass) / 2
	window := newKaiser(0.1102 * (resampleStopDB - 8.7))
	h := make([]float64, 2*f.half)
	for p := range rows {
		row := f.coef[p*f.row:][:2*f.half]
		if mirror := f.phases - p; mirror < p {
			for j, x := range f.coef[mirror*f.row:][:2*f.half] {
				row[2*f.half-1-j] = x
			}
			continue
		}
		f.design(row, h, float64(p)/float64(f.phases), cutoff, window)
	}
	return f
}

// design fills row with the impulse response at the distances of the input
// frames -half+1 … half from a point frac frames after frame 0. h is scratch.
func (f *ResampleFilter) design(row []float32, h []float64, frac, cutoff float64, window *kaiser) {
	clear(h)
	var sum float64
	for j := range row {
		t := float64(j-f.half+1) - frac
		edge := t / float64(f.half)
		w := 1 - float64(edge*edge)
		if w < 0 {
			continue
		}
		h[j] = float64(cutoff * sinc(cutoff*t) * window.at(w))
		sum += h[j]
	}
	for j := range row {
		row[j] = float32(h[j] / sum) // every phase passes 0 Hz unchanged
	}
}

// OutFrames is how many frames the filter makes of inFrames: [ResampledFrames] for
// its rates, or by the ratio of a [NewStretchFilter].
func (f *ResampleFilter) OutFrames(inFrames int64) int64 {
	return scaleFrames(inFrames, f.up, f.down)
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
// rate. If the filter changes nothing, s itself is returned.
func Resample(s Source, f *ResampleFilter) (Source, error) {
	in := s.Format()
	if in.SampleRate != f.inRate {
		return nil, fmt.Errorf("%w: source has %d Hz, the filter takes %d Hz", errFormat, in.SampleRate, f.inRate)
	}
	if f.inRate == f.outRate && f.up == f.down {
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
	n := len(dst) / ch
	if r.err != nil {
		n = int(min(int64(n), r.total-r.given))
	}
	// The frames up to which the history goes, in 1/up from the next output
	// frame's time on. A row may be padded by up to 7 zeros: the frames that
	// these meet must be there too.
	reach := (r.base+int64(len(r.hist[0])-f.row+f.half)-r.at)*f.up - 1 - r.rem
	if reach < 0 {
		return 0
	}
	n = int(min(int64(n), reach/f.down+1))
	if f.exact && int64(n) >= dotGroup*f.up {
		r.byRows(dst, n)
	} else {
		r.byFours(dst, n)
	}
	r.given += int64(n)
	return n
}

// from is where the history of the next output frame begins.
func (r *resampler) from() int { return int(r.at - int64(r.f.half-1) - r.base) }

// step goes frames output frames on.
func (r *resampler) step(frames int64) {
	r.rem += frames * r.f.down
	r.at += r.rem / r.f.up
	r.rem %= r.f.up
}

// byRows makes n output frames, those of each phase in one go: every up-th
// frame has the same row of coefficients.
func (r *resampler) byRows(dst []float32, n int) {
	f := r.f
	ch, up := len(r.hist), int(f.up)
	at, rem := r.at, r.rem
	for first := range min(up, n) {
		count := (n-first-1)/up + 1
		from, row := r.from(), f.coef[int(r.rem)*f.row:][:f.row]
		for c, h := range r.hist {
			dotRow(dst[first*ch+c:], up*ch, h[from:], int(f.down), row, count)
		}
		r.step(1)
	}
	r.at, r.rem = at, rem
	r.step(int64(n))
}

// byFours makes n output frames, four at a time, each with its own row of
// coefficients, or between two of them. A frame is the same whichever way it is
// made.
func (r *resampler) byFours(dst []float32, n int) {
	f := r.f
	ch := len(r.hist)
	for done := 0; done < n; done += 4 {
		k := min(n-done, 4)
		var lower, upper quad
		var w, a, b [4]float32
		for i := range k {
			p := int(r.rem)
			if !f.exact {
				u := float64(float64(r.rem)*float64(f.phases)) / float64(f.up)
				p = int(u)
				w[i] = float32(u - float64(p))
			}
			lower.x[i], lower.c[i] = r.from(), p*f.row
			upper.x[i], upper.c[i] = r.from(), (p+1)*f.row
			r.step(1)
		}
		for c, h := range r.hist {
			dot4(&a, h, f.coef, &lower, f.row)
			if !f.exact {
				dot4(&b, h, f.coef, &upper, f.row)
				for i, x := range a {
					a[i] = float32(x*(1-w[i])) + float32(b[i]*w[i])
				}
			}
			for i := range k {
				dst[(done+i)*ch+c] = a[i]
			}
		}
	}
}
