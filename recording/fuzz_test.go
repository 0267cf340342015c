package recording_test

import (
	"errors"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording"
	"github.com/switchtape/switchtape/recording/audio"
	"github.com/switchtape/switchtape/recording/recordingtest"
)

// Whatever the files and the numbers of the spec, a recording comes to one of
// its four outcomes or a named error, in bounded memory, and as long as planned.
func FuzzProcess(f *testing.F) {
	for i, c := range recordingtest.WAVCorpus(1) {
		f.Add(c.File[:min(len(c.File), 500)], []byte("RIFF"), int64(i)*1e6, int64(0), int64(i%3)*1e9, uint16(8000), uint8(i*17), i%2 == 0)
	}
	f.Fuzz(func(t *testing.T, a, b []byte, offset1, offset2, span int64, rate uint16, kind uint8, accept bool) {
		const most = int64(time.Minute)
		spec := sampleSpec()
		spec.Span = time.Duration(min(max(span, -1), most))
		spec.Legs[0].Segments = []record.SegmentSpec{
			{URI: "a", Offset: time.Duration(offset1 % most)}, {URI: "b", Offset: time.Duration(offset2 % most)},
		}
		spec.Legs[1].Segments = []record.SegmentSpec{{URI: "b", Raw: &record.RawFormat{Encoding: "mulaw", SampleRateHz: 8000}}}
		spec.Outputs = []record.OutputSpec{
			{Codec: record.Codecs()[kind%4], Layout: []record.Layout{record.LayoutMono, record.LayoutStereo}[kind/4%2], SampleRateHz: int(rate)},
			{Name: "second", Codec: record.CodecWAV, Layout: record.LayoutMultichannel, SampleRateHz: 8000},
		}
		spec.LegsSpanCall = kind&16 != 0
		spec.CutToSpan = rate&8 == 0 && spec.Span > 0
		if kind&32 != 0 {
			spec.Trim = &record.TrimSpec{Keep: spec.Span / 7}
		}
		if kind&64 != 0 {
			from := time.Duration(max(offset2%most, 0))
			spec.Redactions = []record.Redaction{{From: from, To: from + 1 + spec.Span/3, Legs: []string{"agent"}, With: record.RedactWithTone}}
		}
		if kind&128 != 0 {
			spec.Legs[1].GainDB = float64(rate%100) - 60
			spec.LevelLUFS = -10 - float64(rate%31)
		}
		if rate&1 != 0 {
			from := time.Duration(max(offset1%most, 0))
			spec.Pauses = []record.Pause{{From: from, To: from + 1 + spec.Span/5}, {From: from / 2, To: from/2 + 1e6}}
			spec.PauseMode = []string{record.PauseSilence, record.PauseCut}[rate/2%2]
		}
		if rate&4 != 0 {
			spec.Legs[0].CorrectRate = true
			spec.Legs[0].Segments[0].Span = time.Duration(max(offset2%most, 0))
			spec.Legs[0].Segments[1].Span = spec.Span
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		objects := &memObjects{}
		p := recording.NewProcessor(memLegs{"a": a, "b": b}, objects, nil)
		r, err := p.Process(t.Context(), spec, &recording.ProcessOptions{AcceptMissing: accept, AcceptGrowing: accept})
		runtime.ReadMemStats(&after)
		produced := uint64(0)
		for _, o := range objects.data {
			produced += uint64(len(o))
		}
		require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(48<<20)+8*produced)
		if err != nil {
			var wait *recording.LegsNotReadyError
			var permanent *callmodel.PermanentError
			require.True(t, errors.As(err, &wait) && !accept || errors.As(err, &permanent), "%v", err)
			require.Empty(t, objects.data)
			require.True(t, wait == nil || len(wait.Growing) == 0, "%v", err)
			return
		}
		for _, d := range r.Defects {
			require.NotEqual(t, record.DefectLegGrowing, d.Code)
		}
		switch r.Status {
		case record.StatusCompleted, record.StatusCompletedDegraded:
			require.Len(t, r.Outputs, 2)
			if spec.Span > 0 && spec.Trim == nil && spec.PauseMode != record.PauseCut {
				want := audio.FramesIn(spec.Span, r.Outputs[1].Rate)
				if spec.CutToSpan {
					require.Equal(t, want, r.Outputs[1].Frames)
				}
				require.GreaterOrEqual(t, r.Outputs[1].Frames, want)
			}
		case record.StatusAbsent, record.StatusQuarantined:
			require.NotEmpty(t, r.Reason)
			require.Empty(t, objects.data)
		default:
			require.Fail(t, "a fifth outcome", r.Status)
		}
	})
}
