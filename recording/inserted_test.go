package recording_test

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording/recordingtest"
)

// A leg of 62.4 s in a call of a minute, as a recorder put 40 ms of silence into each
// second, is as long as the call, and in step with it.
func TestInsertedSilenceIsLeftOut(t *testing.T) {
	t.Parallel()
	const rate = 8000
	span := time.Minute
	sound := clicks(rate, span, 0)
	for i, v := range recordingtest.Noise(len(sound), 0.001, 1) {
		sound[i] += v
	}
	var long []float32
	for second := range slices.Chunk(sound, rate) {
		long = append(append(long, make([]float32, rate/25)...), second...)
	}
	spec := driftSpec(span, 0)
	r, out := process(t, map[string][]byte{
		spec.Legs[0].Segments[0].URI: pcmFile(t, rate, sound), spec.Legs[1].Segments[0].URI: pcmFile(t, rate, long),
	}, spec, nil)
	require.Equal(t, record.StatusCompletedDegraded, r.Status)
	require.Len(t, r.Defects, 1, "%v", r.Defects)
	require.Equal(t, record.DefectInsertedSilence, r.Defects[0].Code)
	require.Equal(t, int64(60*rate/25), r.Defects[0].Count)
	require.Contains(t, r.Defects[0].Detail, "the file is 2.4s longer than the leg lasted, and has silence of 40ms every 1.04s, 60 times")
	require.Equal(t, span, r.Duration)
	require.Equal(t, int64(60*rate), r.Legs[1].Frames)
	require.Less(t, worstClick(t, pcmSamples(out["stereo"]), 2, 1, rate, span), 1.0)
	samples := pcmSamples(out["stereo"])
	for i := 0; i < len(samples); i += 2 {
		require.Equal(t, samples[i], samples[i+1], "frame %d", i/2)
	}

	// Where the beat fails it is left, and named.
	broken := slices.Concat(long[:10*rate], sound[:rate/20], long[10*rate:])
	r, _ = process(t, map[string][]byte{
		spec.Legs[0].Segments[0].URI: pcmFile(t, rate, sound), spec.Legs[1].Segments[0].URI: pcmFile(t, rate, broken),
	}, spec, nil)
	var codes []record.DefectCode
	for _, d := range r.Defects {
		codes = append(codes, d.Code)
	}
	require.Contains(t, codes, record.DefectInsertedSuspected, "%v", r.Defects)
	require.Contains(t, codes, record.DefectBeyondSpan)
}

// A burst of noise at the end of each file is named, and doesn't change how loud the leg is
// made.
func TestBurstAtTheEndOfAFile(t *testing.T) {
	t.Parallel()
	const rate = 8000
	plain, burst := map[string][]byte{}, map[string][]byte{}
	spec := sampleSpec()
	spec.Outputs = []record.OutputSpec{{Codec: record.CodecWAV, Layout: record.LayoutStereo}}
	spec.LevelLUFS = -33
	spec.Legs[0].Segments = nil
	for i := range 10 {
		name := string(rune('a' + i))
		spec.Legs[0].Segments = append(spec.Legs[0].Segments, record.SegmentSpec{URI: name, Offset: time.Duration(i) * time.Second})
		s := recordingtest.Sine(rate-160, rate, 400, 0.02, 1)
		plain[name] = pcmFile(t, rate, append(slices.Clone(s), make([]float32, 160)...))
		burst[name] = pcmFile(t, rate, append(slices.Clone(s), recordingtest.Noise(160, 0.2, uint64(i))...))
	}
	other := sampleLegs()[spec.Legs[1].Segments[0].URI]
	plain[spec.Legs[1].Segments[0].URI], burst[spec.Legs[1].Segments[0].URI] = other, other
	want, _ := process(t, plain, spec, nil)
	got, _ := process(t, burst, spec, nil)
	require.InDelta(t, want.Legs[0].GainDB, got.Legs[0].GainDB, 0)
	require.NotZero(t, want.Legs[0].GainDB)
	require.Empty(t, want.Defects)
	require.Len(t, got.Defects, 10, "%v", got.Defects)
	for i, d := range got.Defects {
		require.Equal(t, record.DefectEndBurst, d.Code)
		require.Contains(t, d.Detail, `segment "`+string(rune('a'+i))+`": the file's last 20 ms`)
	}
	require.Equal(t, record.StatusCompleted, got.Status)
}
