package recording_test

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording"
	"github.com/switchtape/switchtape/recording/audio"
	"github.com/switchtape/switchtape/recording/recordingtest"
)

// pausable is a call of 10 s at two rates, with outputs at others.
func pausable(t *testing.T) (memLegs, record.Spec) {
	t.Helper()
	legs := memLegs{
		"agent.wav":    pcmFile(t, 8000, recordingtest.Noise(80000, 0.4, 1)),
		"customer.wav": pcmFile(t, 16000, recordingtest.Noise(9*16000, 0.4, 2)),
	}
	spec := sampleSpec()
	spec.Legs[1].Segments[0].Offset = ms(1000)
	spec.Outputs = []record.OutputSpec{
		{Name: "stereo", Codec: record.CodecWAV, Layout: record.LayoutStereo, SampleRateHz: 8000},
		{Name: "mono", Codec: record.CodecWAV, Layout: record.LayoutMono, SampleRateHz: 11025},
		{Name: "wide", Codec: record.CodecWAV, Layout: record.LayoutMultichannel, SampleRateHz: 44100, BitDepth: 24},
		{Name: "mp3", Codec: record.CodecMP3, Layout: record.LayoutMono},
	}
	return legs, spec
}

// overlapping pauses, out of order, one past the end.
func somePauses() []record.Pause {
	return []record.Pause{
		{From: ms(7000), To: ms(7500.5)},
		{From: ms(2000), To: ms(2500)},
		{From: ms(2400), To: ms(3000)},
		{From: ms(9500), To: ms(60_000)},
	}
}

// A paused range is silent in every output and on every leg, whatever else the
// spec wants there; the rest of the call stays where it was.
func TestPauseInSilence(t *testing.T) {
	t.Parallel()
	legs, spec := pausable(t)
	_, plain := process(t, legs, spec, nil)
	spec.Pauses = somePauses()
	spec.Redactions = []record.Redaction{{From: ms(2900), To: ms(3400), With: record.RedactWithTone, Legs: []string{"agent"}}}
	r, paused := process(t, legs, spec, nil)
	require.Equal(t, record.StatusCompleted, r.Status)
	require.Equal(t, int64(10000), r.Duration.Milliseconds())
	require.Equal(t, int64(1000+501+500), r.Paused.Milliseconds())
	require.Equal(t, int64(500), r.Redacted.Milliseconds())
	require.Empty(t, r.Timeline)
	before, after := pcmSamples(plain["stereo"]), pcmSamples(paused["stereo"])
	tone := recordingtest.Sine(80000, 8000, 1000, 3276.8, 0)
	for i := range 80000 {
		switch in := func(from, to int) bool { return i >= from && i < to }; {
		case in(16000, 24000), in(56000, 60004), in(76000, 80000):
			require.Zero(t, after[2*i], "frame %d", i)
			require.Zero(t, after[2*i+1], "frame %d", i)
		case in(24040, 27160):
			require.InDelta(t, tone[i], after[2*i], 1, "frame %d: the redaction", i)
		case in(16000-41, 27200+41), in(56000-41, 60004+41), in(76000-41, 80000): // fades
		default:
			require.Equal(t, before[2*i], after[2*i], "frame %d", i)
		}
	}
}

// Cut pauses are taken out to the frame, in every output alike, between faded
// ends; the timeline says what was when.
func TestPauseIsCut(t *testing.T) {
	t.Parallel()
	legs, spec := pausable(t)
	spec.Pauses = somePauses()
	_, silent := process(t, legs, spec, nil)
	spec.PauseMode = record.PauseCut
	r, cut := process(t, legs, spec, nil)
	require.Equal(t, record.StatusCompleted, r.Status)
	want := []record.TimelinePiece{
		{CallFrom: 0, CallTo: ms(2000), At: 0},
		{CallFrom: ms(3000), CallTo: ms(7000), At: ms(2000)},
		{CallFrom: ms(7500.5), CallTo: ms(9500), At: ms(6000)},
	}
	require.Equal(t, want, r.Timeline)
	require.Equal(t, int64(8000), r.Duration.Milliseconds()) // 7999.5
	require.Equal(t, int64(2001), r.Paused.Milliseconds())
	for _, o := range r.Outputs {
		require.Equal(t, audio.FramesIn(ms(7999.5), o.Rate), o.Frames, o.Name)
	}
	for _, o := range r.Outputs[:2] {
		a, b := pcmSamples(silent[o.Name]), pcmSamples(cut[o.Name])
		require.Len(t, b, int(o.Frames)*o.Channels)
		for _, p := range r.Timeline {
			from, at := audio.FramesIn(p.CallFrom, o.Rate), audio.FramesIn(p.At, o.Rate)
			n := audio.FramesIn((p.At+p.CallTo-p.CallFrom), o.Rate) - at
			ch := int64(o.Channels)
			require.Equal(t, a[from*ch:(from+n)*ch], b[at*ch:(at+n)*ch], "%s from %v", o.Name, p.CallFrom)
		}
	}
	for _, block := range []int{100, 8191, 65536} {
		_, again := process(t, legs, spec, &recording.Options{BlockFrames: block})
		for name := range cut {
			require.True(t, bytes.Equal(cut[name], again[name]), "%s by blocks of %d", name, block)
		}
	}
}

