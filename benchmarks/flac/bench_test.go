package flacbench

import (
	"bytes"
	"io"
	"syscall"
	"testing"
	"time"

	goaudio "github.com/go-audio/audio"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/recording/codec"
	"github.com/switchtape/switchtape/recording/codec/flac"
	"github.com/switchtape/switchtape/recording/codec/wav"
	"github.com/switchtape/switchtape/recording/recordingtest"
	"github.com/switchtape/switchtape/recording/recordingtest/samplecall"
)

// BenchmarkFLAC encodes the sample call once for each iteration, in blocks of
// 20 ms: the customer's leg, or both legs as two channels. x-realtime is seconds
// of audio per second; cpu-s/h is seconds of CPU per hour of audio.
func BenchmarkFLAC(b *testing.B) {
	for _, c := range []struct {
		name     string
		channels int
	}{
		{"8k-mono", 1},
		{"8k-stereo", 2},
	} {
		b.Run(c.name, func(b *testing.B) {
			samples := sampleCall(b, c.channels)
			f := &goaudio.Format{NumChannels: c.channels, SampleRate: samplecall.SampleRateHz}
			e, err := flac.New(io.Discard, f, codec.Options{Frames: codec.FramesUnknown})
			require.NoError(b, err)
			block := f.SampleRate / 50 * c.channels
			before := ownCPU(b)
			b.ReportAllocs()
			for b.Loop() {
				for s := samples; len(s) > 0; s = s[min(block, len(s)):] {
					if err := e.WriteFrames(s[:min(block, len(s))]); err != nil {
						b.Fatal(err)
					}
				}
			}
			seconds := float64(b.N) * float64(len(samples)/c.channels) / float64(f.SampleRate)
			b.ReportMetric(seconds/b.Elapsed().Seconds(), "x-realtime")
			b.ReportMetric((ownCPU(b)-before).Seconds()/seconds*3600, "cpu-s/h")
		})
	}
}

// sampleCall is the customer's leg, or the agent's and the customer's as two channels.
func sampleCall(tb testing.TB, channels int) []float32 {
	tb.Helper()
	customer := leg(tb, samplecall.Customer())
	if channels == 1 {
		return customer
	}
	agent := leg(tb, samplecall.Agent())
	out := make([]float32, 2*len(agent))
	offset := int(samplecall.CustomerOffset.Seconds() * samplecall.SampleRateHz)
	for i, v := range agent {
		out[2*i] = v
	}
	for i, v := range customer[:min(len(customer), len(agent)-offset)] {
		out[2*(i+offset)+1] = v
	}
	return out
}

func leg(tb testing.TB, file []byte) []float32 {
	tb.Helper()
	s, _, err := wav.Decode(bytes.NewReader(file), codec.Hint{Size: int64(len(file))})
	require.NoError(tb, err)
	return recordingtest.ReadAll(tb, s)
}

func ownCPU(tb testing.TB) time.Duration {
	tb.Helper()
	var r syscall.Rusage
	require.NoError(tb, syscall.Getrusage(syscall.RUSAGE_SELF, &r))
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}
