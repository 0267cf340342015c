package recording_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"math"
	"sync/atomic"
	"testing"

	goaudio "github.com/go-audio/audio"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording"
	"github.com/switchtape/switchtape/recording/analysis"
	"github.com/switchtape/switchtape/recording/recordingtest"
)

// One read makes an archive, a file to play, its waveform and who talked when.
func TestOneReadManyOutputs(t *testing.T) {
	t.Parallel()
	spec := sampleSpec()
	spec.Outputs = []record.OutputSpec{
		{Codec: record.CodecPeaksDAT, Layout: record.LayoutMono, BitDepth: 8},
		{Name: "archive", Codec: record.CodecFLAC, Layout: record.LayoutStereo},
		{Name: "play", Codec: record.CodecMP3, Layout: record.LayoutMono},
		{Codec: record.CodecPeaksJSON, Layout: record.LayoutStereo, SamplesPerPixel: 100},
		{Codec: record.CodecAnalysis},
	}
	legs, objects := &countingLegs{memLegs: sampleLegs()}, &memObjects{}
	r, err := recording.NewProcessor(legs, objects, nil).Process(t.Context(), spec, nil)
	require.NoError(t, err)
	require.Equal(t, record.StatusCompleted, r.Status, "%v", r.Defects)
	for uri, n := range legs.bytes {
		require.Equal(t, int64(len(legs.memLegs[uri])), n, "%s is read once", uri)
	}
	require.Equal(t, r.Outputs[1].URL, r.URL(), "the first that can be listened to")

	var peaks struct {
		Version, Channels, Bits, Length int
		SampleRate                      int `json:"sample_rate"`
		SamplesPerPixel                 int `json:"samples_per_pixel"`
		Data                            []int
	}
	require.NoError(t, json.Unmarshal(objects.data[r.Outputs[3].Key], &peaks))
	require.Equal(t, "application/json", objects.meta[r.Outputs[3].Key].ContentType)
	require.Equal(t, []int{2, 2, 16, 8000, 100}, []int{peaks.Version, peaks.Channels, peaks.Bits, peaks.SampleRate, peaks.SamplesPerPixel})
	require.Equal(t, int((r.Outputs[1].Frames+99)/100), peaks.Length)
	require.Len(t, peaks.Data, 4*peaks.Length)

	var report analysis.Report
	require.NoError(t, json.Unmarshal(objects.data[r.Outputs[4].Key], &report))
	require.Equal(t, "customer", report.Legs[1].Leg)
	require.Equal(t, record.LayoutMultichannel, r.Outputs[4].Layout)
	a := r.Analysis
	require.NotNil(t, a)
	require.Equal(t, r.Duration, a.Duration)
	for i, name := range []string{"agent", "customer"} {
		leg := a.Legs[i]
		require.Equal(t, name, leg.Name)
		require.Equal(t, report.Conversation.Parties[i].TalkTime, leg.TalkTime)
		require.Positive(t, leg.LongestMonologue)
		require.Equal(t, a.Duration, leg.TalkTime+leg.Silence)
		require.InDelta(t, -25, leg.LoudnessLUFS, 15)
		require.GreaterOrEqual(t, leg.PeakDBFS, leg.RMSDBFS)
	}
}

