package recordingtest

import (
	"errors"
	"io"
	"math"
	"math/rand/v2"

	goaudio "github.com/go-audio/audio"

	"github.com/switchtape/switchtape/recording/audio"
)

// Sine is frames samples of amplitude·sin(2π·hz·n/rate + phase).
func Sine(frames, rate int, hz, amplitude, phase float64) []float32 {
	s := make([]float32, frames)
	for i := range s {
		s[i] = float32(amplitude * math.Sin(2*math.Pi*hz*float64(i)/float64(rate)+phase))
	}
	return s
}

// Noise is uniform noise in [-amplitude, amplitude], the same for the same seed.
func Noise(samples int, amplitude float64, seed uint64) []float32 {
	r := rand.New(rand.NewPCG(seed, 0x5717c47a9e))
	s := make([]float32, samples)
	for i := range s {
		s[i] = float32(amplitude * (2*r.Float64() - 1))
	}
	return s
}

// Mono is a format of one channel.
func Mono(rate int) *goaudio.Format { return &goaudio.Format{NumChannels: 1, SampleRate: rate} }

// SNR is the ratio of the power of want to that of got-want, in dB; +Inf if
// they are equal. Both must have the same length.
func SNR(want, got []float32) float64 {
	var signal, noise float64
	for i, x := range want {
		d := float64(got[i]) - float64(x)
		signal += float64(x) * float64(x)
		noise += d * d
	}
	return 10 * math.Log10(signal/noise)
}

// Near reports whether got has as many samples as want, none further off than
// tolerance.
func Near(want, got []float32, tolerance float64) bool {
	if len(want) != len(got) {
		return false
	}
	for i, x := range want {
		if d := float64(got[i]) - float64(x); !(math.Abs(d) <= tolerance) { // a NaN is not near
			return false
		}
	}
	return true
}

// ErrBroken is the error of [Failing].
var ErrBroken = errors.New("recordingtest: the source broke")

// Failing is a Source of samples that ends with ErrBroken instead of io.EOF.
func Failing(f *goaudio.Format, samples []float32) audio.Source {
	return &failing{Source: audio.NewSource(f, samples)}
}

type failing struct{ audio.Source }

func (f *failing) ReadFrames(dst []float32) (int, error) {
	n, err := f.Source.ReadFrames(dst)
	if errors.Is(err, io.EOF) {
		err = ErrBroken
	}
	return n, err
}
