//go:build unix

package recording

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"syscall"
	"testing"
	"time"

	goaudio "github.com/go-audio/audio"

	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording"
	"github.com/switchtape/switchtape/recording/codec"
	"github.com/switchtape/switchtape/recording/codec/wav"
	"github.com/switchtape/switchtape/recording/recordingtest"
)

type legs map[string][]byte

func (l legs) OpenLeg(_ context.Context, uri string) (io.ReadCloser, error) {
	return file{bytes.NewReader(l[uri])}, nil
}

type file struct{ *bytes.Reader }

func (file) Close() error { return nil }

// sink takes objects as a store does: it counts and, if hash is set, hashes them.
type sink struct{ hash bool }

func (s sink) Put(
	_ context.Context, key record.ObjectKey, _ record.ObjectMeta, write func(io.Writer) error,
) (record.ObjectInfo, error) {
	h := sha256.New()
	n := &counter{w: io.Discard}
	if s.hash {
		n.w = h
	}
	err := write(n)
	return record.ObjectInfo{Key: key, Bytes: n.n, SHA256: hex.EncodeToString(h.Sum(nil))}, err
}

type counter struct {
	w io.Writer
	n int64
}

func (c *counter) Write(p []byte) (int, error) {
	c.n += int64(len(p))
	return c.w.Write(p)
}

func leg(b testing.TB, seconds int, seed uint64) []byte {
	b.Helper()
	var out bytes.Buffer
	frames := seconds * 8000
	e, err := wav.NewPCM(&out, &goaudio.Format{NumChannels: 1, SampleRate: 8000}, codec.Options{Frames: int64(frames)})
	if err != nil {
		b.Fatal(err)
	}
	second := recordingtest.Noise(8000, 0.4, seed)
	for range seconds {
		if err := e.WriteFrames(second); err != nil {
			b.Fatal(err)
		}
	}
	if err := e.Finish(); err != nil {
		b.Fatal(err)
	}
	return out.Bytes()
}

func BenchmarkProcess(b *testing.B) {
	const seconds = 3600
	from := legs{"a": leg(b, seconds, 1), "b": leg(b, seconds, 2)}
	wavMix := record.OutputSpec{Codec: record.CodecWAV, Layout: record.LayoutMono}
	wavMerge := record.OutputSpec{Codec: record.CodecWAV, Layout: record.LayoutStereo}
	for _, bench := range []struct {
		name    string
		outputs []record.OutputSpec
		hash    bool
	}{
		{"mix-wav", []record.OutputSpec{wavMix}, false},
		{"merge-wav", []record.OutputSpec{wavMerge}, false},
		{"merge-wav-hashed", []record.OutputSpec{wavMerge}, true},
		{"merge-flac", []record.OutputSpec{{Codec: record.CodecFLAC, Layout: record.LayoutStereo}}, false},
		{"flac-mp3-peaks-analysis", []record.OutputSpec{
			{Codec: record.CodecFLAC, Layout: record.LayoutStereo},
			{Codec: record.CodecMP3, Layout: record.LayoutMono},
			{Codec: record.CodecPeaksJSON, Layout: record.LayoutStereo},
			{Codec: record.CodecAnalysis},
		}, true},
		{"mix-mulaw", []record.OutputSpec{{Codec: record.CodecMulaw, Layout: record.LayoutMono}}, false},
		{"mix-and-merge-wav", []record.OutputSpec{{Name: "mono", Codec: record.CodecWAV, Layout: record.LayoutMono}, wavMerge}, false},
		{"mix-wav-16k", []record.OutputSpec{{Codec: record.CodecWAV, Layout: record.LayoutMono, SampleRateHz: 16000}}, false},
		{"merge-wav-16k", []record.OutputSpec{{Codec: record.CodecWAV, Layout: record.LayoutStereo, SampleRateHz: 16000}}, false},
	} {
		b.Run(bench.name, func(b *testing.B) {
			p := recording.NewProcessor(from, sink{hash: bench.hash}, nil)
			started := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
			spec := record.Spec{
				TenantID: "t", CallID: "c", RecordingID: "r", StartedAt: started,
				Legs: []record.LegSpec{
					{Name: "a", Segments: []record.SegmentSpec{{URI: "a"}}},
					{Name: "b", Segments: []record.SegmentSpec{{URI: "b"}}},
				},
				Outputs: bench.outputs,
			}
			b.ReportAllocs()
			before := cpu()
			for b.Loop() {
				if _, err := p.Process(b.Context(), spec, nil); err != nil {
					b.Fatal(err)
				}
			}
			perCall := b.Elapsed().Seconds() / float64(b.N)
			b.ReportMetric(seconds/perCall, "x-realtime")
			b.ReportMetric((cpu()-before)/float64(b.N), "cpu-s/h")
		})
	}
}

// BenchmarkLegHashes is crypto/sha256 over the two legs and nothing else: no
// reading, no samples. A recording hashes its legs too, two at a time where the
// processor can: see recording/internal/legsum.
func BenchmarkLegHashes(b *testing.B) {
	const bytes = 2 * 2 * 8000 * 3600
	block := make([]byte, 32<<10)
	before := cpu()
	for b.Loop() {
		h := sha256.New()
		for n := 0; n < bytes; n += len(block) {
			h.Write(block)
		}
	}
	b.ReportMetric((cpu()-before)/float64(b.N), "cpu-s/h")
}

// cpu is the processor time that this process has used, in seconds.
func cpu() float64 {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return float64(u.Utime.Sec+u.Stime.Sec) + float64(u.Utime.Usec+u.Stime.Usec)/1e6
}