// No output that is derived holds anything of a redacted range.
func TestRedactionReachesDerivedOutputs(t *testing.T) {
	t.Parallel()
	spec := sampleSpec()
	spec.Legs = spec.Legs[:1]
	spec.Redactions = []record.Redaction{{From: 1e9, To: 2e9}}
	spec.Outputs = []record.OutputSpec{
		{Codec: record.CodecPeaksJSON, Layout: record.LayoutMono, SamplesPerPixel: 80},
		{Codec: record.CodecAnalysis},
	}
	noise := recordingtest.Noise(8000*4, 0.5, 1)
	objects := &memObjects{}
	r, err := recording.NewProcessor(memLegs{"agent.wav": pcmFile(t, 8000, noise)}, objects, nil).Process(t.Context(), spec, nil)
	require.NoError(t, err)
	var peaks struct{ Data []int }
	require.NoError(t, json.Unmarshal(objects.data[r.Outputs[0].Key], &peaks))
	require.Len(t, peaks.Data, 2*400)
	for i := range 400 {
		loud := peaks.Data[2*i+1] - peaks.Data[2*i]
		if i >= 100 && i < 200 {
			require.Zero(t, loud, "pixel %d", i)
		} else if i < 98 || i > 201 {
			require.Greater(t, loud, 10000, "pixel %d", i)
		}
	}
	var report analysis.Report
	require.NoError(t, json.Unmarshal(objects.data[r.Outputs[1].Key], &report))
	require.InDelta(t, 0.25, report.Legs[0].Levels.DigitalSilenceRatio, 0.01)
}

// A party that is never heard, and legs that are heard in one another where they
// can't be, are defects by name. They don't degrade a recording, as it lost nothing.
func TestSuspicionsAreDefects(t *testing.T) {
	t.Parallel()
	talk := sampleLegs()["agent.wav"]
	spec := sampleSpec()
	spec.Outputs = []record.OutputSpec{{Codec: record.CodecAnalysis}}
	spec.Legs[1].Segments[0] = record.SegmentSpec{URI: "silent.raw", Raw: &record.RawFormat{Encoding: "s16le", SampleRateHz: 8000}}
	r, err := recording.NewProcessor(memLegs{"agent.wav": talk, "silent.raw": make([]byte, len(talk))}, &memObjects{}, nil).Process(t.Context(), spec, nil)
	require.NoError(t, err)
	require.Equal(t, record.StatusCompleted, r.Status)
	require.Len(t, r.Defects, 1)
	require.Equal(t, record.DefectOneWayAudio, r.Defects[0].Code)
	require.Equal(t, "customer", r.Defects[0].Leg)

	// Each leg holds the other's talk at a tenth, 100 ms later; the second leg's
	// offset says that it began 300 ms before it did.
	const rate, shift, echo = 8000, 2400, 800
	a, b := talkSpurts(rate*120, 1, 0), talkSpurts(rate*120, 2, rate*2)
	mixed := func(own, other []float32) []float32 {
		out := make([]float32, len(own))
		for i := range own {
			out[i] = own[i] + recordingtest.Noise(1, 1e-4, uint64(i))[0]
			if i >= echo {
				out[i] += other[i-echo] / 10
			}
		}
		return out
	}
	legs := memLegs{"agent.wav": pcmFile(t, rate, mixed(a, b)), "customer.wav": pcmFile(t, rate, mixed(b, a)[shift:])}
	spec = sampleSpec()
	spec.Outputs = []record.OutputSpec{{Codec: record.CodecAnalysis}}
	spec.Legs[1].Segments[0].Offset = 0
	r, err = recording.NewProcessor(legs, &memObjects{}, nil).Process(t.Context(), spec, nil)
	require.NoError(t, err)
	require.Len(t, r.Analysis.Alignment, 1)
	require.True(t, r.Analysis.Alignment[0].BothWays)
	require.InDelta(t, -300, r.Analysis.Alignment[0].Disagreement.Milliseconds(), 1)
	require.Greater(t, r.Analysis.Alignment[0].Confidence, 0.4)
	require.Len(t, r.Defects, 1, "%v", r.Defects)
	require.Equal(t, record.DefectMisaligned, r.Defects[0].Code)
	require.Equal(t, record.StatusCompleted, r.Status)

	spec.Legs[1].Segments[0].Offset = 300e6
	r, err = recording.NewProcessor(legs, &memObjects{}, nil).Process(t.Context(), spec, nil)
	require.NoError(t, err)
	require.Empty(t, r.Defects)
	require.InDelta(t, 0, r.Analysis.Alignment[0].Disagreement.Milliseconds(), 1)
}

