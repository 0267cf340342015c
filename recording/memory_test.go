package recording_test

import (
	"context"
	"encoding/binary"
	"io"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording"
)

// A call of a day takes as much memory as one of five seconds, into every
// output at once, and less than 32 MiB.
func TestADayTakesNoMoreMemory(t *testing.T) {
	day := 24 * time.Hour
	if slow > 1 || testing.Short() {
		day = time.Hour
	}
	short, long := peakHeap(t, 5*time.Second), peakHeap(t, day)
	t.Logf("5 s: %.1f MiB, %v: %.1f MiB", mib(short), day, mib(long))
	require.Less(t, mib(long), 32.0)
	require.Less(t, mib(long), mib(short)+4)
}

func mib(n uint64) float64 { return float64(n) / (1 << 20) }

// peakHeap is the most that is in use of the heap while a call of two legs is
// recorded.
func peakHeap(t *testing.T, span time.Duration) uint64 {
	t.Helper()
	runtime.GC()
	var peak, before uint64
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	before = m.HeapAlloc
	blocks := 0
	o := &recording.Options{Progress: func(int64, int64) {
		if blocks%256 == 0 {
			runtime.ReadMemStats(&m)
			peak = max(peak, m.HeapAlloc-min(before, m.HeapAlloc))
		}
		blocks++
	}}
	spec := sampleSpec()
	spec.EndedAt = spec.StartedAt.Add(span)
	spec.Legs[1].Segments[0].Offset = 0
	spec.Outputs = []record.OutputSpec{
		{Codec: record.CodecWAV, Layout: record.LayoutStereo},
		{Codec: record.CodecMulaw, Name: "law", Layout: record.LayoutMono},
		{Codec: record.CodecPeaksJSON, Layout: record.LayoutStereo, SamplesPerPixel: 8000},
	}
	r, err := recording.NewProcessor(synthetic{int64(span.Seconds() * 8000)}, nowhere{}, o).Process(t.Context(), spec, nil)
	require.NoError(t, err)
	require.Equal(t, span.Milliseconds(), r.Duration.Milliseconds())
	return peak
}

// synthetic legs are WAV files of a sawtooth that are nowhere in whole.
type synthetic struct{ frames int64 }

func (s synthetic) OpenLeg(context.Context, string) (io.ReadCloser, error) {
	head := []byte("RIFF\x00\x00\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00\x40\x1f\x00\x00\x80\x3e\x00\x00\x02\x00\x10\x00data\x00\x00\x00\x00")
	binary.LittleEndian.PutUint32(head[4:], uint32(36+2*s.frames))
	binary.LittleEndian.PutUint32(head[40:], uint32(2*s.frames))
	const period = 1 << 15
	saw := make([]byte, 2*period)
	for i := range period {
		binary.LittleEndian.PutUint16(saw[2*i:], uint16(int16(i-period/2)))
	}
	return &sawFile{head: head, saw: saw, size: int64(len(head)) + 2*s.frames}, nil
}

type sawFile struct {
	head, saw []byte
	size, at  int64
}

func (f *sawFile) Size() int64  { return f.size }
func (f *sawFile) Close() error { return nil }

func (f *sawFile) Read(p []byte) (int, error) {
	n, err := f.ReadAt(p, f.at)
	f.at += int64(n)
	if n > 0 {
		err = nil
	}
	return n, err
}

func (f *sawFile) ReadAt(p []byte, at int64) (n int, err error) {
	for n < len(p) && at < f.size {
		part := f.head[min(at, int64(len(f.head))):]
		if len(part) == 0 {
			part = f.saw[(at-int64(len(f.head)))%int64(len(f.saw)):]
		}
		c := copy(p[n:], part[:min(int64(len(part)), f.size-at)])
		n, at = n+c, at+int64(c)
	}
	if n < len(p) {
		err = io.EOF
	}
	return n, err
}

// nowhere takes objects and keeps nothing.
type nowhere struct{}

func (nowhere) Put(_ context.Context, k record.ObjectKey, _ record.ObjectMeta, write func(io.Writer) error) (record.ObjectInfo, error) {
	return record.ObjectInfo{Key: k, URL: "nowhere:" + k.String()}, write(io.Discard)
}
