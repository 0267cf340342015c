package audio_test

import (
	"fmt"
	"testing"

	"github.com/switchtape/switchtape/recording/audio"
	"github.com/switchtape/switchtape/recording/recordingtest"
)

// BenchmarkResample converts one channel; x-realtime is seconds of it in a second.
func BenchmarkResample(b *testing.B) {
	for _, r := range [][2]int{{8000, 16000}, {16000, 8000}, {44100, 8000}, {8000, 11025}, {44101, 8000}} {
		b.Run(fmt.Sprintf("%d-%d", r[0], r[1]), func(b *testing.B) {
			f, err := audio.NewResampleFilter(r[0], r[1])
			if err != nil {
				b.Fatal(err)
			}
			in := recordingtest.Noise(10*r[0], 0.5, 1)
			block := make([]float32, 4096)
			b.ReportAllocs()
			for b.Loop() {
				s, err := audio.Resample(audio.NewSource(recordingtest.Mono(r[0]), in), f)
				if err != nil {
					b.Fatal(err)
				}
				for err == nil {
					_, err = s.ReadFrames(block)
				}
			}
			b.ReportMetric(10*float64(b.N)/b.Elapsed().Seconds(), "x-realtime")
		})
	}
}

// BenchmarkNewResampleFilter is what a recording pays once for a pair of rates.
func BenchmarkNewResampleFilter(b *testing.B) {
	for _, r := range [][2]int{{8000, 16000}, {44100, 8000}, {8000, 11025}, {44101, 8000}} {
		b.Run(fmt.Sprintf("%d-%d", r[0], r[1]), func(b *testing.B) {
			for b.Loop() {
				if _, err := audio.NewResampleFilter(r[0], r[1]); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
