package analysis

import (
	"errors"
	"math"
	"strconv"
	"time"

	goaudio "github.com/go-audio/audio"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/recording/audio"
)

// The check correlates windows of 2 s in which one leg is loud and the other is
// not, by the generalised cross-correlation with phase transform (Knapp & Carter,
// IEEE TASSP 24(4), 1976). It takes only the spectrum's phases, between 200 and
// 3600 Hz, and averages them over the windows.
const (
	alignFrames    = 16384 // in a window, at 8 to 16 kHz
	alignLoud      = 3e-5  // mean square of a window with talk, -45 dBFS
	alignQuieter   = 0.5   // the other leg: 3 dB below
	alignSilent    = 1e-10 // the other leg: there is something
	alignFirst     = 16    // windows that are all taken; after them, 4 per octave
	alignOctave    = 4
	alignDoublings = 24
	alignLowHz     = 200
	alignHighHz    = 3600
	alignMaxMS     = 1000

	alignPeakToNoise = 8
	alignConfidence  = 0.4
	alignWindows     = 4
)

// Alignment says where one leg can be heard in the other: an echo of it, or
// crosstalk between the lines.
type Alignment struct {
	Legs [2]string `json:"legs"`
	// Heard are the traces of each leg in the other: [0] of the first leg in
	// the second, [1] of the second in the first.
	Heard [2]Trace `json:"heard"`
	// Detected: there is a trace. Without one the fields below mean nothing.
	Detected bool `json:"detected"`
	// DisagreementFrames is how much later the second leg is than its offset
	// says, in frames of the recording; negative if it is earlier. With traces both
	// ways it is half the difference of their lags: an echo path that is as long in
	// both directions cancels. With one trace it is the lag of that, and includes
	// the delay of the echo's path.
	DisagreementFrames int64         `json:"disagreement_frames"`
	Disagreement       time.Duration `json:"disagreement_ms"` // to 0.1
	// Confidence is that of the better trace.
	Confidence float64 `json:"confidence"`
}

// Trace is one leg heard in another.
type Trace struct {
	Detected bool `json:"detected"`
	// LagFrames is how much later the trace is than the talk, in frames of the
	// recording, to within the decimation of rates of 16 kHz and more. A negative
	// lag of more than a few frames shows that the offsets are wrong, as nobody is
	// heard before they talk.
	LagFrames int64 `json:"lag_frames"`
	// Confidence is 1 - (second highest peak / highest), in [0, 1], to 0.01; a
	// trace has 0.4 or more, and PeakToNoise of 8 or more, over 4 windows or more.
	Confidence float64 `json:"confidence"`
	// PeakToNoise is the peak over the root mean square of the correlation.
	PeakToNoise float64 `json:"peak_to_noise"`
	Windows     int     `json:"windows"` // that were correlated
}

// AlignmentCheck looks for the trace of each of two legs in the other. It keeps a
// window and two spectra, about 1 MB. It transforms at most 16 windows, and then 4
// for every doubling of the talk, so its cost hardly grows with the call.
type AlignmentCheck struct {
	in     *splitter
	engine alignEngine
	a, b   int // channels
}

// NewAlignmentCheck makes an AlignmentCheck of two channels of the recording.
func NewAlignmentCheck(f *goaudio.Format, first, second int) (*AlignmentCheck, error) {
	c := &AlignmentCheck{a: first, b: second}
	var err error
	if c.in, err = newSplitter(f, c.process); err != nil {
		return nil, err
	}
	if first < 0 || second < 0 || first == second || max(first, second) >= f.NumChannels {
		return nil, errors.New("analysis: an alignment check needs two channels of the recording")
	}
	c.engine.init(f.SampleRate)
	return c, nil
}

// WriteFrames implements [Tap].
func (c *AlignmentCheck) WriteFrames(src []float32) error { return c.in.write(src) }

// Finish implements [Tap]. A window that isn't whole isn't used.
func (c *AlignmentCheck) Finish() error {
	_, err := c.in.finish()
	return err
}

// Result is what was found; the legs are named by their channels.
func (c *AlignmentCheck) Result() Alignment {
	r := c.engine.result()
	r.Legs = [2]string{strconv.Itoa(c.a), strconv.Itoa(c.b)}
	return r
}

func (c *AlignmentCheck) process(planes [][]float32) error {
	c.engine.add(planes[c.a], planes[c.b])
	return nil
}

type alignEngine struct {
	rate     int
	factor   int // of decimation
	lowBin   int
	highBin  int
	fill     int // of the window
	pending  int // frames of the recording towards the next
	sumA     float64
	sumB     float64
	powerA   float64
	powerB   float64
	window   *fft // a as the real part, b as the imaginary
	traces   [2]alignTrace
	maxShift int
}

// alignTrace is the averaged spectrum of one direction.
type alignTrace struct {
	re, im  []float64
	found   int // windows that may be taken
	stride  int // one of so many is taken
	windows int
}

func (e *alignEngine) init(rate int) {
	factor := max(rate/8000, 1)
	work := float64(rate) / float64(factor)
	*e = alignEngine{
		rate: rate, factor: factor, window: newFFT(alignFrames),
		lowBin: int(alignLowHz * alignFrames / work), highBin: int(alignHighHz * alignFrames / work),
		maxShift: min(int(work)*alignMaxMS/1000, alignFrames/2-1),
	}
	for i := range e.traces {
		e.traces[i] = alignTrace{re: make([]float64, e.highBin+1), im: make([]float64, e.highBin+1), stride: 1}
	}
}