// talkSpurts is noise for two seconds of every four.
func talkSpurts(frames int, seed uint64, from int) []float32 {
	s := recordingtest.Noise(frames, 0.3, seed)
	for i := range s {
		if (i+from)/16000%2 == 1 {
			s[i] = 0
		}
	}
	return s
}

// A program's own tap gets every leg on its own channel, whatever the outputs are.
func TestTaps(t *testing.T) {
	t.Parallel()
	var frames atomic.Int64
	var loudest atomic.Uint64
	o := &recording.Options{Taps: []recording.NewTap{
		func(spec *record.Spec, f *goaudio.Format, n int64) (analysis.Tap, error) {
			require.Equal(t, callmodel.CallID("c1"), spec.CallID)
			require.Equal(t, goaudio.Format{NumChannels: 2, SampleRate: 8000}, *f)
			return &funcTap{write: func(src []float32) error {
				n -= int64(len(src) / 2)
				frames.Add(int64(len(src) / 2))
				for _, x := range src {
					loudest.Store(max(loudest.Load(), uint64(math.Abs(float64(x))*32768)))
				}
				return nil
			}, finish: func() error {
				require.Zero(t, n, "as many as were announced")
				return nil
			}}, nil
		},
		func(*record.Spec, *goaudio.Format, int64) (analysis.Tap, error) { return nil, nil }, //nolint:nilnil // none
	}}
	spec := sampleSpec()
	spec.Outputs = []record.OutputSpec{{Codec: record.CodecMP3, Layout: record.LayoutMono, SampleRateHz: 16000}}
	r, err := recording.NewProcessor(sampleLegs(), &memObjects{}, o).Process(t.Context(), spec, nil)
	require.NoError(t, err)
	require.Equal(t, r.Outputs[0].Frames, 2*frames.Load())
	require.Greater(t, loudest.Load(), uint64(1000))

	broken := errors.New("out of ink")
	o.Taps = []recording.NewTap{func(*record.Spec, *goaudio.Format, int64) (analysis.Tap, error) { return nil, broken }}
	_, err = recording.NewProcessor(sampleLegs(), &memObjects{}, o).Process(t.Context(), spec, nil)
	require.ErrorIs(t, err, broken)
	o.Taps[0] = func(*record.Spec, *goaudio.Format, int64) (analysis.Tap, error) {
		return &funcTap{write: func([]float32) error { return broken }, finish: func() error { return nil }}, nil
	}
	objects := &memObjects{}
	_, err = recording.NewProcessor(sampleLegs(), objects, o).Process(t.Context(), spec, nil)
	require.ErrorIs(t, err, broken)
	require.Empty(t, objects.data, "nothing is made without it")
}

type funcTap struct {
	write  func([]float32) error
	finish func() error
}

func (f *funcTap) WriteFrames(src []float32) error { return f.write(src) }
func (f *funcTap) Finish() error                   { return f.finish() }

// A manifest that can't be written fails the attempt: it is part of the recording.
func TestManifestIsPartOfTheRecording(t *testing.T) {
	t.Parallel()
	full := errors.New("disk full")
	objects := &failingObjects{ext: "manifest.json", err: full}
	_, err := recording.NewProcessor(sampleLegs(), objects, nil).Process(t.Context(), sampleSpec(), nil)
	require.ErrorIs(t, err, full)
	spec := sampleSpec()
	spec.NoManifest = true
	r, err := recording.NewProcessor(sampleLegs(), objects, nil).Process(t.Context(), spec, nil)
	require.NoError(t, err)
	require.Nil(t, r.Manifest)
}

type failingObjects struct {
	memObjects

	ext string
	err error
}

func (f *failingObjects) Put(ctx context.Context, key record.ObjectKey, m record.ObjectMeta, write func(io.Writer) error) (record.ObjectInfo, error) {
	if key.Ext == f.ext {
		return record.ObjectInfo{}, f.err
	}
	return f.memObjects.Put(ctx, key, m, write)
}
