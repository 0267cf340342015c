package recording_test

import (
	"bytes"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording"
	"github.com/switchtape/switchtape/recording/audio"
	"github.com/switchtape/switchtape/recording/recordingtest"
)

func ms(n float64) time.Duration { return time.Duration(n * float64(time.Millisecond)) }

// process makes the recording and returns it with its objects by output name.
func process(t *testing.T, legs memLegs, spec record.Spec, o *recording.Options) (record.Result, map[string][]byte) {
	t.Helper()
	objects := &memObjects{}
	r, err := recording.NewProcessor(legs, objects, o).Process(t.Context(), spec, nil)
	require.NoError(t, err)
	named := map[string][]byte{}
	for _, out := range r.Outputs {
		named[out.Name] = objects.data[out.Key]
	}
	return r, named
}

// Every output is the same to the byte whatever the redacted ranges hold, with
// legs of several rates, segments and offsets between frames.
func TestRedactedAudioHasNoInfluence(t *testing.T) {
	t.Parallel()
	spec := sampleSpec()
	spec.Legs[0].Segments = []record.SegmentSpec{{URI: "a1.wav"}, {URI: "a2.wav", Offset: ms(2300.03)}}
	spec.Legs[1].Segments = []record.SegmentSpec{{URI: "b.wav", Offset: ms(499.9)}}
	spec.Redactions = []record.Redaction{
		{From: ms(1000), To: ms(2500.5)},
		{From: ms(700), To: ms(900.333), Legs: []string{"customer"}, With: record.RedactWithTone},
	}
	spec.Outputs = []record.OutputSpec{
		{Name: "mono", Codec: record.CodecWAV, Layout: record.LayoutMono},
		{Name: "stereo", Codec: record.CodecWAV, Layout: record.LayoutStereo, BitDepth: 24, SampleRateHz: 16000},
		{Name: "mp3", Codec: record.CodecMP3, Layout: record.LayoutMono, SampleRateHz: 16000},
		{Name: "odd", Codec: record.CodecWAV, Layout: record.LayoutMultichannel, BitDepth: 24, SampleRateHz: 11025},
		{Name: "law", Codec: record.CodecMulaw, Layout: record.LayoutMono, SampleRateHz: 8000},
	}
	files := []struct {
		uri          string
		rate, frames int
		offset       time.Duration
		leg          string
	}{
		{uri: "a1.wav", rate: 8000, frames: 12345, leg: "agent"},
		{uri: "a2.wav", rate: 11025, frames: 15000, offset: ms(2300.03), leg: "agent"},
		{uri: "b.wav", rate: 44100, frames: 140000, offset: ms(499.9), leg: "customer"},
	}
	for name, only8k := range map[string]bool{"several rates": false, "one rate": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			spec := spec
			if only8k {
				spec.Legs = slices.Clone(spec.Legs) // offsets on the grid: the mix is resampled as a whole
				spec.Legs[0].Segments = []record.SegmentSpec{{URI: "a1.wav"}, {URI: "a2.wav", Offset: ms(2300)}}
				spec.Legs[1].Segments = []record.SegmentSpec{{URI: "b.wav", Offset: ms(500)}}
			}
			one, other := memLegs{}, memLegs{}
			changed := 0
			for i, f := range files {
				if only8k {
					f.rate, f.offset = 8000, f.offset.Round(100*time.Millisecond)
				}
				a := recordingtest.Noise(f.frames, 0.4, uint64(i))
				b := slices.Clone(a)
				for n, x := range recordingtest.Noise(f.frames, 0.9, uint64(i)+10) {
					at := f.offset + audio.DurationOf(int64(n), f.rate)
					for _, r := range spec.Redactions {
						if r.Covers(f.leg) && at >= r.From && at < r.To {
							b[n] = x
							changed++
						}
					}
				}
				one[f.uri], other[f.uri] = pcmFile(t, f.rate, a), pcmFile(t, f.rate, b)
			}
			require.Greater(t, changed, 15000)
			r, want := process(t, one, spec, nil)
			require.Equal(t, record.StatusCompleted, r.Status, r.Defects)
			require.Equal(t, int64(1701), r.Redacted.Milliseconds())
			_, got := process(t, other, spec, &recording.Options{BlockFrames: 777})
			for name := range want {
				require.True(t, bytes.Equal(want[name], got[name]), name)
			}
			spec.Redactions = nil
			r, plain := process(t, one, spec, nil)
			require.Zero(t, r.Redacted)
			require.False(t, bytes.Equal(plain["mono"], want["mono"]))
		})
	}
}

