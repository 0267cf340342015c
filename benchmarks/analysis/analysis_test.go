//go:build unix

package analysis

import (
	"bytes"
	"encoding/binary"
	"syscall"
	"testing"

	goaudio "github.com/go-audio/audio"

	"github.com/switchtape/switchtape/recording/analysis"
	"github.com/switchtape/switchtape/recording/audio"
	"github.com/switchtape/switchtape/recording/recordingtest"
	"github.com/switchtape/switchtape/recording/recordingtest/samplecall"
)

// blockFrames is what the Processor's pipeline moves at a time.
const blockFrames = 4096

// legSamples is one leg of the sample call.
func legSamples(b *testing.B, file []byte) []float32 {
	b.Helper()
	at := bytes.Index(file, []byte("data"))
	if at < 0 {
		b.Fatal("no data chunk")
	}
	data := file[at+8:][:binary.LittleEndian.Uint32(file[at+4:])]
	out := make([]float32, len(data)/2)
	audio.GetPCM16(out, data)
	return out
}

// call is the sample call in two channels, a whole number of blocks.
func call(b *testing.B) []float32 {
	b.Helper()
	agent, customer := legSamples(b, samplecall.Agent()), legSamples(b, samplecall.Customer())
	out := make([]float32, samplecall.AgentFrames/blockFrames*blockFrames*2)
	for i := range len(out) / 2 {
		out[2*i] = agent[i]
		if at := i - int(samplecall.CustomerOffset.Seconds()*samplecall.SampleRateHz); at >= 0 {
			out[2*i+1] = customer[at]
		}
	}
	return out
}

func BenchmarkAnalysis(b *testing.B) {
	f := &goaudio.Format{NumChannels: 2, SampleRate: 8000}
	speech, noise := call(b), recordingtest.Noise(96*blockFrames*2, 0.4, 1)
	for _, bench := range []struct {
		name    string
		samples []float32
		open    func() (analysis.Tap, error)
	}{
		{"peaks", speech, func() (analysis.Tap, error) { return analysis.NewPeaks(f, nil) }},
		{"levels", speech, func() (analysis.Tap, error) { return analysis.NewLevelMeter(f, nil) }},
		{"loudness", speech, func() (analysis.Tap, error) { return analysis.NewLoudnessMeter(f) }},
		{"vad", speech, func() (analysis.Tap, error) { return analysis.NewVoiceDetector(f, nil) }},
		{"alignment", speech, func() (analysis.Tap, error) { return analysis.NewAlignmentCheck(f, 0, 1) }},
		{"all-stereo-8k", speech, func() (analysis.Tap, error) { return all(f) }},
		{"all-stereo-8k-noise", noise, func() (analysis.Tap, error) { return all(f) }},
	} {
		b.Run(bench.name, func(b *testing.B) {
			b.ReportAllocs()
			before, seconds := cpu(), 0.0
			for b.Loop() { // an hour, and the result
				tap, err := bench.open()
				if err != nil {
					b.Fatal(err)
				}
				for frames, at := 0, 0; frames < 3600*8000; frames += blockFrames {
					if err := tap.WriteFrames(bench.samples[at : at+2*blockFrames]); err != nil {
						b.Fatal(err)
					}
					at = (at + 2*blockFrames) % len(bench.samples)
				}
				if err := tap.Finish(); err != nil {
					b.Fatal(err)
				}
				if a, ok := tap.(*analysis.Analyzer); ok {
					a.Result()
				}
				seconds += 3600
			}
			b.ReportMetric(seconds/b.Elapsed().Seconds(), "x-realtime")
			b.ReportMetric((cpu()-before)/seconds*3600, "cpu-s/h")
		})
	}
}

func all(f *goaudio.Format) (analysis.Tap, error) {
	return analysis.NewAnalyzer(f, &analysis.AnalyzerOptions{Peaks: &analysis.PeaksOptions{}})
}

// cpu is the processor time that this process has used, in seconds.
func cpu() float64 {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return float64(u.Utime.Sec+u.Stime.Sec) + float64(u.Utime.Usec+u.Stime.Usec)/1e6
}