// Paused audio has no influence on any output, in either mode, nor on what is
// trimmed or how much legs are amplified.
func TestPausedAudioHasNoInfluence(t *testing.T) {
	t.Parallel()
	legs, spec := pausable(t)
	spec.Pauses = somePauses()
	other := memLegs{}
	for uri, l := range map[string]struct {
		rate   int
		offset time.Duration
	}{"agent.wav": {8000, 0}, "customer.wav": {16000, ms(1000)}} {
		b := bytes.Clone(legs[uri])
		loud := pcmFile(t, 8000, recordingtest.Noise(len(b)/2, 0.99, 9))
		for i := 0; 44+2*i < len(b); i++ {
			at := l.offset + audio.DurationOf(int64(i), l.rate)
			if slices.ContainsFunc(spec.Pauses, func(p record.Pause) bool { return at >= p.From && at < p.To }) {
				copy(b[44+2*i:46+2*i], loud[44+2*i:])
			}
		}
		require.NotEqual(t, b, legs[uri])
		other[uri] = b
	}
	for _, mode := range []string{record.PauseSilence, record.PauseCut} {
		for _, more := range []bool{false, true} {
			spec.PauseMode = mode
			spec.Trim, spec.LevelLUFS = nil, 0
			if more {
				spec.Trim, spec.LevelLUFS = &record.TrimSpec{Keep: ms(10)}, -23
			}
			a, want := process(t, legs, spec, nil)
			b, got := process(t, other, spec, &recording.Options{BlockFrames: 1001})
			for name := range want {
				require.True(t, bytes.Equal(want[name], got[name]), "%s, %s, trimmed and levelled: %v", name, mode, more)
			}
			require.Equal(t, a.Timeline, b.Timeline)
		}
	}
}

// Trimming and cutting go together: the timeline has both, and a cut at the
// trimmed end adds nothing.
func TestTrimAndCut(t *testing.T) {
	t.Parallel()
	legs, spec := trimmable(t) // sound from 1.5 s to 6 s of 10 s
	spec.Outputs = spec.Outputs[:2]
	spec.Trim = &record.TrimSpec{Keep: ms(200)}
	spec.PauseMode = record.PauseCut
	spec.Pauses = []record.Pause{{From: 0, To: ms(1400)}, {From: ms(3000), To: ms(3500)}, {From: ms(8000), To: ms(9000)}}
	r, out := process(t, legs, spec, nil)
	require.Equal(t, ms(1300), r.Trimmed)
	require.Len(t, r.Timeline, 2)
	require.Equal(t, record.TimelinePiece{CallFrom: ms(1400), CallTo: ms(3000)}, r.Timeline[0])
	require.Equal(t, ms(3500), r.Timeline[1].CallFrom)
	require.Equal(t, ms(1600), r.Timeline[1].At)
	for _, o := range r.Outputs {
		require.Len(t, pcmSamples(out[o.Name]), int(o.Frames)*o.Channels)
		require.InDelta(t, audio.FramesIn(ms(float64(r.Duration.Milliseconds())), o.Rate), o.Frames, 2)
	}
	spec.Pauses, spec.PauseMode = nil, ""
	r, _ = process(t, legs, spec, nil)
	require.Len(t, r.Timeline, 1, "trimming alone has a timeline too")
	require.Equal(t, r.Trimmed, r.Timeline[0].CallFrom)
}

// A call that was paused throughout has no outputs, if pauses are cut.
func TestPausedThroughout(t *testing.T) {
	t.Parallel()
	legs, spec := pausable(t)
	spec.Pauses = []record.Pause{{From: 0, To: ms(5000)}, {From: ms(5000.5), To: ms(11_000)}}
	spec.PauseMode = record.PauseCut
	objects := &memObjects{}
	r, err := recording.NewProcessor(legs, objects, nil).Process(t.Context(), spec, nil)
	require.NoError(t, err)
	require.Equal(t, record.StatusAbsent, r.Status)
	require.Equal(t, record.ReasonPaused, r.Reason)
	require.Empty(t, objects.data)
	require.Len(t, r.Legs, 2)
	require.NotEmpty(t, r.Legs[0].SHA256)
	spec.PauseMode = ""
	r, _ = process(t, legs, spec, nil)
	require.Equal(t, int64(10000), r.Duration.Milliseconds())
}

// A thousand joints leave outputs of different rates in step.
func TestManyCuts(t *testing.T) {
	t.Parallel()
	legs, spec := pausable(t)
	spec.PauseMode = record.PauseCut
	for i := range record.MaxPauses {
		spec.Pauses = append(spec.Pauses, record.Pause{From: ms(float64(10*i) + 3.37), To: ms(float64(10*i) + 8.73)})
	}
	r, out := process(t, legs, spec, nil)
	kept := ms(10_000 - 1000*5.36)
	for _, o := range r.Outputs {
		require.InDelta(t, audio.FramesIn(kept, o.Rate), o.Frames, 1, o.Name)
	}
	require.Len(t, pcmSamples(out["mono"]), int(r.Outputs[1].Frames))
	require.Len(t, r.Timeline, 1001)
}
