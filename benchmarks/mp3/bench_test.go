package mp3bench

import (
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"testing"

	goaudio "github.com/go-audio/audio"

	"github.com/switchtape/switchtape/recording/codec"
	"github.com/switchtape/switchtape/recording/codec/mp3"
)

// BenchmarkMP3 encodes 30 s of a speech-like signal for each iteration, in
// blocks of 20 ms. x-realtime is seconds of audio per second.
func BenchmarkMP3(b *testing.B) {
	for _, c := range []struct {
		name                    string
		rate, channels, bitrate int
	}{
		{"8k-mono-32k", 8000, 1, 32000},
		{"16k-mono-32k", 16000, 1, 32000},
		{"16k-stereo-64k", 16000, 2, 64000},
		{"44k-stereo-128k", 44100, 2, 128000},
	} {
		b.Run(c.name, func(b *testing.B) {
			const seconds = 30
			samples := speechLike(seconds*c.rate, c.channels, c.rate)
			f := &goaudio.Format{NumChannels: c.channels, SampleRate: c.rate}
			e, err := mp3.NewEncoder(io.Discard, f, codec.Options{Frames: codec.FramesUnknown, BitrateBps: c.bitrate}, nil)
			if err != nil {
				b.Fatal(err)
			}
			block := c.rate / 50 * c.channels
			b.ReportAllocs()
			for b.Loop() {
				for s := samples; len(s) > 0; s = s[min(block, len(s)):] {
					if err := e.WriteFrames(s[:min(block, len(s))]); err != nil {
						b.Fatal(err)
					}
				}
			}
			b.ReportMetric(seconds*float64(b.N)/b.Elapsed().Seconds(), "x-realtime")
		})
	}
}

// speechLike is a pulse train of moving pitch and noise through two resonances,
// in syllables with pauses; every channel speaks another text.
func speechLike(n, channels, rate int) []float32 {
	out := make([]float32, n*channels)
	fs := float64(rate)
	for ch := range channels {
		r := rand.New(rand.NewPCG(uint64(ch), 1))
		var y [2][2]float64
		phase, level, target := 0.0, 0.0, 0.0
		hz := [2]float64{500, 1500}
		for i := range n {
			if i%(rate/6) == 0 {
				target = []float64{0, 0.1, 0.2, 0.3}[r.IntN(4)]
				hz = [2]float64{300 + 500*r.Float64(), 900 + 1500*r.Float64()}
			}
			level += (target - level) * 50 / fs
			phase += (120 + 60*float64(ch) + 20*math.Sin(float64(i)*9/fs)) / fs
			x := 0.03 * (r.Float64() - 0.5)
			if phase >= 1 {
				phase--
				x++
			}
			sum := 0.0
			for k := range y {
				w, rad := 2*math.Pi*hz[k]/fs, math.Exp(-math.Pi*80/fs)
				v := x*math.Sin(w) + 2*rad*math.Cos(w)*y[k][0] - rad*rad*y[k][1]
				y[k][1], y[k][0] = y[k][0], v
				sum += v
			}
			out[i*channels+ch] = float32(max(-1, min(1, 2*level*sum+(r.Float64()-0.5)*0.001)))
		}
	}
	return out
}

func ExampleNoiseToMask() {
	tone, near, far := make([]float32, 8000), make([]float32, 8000), make([]float32, 8000)
	for i := range tone {
		w := 2 * math.Pi * float64(i) / 8000
		tone[i] = float32(0.5 * math.Sin(1000*w))
		near[i] = tone[i] + float32(0.001*math.Sin(1100*w)) // hidden by the tone
		far[i] = tone[i] + float32(0.001*math.Sin(3000*w))  // not hidden
	}
	hidden, _ := NoiseToMask(tone, near, 8000)
	heard, _ := NoiseToMask(tone, far, 8000)
	fmt.Println(hidden < 0, heard > 0)
	// Output: true true
}
