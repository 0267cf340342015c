package recording_test

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording"
	"github.com/switchtape/switchtape/recording/recordingtest"
)

// conference is a call of n parties who come and go, none louder than peak.
func conference(t *testing.T, n int, peak float64) (memLegs, record.Spec) {
	t.Helper()
	legs := memLegs{}
	spec := sampleSpec()
	spec.Legs = nil
	for i := range n {
		uri := fmt.Sprintf("leg-%02d.wav", i)
		legs[uri] = pcmFile(t, 8000, recordingtest.Noise(4000+i*500, peak, uint64(i+1)))
		spec.Legs = append(spec.Legs, record.LegSpec{
			Name: fmt.Sprintf("party-%02d", i), Segments: []record.SegmentSpec{{URI: uri, Offset: ms(float64(i % 5 * 125))}},
		})
	}
	spec.Outputs = []record.OutputSpec{
		{Name: "mono", Codec: record.CodecWAV, Layout: record.LayoutMono},
		{Name: "many", Codec: record.CodecWAV, Layout: record.LayoutMultichannel},
	}
	return legs, spec
}

// A conference of any size is each party on its own channel, bit for bit, and a
// mix that is their sum to the end: nobody becomes louder or quieter because
// somebody else comes or goes, and the limiter does nothing below full scale.
func TestConferences(t *testing.T) {
	t.Parallel()
	for _, n := range []int{3, 8, record.MaxLegs} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			t.Parallel()
			legs, spec := conference(t, n, 0.99/float64(n))
			r, out := process(t, legs, spec, nil)
			require.Equal(t, record.StatusCompleted, r.Status)
			require.Empty(t, r.Defects)
			require.Equal(t, n, r.Outputs[1].Channels)
			mono, many := samplesOf(out["mono"]), samplesOf(out["many"])
			frames := int(r.Outputs[0].Frames)
			require.Len(t, mono, frames)
			require.Len(t, many, n*frames)
			want := make([]int, frames)
			for c := range n {
				at := c % 5 * 1000
				file := pcmSamples(legs[spec.Legs[c].Segments[0].URI])
				for f := range frames {
					x := 0
					if i := f - at; i >= 0 && i < len(file) {
						x = file[i]
					}
					if many[f*n+c] != x {
						require.Equal(t, x, many[f*n+c], "channel %d, frame %d", c, f)
					}
					want[f] += x
				}
			}
			require.Equal(t, want, mono)
		})
	}
}

// The talk of one party has no influence on another's channel, at any rate.
func TestChannelsAreApart(t *testing.T) {
	t.Parallel()
	const n, changed = 8, 3
	legs, spec := conference(t, n, 0.9)
	spec.Outputs = append(spec.Outputs, record.OutputSpec{
		Name: "wide", Codec: record.CodecWAV, Layout: record.LayoutMultichannel, SampleRateHz: 16000,
	})
	_, before := process(t, legs, spec, nil)
	uri := spec.Legs[changed].Segments[0].URI
	legs[uri] = pcmFile(t, 8000, recordingtest.Noise(len(legs[uri])/2-22, 1, 99))
	_, after := process(t, legs, spec, nil)
	for _, name := range []string{"many", "wide"} {
		a, b := samplesOf(before[name]), samplesOf(after[name])
		require.Len(t, b, len(a))
		differ := 0
		for i := range a {
			if i%n == changed {
				differ += min(max(a[i]-b[i], b[i]-a[i]), 1)
			} else if a[i] != b[i] {
				require.Equal(t, a[i], b[i], "%s, channel %d", name, i%n)
			}
		}
		require.Greater(t, differ, 1000)
	}
}

// A loud conference is brought within full scale by the limiter, and nothing is
// clipped.
func TestLoudConference(t *testing.T) {
	t.Parallel()
	legs, spec := conference(t, 8, 0.5)
	r, out := process(t, legs, spec, nil)
	require.Empty(t, r.Defects, "nothing is clipped")
	mono, many := samplesOf(out["mono"]), samplesOf(out["many"])
	above := 0
	for f, x := range mono {
		sum := 0
		for c := range 8 {
			sum += many[f*8+c]
		}
		if sum > 32767 || sum < -32768 {
			above++
		}
		require.LessOrEqual(t, max(x, -x), max(sum, -sum)+1, "frame %d: never louder than the sum", f)
	}
	require.Positive(t, above)
}

// Memory is bounded by the number of parties, not by how long they talk.
func TestMemoryOfAConference(t *testing.T) {
	grown := func(seconds int) uint64 {
		file := pcmFile(t, 8000, recordingtest.Noise(8000*seconds, 0.02, 1))
		legs := memLegs{}
		_, spec := conference(t, record.MaxLegs, 0.1)
		for i := range spec.Legs {
			legs[spec.Legs[i].Segments[0].URI] = file
		}
		spec.Outputs[0].SampleRateHz, spec.LevelLUFS, spec.Trim = 16000, -23, &record.TrimSpec{}
		spec.Pauses = []record.Pause{{From: ms(500), To: ms(900)}}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := recording.NewProcessor(legs, discard{}, nil).Process(t.Context(), spec, nil)
		require.NoError(t, err)
		runtime.ReadMemStats(&after)
		return after.TotalAlloc - before.TotalAlloc
	}
	short, long := grown(5), grown(60)
	require.Less(t, long, short+(1<<20), "bytes allocated in all")
	require.Less(t, long, uint64(96<<20))
	t.Logf("%d bytes for 5 s, %d for 60 s", short, long)
}