// add takes a chunk of both legs, the mean of every factor frames.
func (e *alignEngine) add(a, b []float32) {
	if e.factor == 1 {
		for len(a) > 0 {
			n := min(alignFrames-e.fill, len(a))
			re, im := e.window.re[e.fill:][:n], e.window.im[e.fill:][:n]
			w := b[:n]
			var pa, pb float64
			for i, v := range a[:n] {
				x, y := float64(v), float64(w[i])
				re[i], im[i] = x, y
				pa += float64(x * x)
				pb += float64(y * y)
			}
			e.powerA += pa
			e.powerB += pb
			a, b = a[n:], b[n:]
			e.advance(n)
		}
		return
	}
	for i, v := range a {
		e.sumA += float64(v)
		e.sumB += float64(b[i])
		e.pending++
		if e.pending == e.factor {
			x, y := e.sumA/float64(e.factor), e.sumB/float64(e.factor)
			e.window.re[e.fill], e.window.im[e.fill] = x, y
			e.powerA += float64(x * x)
			e.powerB += float64(y * y)
			e.sumA, e.sumB, e.pending = 0, 0, 0
			e.advance(1)
		}
	}
}

func (e *alignEngine) advance(n int) {
	e.fill += n
	if e.fill < alignFrames {
		return
	}
	pa, pb := e.powerA/alignFrames, e.powerB/alignFrames
	switch {
	case pa > alignLoud && pb < pa*alignQuieter && pb > alignSilent:
		e.correlate(&e.traces[0])
	case pb > alignLoud && pa < pb*alignQuieter && pa > alignSilent:
		e.correlate(&e.traces[1])
	}
	e.fill, e.powerA, e.powerB = 0, 0, 0
}

// correlate adds the window's cross-spectrum, conj(A)·B over its magnitude.
func (e *alignEngine) correlate(t *alignTrace) {
	t.found++
	if (t.found-1)%t.stride != 0 {
		return
	}
	t.windows++
	if t.windows >= alignFirst && (t.windows-alignFirst)%alignOctave == 0 && t.windows < alignFirst+alignOctave*alignDoublings {
		t.stride *= 2
	}
	re, im := e.window.re, e.window.im
	e.window.run(re, im)
	for k := e.lowBin; k <= e.highBin; k++ {
		// The transforms of two real signals out of that of one complex one.
		j := alignFrames - k
		ar, ai := (re[k]+re[j])/2, (im[k]-im[j])/2
		br, bi := (im[k]+im[j])/2, (re[j]-re[k])/2
		cr := float64(ar*br) + float64(ai*bi)
		ci := float64(ar*bi) - float64(ai*br)
		size := math.Sqrt(float64(cr*cr) + float64(ci*ci))
		if size > 1e-18 {
			t.re[k] += cr / size
			t.im[k] += ci / size
		}
	}
}

func (e *alignEngine) result() Alignment {
	var r Alignment
	// It needs a window of its own, as the other may be half full.
	f := *e.window
	f.re, f.im = make([]float64, alignFrames), make([]float64, alignFrames)
	for i := range e.traces {
		r.Heard[i] = e.traces[i].find(&f, e.lowBin, e.maxShift, e.factor)
	}
	r.Heard[1].LagFrames *= -1 // the spectra are all of the second leg over the first
	ab, ba := &r.Heard[0], &r.Heard[1]
	switch {
	case ab.Detected && ba.Detected:
		r.DisagreementFrames = (ab.LagFrames - ba.LagFrames) / 2
	case ab.Detected:
		r.DisagreementFrames = ab.LagFrames
	case ba.Detected:
		r.DisagreementFrames = -ba.LagFrames
	}
	r.Detected = ab.Detected || ba.Detected
	for _, t := range r.Heard {
		if t.Detected {
			r.Confidence = max(r.Confidence, t.Confidence)
		}
	}
	r.Disagreement = audio.DurationOf(r.DisagreementFrames, e.rate).Round(100 * time.Microsecond)
	return r
}

// find looks for the highest peak of the correlation.
func (t *alignTrace) find(f *fft, lowBin, maxShift, factor int) Trace {
	r := Trace{Windows: t.windows}
	if t.windows == 0 {
		return r
	}
	clear(f.re)
	clear(f.im)
	for k := lowBin; k < len(t.re); k++ { // the rest of the spectrum follows from it
		f.re[k], f.im[k] = t.re[k], t.im[k]
		f.re[alignFrames-k], f.im[alignFrames-k] = t.re[k], -t.im[k]
	}
	f.run(f.im, f.re) // inverse
	at := func(lag int) float64 { return math.Abs(f.re[(lag+alignFrames)%alignFrames]) }
	best, power := 0, 0.0
	for lag := -maxShift; lag <= maxShift; lag++ {
		v := at(lag)
		power += float64(v * v)
		if v > at(best) {
			best = lag
		}
	}
	second := 0.0
	const lobe = 16 // of a peak, which the limited band makes wide
	for lag := -maxShift; lag <= maxShift; lag++ {
		if lag < best-lobe || lag > best+lobe {
			second = max(second, at(lag))
		}
	}
	noise := math.Sqrt(power / float64(2*maxShift+1))
	if at(best) == 0 || noise == 0 {
		return r
	}
	r.LagFrames = int64(best * factor)
	r.Confidence = round(1-second/at(best), 100)
	r.PeakToNoise = round(at(best)/noise, 10)
	r.Detected = t.windows >= alignWindows && r.Confidence >= alignConfidence && r.PeakToNoise >= alignPeakToNoise
	return r
}

// MarshalJSON implements json.Marshaler.
func (a Alignment) MarshalJSON() ([]byte, error) { return callmodel.MarshalDurations(a) }

// UnmarshalJSON implements json.Unmarshaler.
func (a *Alignment) UnmarshalJSON(b []byte) error { return callmodel.UnmarshalDurations(b, a) }