// A range that begins after the call's end silences nothing, which is said: what it
// was to hide may be elsewhere. One that only ends after it is as good as any.
func TestRangesOutside(t *testing.T) {
	t.Parallel()
	legs := memLegs{
		"agent.wav":    pcmFile(t, 8000, recordingtest.Noise(24000, 0.4, 1)),
		"customer.wav": pcmFile(t, 8000, recordingtest.Noise(8000, 0.4, 2)),
	}
	spec := sampleSpec()
	spec.Redactions = []record.Redaction{{From: ms(2000), To: ms(9000)}, {From: ms(300_000), To: ms(360_000)}}
	spec.Pauses = []record.Pause{{From: ms(3000), To: ms(3001)}}
	r, _ := process(t, legs, spec, nil)
	require.Equal(t, []record.Defect{
		{Code: record.DefectRangeOutside, Detail: "redactions[1]: 5m0s to 6m0s lies after the call's end at 3s: nothing was silenced by it"},
		{Code: record.DefectRangeOutside, Detail: "pauses[0]: 3s to 3.001s lies after the call's end at 3s: nothing was silenced by it"},
	}, r.Defects)
	require.Equal(t, record.StatusCompletedDegraded, r.Status)

	objects := &memObjects{}
	_, err := recording.NewProcessor(legs, objects, nil).Process(t.Context(), spec, &recording.ProcessOptions{RefuseOutside: true})
	fields, ok := errors.AsType[callmodel.FieldErrors](err)
	require.True(t, ok, "%v", err)
	require.Len(t, fields, 2)
	require.Equal(t, "redactions[1]", fields[0].Path)
	require.Empty(t, objects.data, "nothing was put")
}

// The range holds silence, or the tone, exactly, on the legs it is of; the rest
// of the call is untouched.
func TestRedactedRange(t *testing.T) {
	t.Parallel()
	legs := memLegs{
		"agent.wav":    pcmFile(t, 8000, recordingtest.Noise(24000, 0.4, 1)),
		"customer.wav": pcmFile(t, 8000, recordingtest.Noise(8000, 0.4, 2)),
	}
	spec := sampleSpec()
	spec.Outputs = []record.OutputSpec{{Codec: record.CodecWAV, Layout: record.LayoutStereo}}
	_, plain := process(t, legs, spec, nil)
	spec.Redactions = []record.Redaction{
		{From: ms(500), To: ms(1000), Legs: []string{"agent"}},
		{From: ms(1500), To: ms(2500), Legs: []string{"customer"}, With: record.RedactWithTone},
	}
	r, redacted := process(t, legs, spec, nil)
	require.Equal(t, int64(1500), r.Redacted.Milliseconds())
	before, after := pcmSamples(plain[""]), pcmSamples(redacted[""])
	tone := recordingtest.Sine(24000, 8000, 1000, 3276.8, 0)
	for i := range 24000 {
		switch {
		case i >= 4000 && i < 8000:
			require.Zero(t, after[2*i], "frame %d", i)
		case i < 4000-41 || i >= 8000+41: // 5 ms and a frame
			require.Equal(t, before[2*i], after[2*i], "frame %d", i)
		}
		switch {
		case i >= 12040 && i < 19960: // the customer's file begins within it
			require.InDelta(t, tone[i], after[2*i+1], 0.6, "frame %d", i)
		case i < 12000 || i >= 20041:
			require.Equal(t, before[2*i+1], after[2*i+1], "frame %d", i)
		}
	}
}
