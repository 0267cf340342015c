package recording_test

import (
	"bytes"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording"
	"github.com/switchtape/switchtape/recording/audio"
	"github.com/switchtape/switchtape/recording/recordingtest"
)

// trimmable is a call with sound from 1.5 s (the customer's) to 6 s (the
// agent's) of 10 s, and noise at -60 dBFS elsewhere.
func trimmable(t *testing.T) (memLegs, record.Spec) {
	t.Helper()
	agent, customer := recordingtest.Noise(80000, 0.001, 1), recordingtest.Noise(160000-16000, 0.001, 2)
	copy(agent[24000:48000], slices.Repeat([]float32{0.25, -0.25}, 12000))
	copy(customer[24000-16000:40000], slices.Repeat([]float32{-0.25, 0.25}, 12000))
	spec := sampleSpec()
	spec.Legs[1].Segments[0].Offset = ms(1000)
	spec.Outputs = []record.OutputSpec{
		{Name: "stereo", Codec: record.CodecWAV, Layout: record.LayoutStereo},
		{Name: "low", Codec: record.CodecWAV, Layout: record.LayoutStereo, SampleRateHz: 8000},
		{Name: "mono", Codec: record.CodecWAV, Layout: record.LayoutMono, SampleRateHz: 11025},
		{Name: "mp3", Codec: record.CodecMP3, Layout: record.LayoutMono},
	}
	return memLegs{"agent.wav": pcmFile(t, 8000, agent), "customer.wav": pcmFile(t, 16000, customer)}, spec
}

// Every output is a window of the untrimmed one, sample for sample, and all
// hold the same stretch of the call.
func TestTrim(t *testing.T) {
	t.Parallel()
	legs, spec := trimmable(t)
	_, whole := process(t, legs, spec, nil)
	spec.Trim = &record.TrimSpec{Keep: ms(200)}
	spec.Redactions = []record.Redaction{{From: 0, To: ms(500)}, {From: ms(1000), To: ms(1350)}, {From: ms(9000), To: ms(9500)}}
	r, trimmed := process(t, legs, spec, nil)
	require.Equal(t, record.StatusCompleted, r.Status)
	const from = 1300
	require.Equal(t, ms(from), r.Trimmed)
	// The agent's sound ends at 6 s; some of the filter that resamples it rings on.
	require.InDelta(t, 6200-from, r.Duration.Milliseconds(), 8)
	require.Equal(t, int64(50), r.Redacted.Milliseconds(), "what was trimmed isn't counted")
	for _, o := range r.Outputs[:3] {
		require.InDelta(t, audio.FramesIn(ms(float64(r.Duration.Milliseconds())), o.Rate), o.Frames, 1)
		require.Len(t, pcmSamples(trimmed[o.Name]), int(o.Frames)*o.Channels)
	}
	a, b := pcmSamples(whole["low"]), pcmSamples(trimmed["low"])
	behind := 2 * 8 * 100 // the redaction
	require.Equal(t, a[2*8*from+behind:][:len(b)-behind], b[behind:])
	for _, block := range []int{100, 8191, 65536} {
		_, again := process(t, legs, spec, &recording.Options{BlockFrames: block})
		for name := range trimmed {
			require.True(t, bytes.Equal(trimmed[name], again[name]), "%s by blocks of %d", name, block)
		}
	}
	alone := spec
	alone.Outputs = spec.Outputs[1:2]
	_, one := process(t, legs, alone, nil)
	require.True(t, bytes.Equal(trimmed["low"], one["low"]))
}

// A call without silence at its ends, or of nothing but silence, isn't changed.
func TestTrimNothing(t *testing.T) {
	t.Parallel()
	legs, spec := trimmable(t)
	_, whole := process(t, legs, spec, nil)
	for _, trim := range []*record.TrimSpec{
		{Keep: ms(9000)}, {ThresholdDBFS: -75, Keep: ms(20)}, {ThresholdDBFS: -10},
	} {
		spec.Trim = trim
		r, same := process(t, legs, spec, nil)
		require.Zero(t, r.Trimmed, "%+v", trim)
		require.Equal(t, int64(10000), r.Duration.Milliseconds())
		for name := range whole {
			require.True(t, bytes.Equal(whole[name], same[name]), "%s, %+v", name, trim)
		}
	}
}

// A last frame alone is found, and outputs too slow to show it hold a frame.
func TestTrimToTheLastFrame(t *testing.T) {
	t.Parallel()
	samples := make([]float32, 48001)
	samples[48000] = 0.5
	_, spec := trimmable(t)
	spec.Trim = &record.TrimSpec{}
	spec.Legs = spec.Legs[:1]
	spec.Outputs = spec.Outputs[:2]
	r, _ := process(t, memLegs{"agent.wav": pcmFile(t, 48000, samples)}, spec, nil)
	require.Equal(t, ms(1000), r.Trimmed)
	require.Equal(t, int64(1), r.Outputs[0].Frames)
	require.Equal(t, int64(1), r.Outputs[1].Frames)
}
