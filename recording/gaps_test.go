package recording_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording"
)

// Gaps are where a leg has no file, of the kind that its segments make them.
func TestGapsOfALeg(t *testing.T) {
	t.Parallel()
	second := pcmFile(t, 8000, make([]float32, 8000))
	seg := func(uri string, at, span float64) record.SegmentSpec {
		return record.SegmentSpec{URI: uri, Offset: ms(at), Span: ms(span)}
	}
	gap := func(kind record.GapKind, from, to float64) record.LegGap {
		return record.LegGap{Kind: kind, From: ms(from), To: ms(to)}
	}
	for name, c := range map[string]struct {
		segments []record.SegmentSpec
		whole    bool
		cut      bool
		want     []record.LegGap
	}{
		"before, between, after": {
			segments: []record.SegmentSpec{seg("1s", 500, 0), seg("1s", 3000, 0)},
			want:     []record.LegGap{gap("before", 0, 500), gap("between", 1500, 3000), gap("after", 4000, 10000)},
		},
		"out of order, overlapping": {
			segments: []record.SegmentSpec{seg("1s", 8000, 0), seg("1s", 0, 0), seg("1s", 500, 0)},
			want:     []record.LegGap{gap("between", 1500, 8000), gap("after", 9000, 10000)},
		},
		"less than a millisecond": {
			segments: []record.SegmentSpec{seg("1s", 0.9, 0), seg("1s", 1001.8, 0), seg("1s", 9000, 0)},
			want:     []record.LegGap{gap("between", 2001.8, 9000)},
		},
		"no file": {
			segments: []record.SegmentSpec{seg("none", 1000, 0)},
			want:     []record.LegGap{gap("missing", 0, 10000)},
		},
		"one of the files": {
			segments: []record.SegmentSpec{seg("1s", 0, 0), seg("none", 2000, 3000), seg("1s", 6000, 0)},
			want: []record.LegGap{
				gap("between", 1000, 2000), gap("missing", 2000, 5000), gap("between", 5000, 6000), gap("after", 7000, 10000),
			},
		},
		"shorter than it lasted": {
			segments: []record.SegmentSpec{seg("1s", 0, 4000), seg("1s", 8000, 1000)},
			want:     []record.LegGap{gap("missing", 1000, 4000), gap("between", 4000, 8000), gap("after", 9000, 10000)},
		},
		"the leg spans the call": {
			segments: []record.SegmentSpec{seg("1s", 1000, 0)}, whole: true,
			want: []record.LegGap{gap("before", 0, 1000), gap("missing", 2000, 10000)},
		},
		"past the end": {
			segments: []record.SegmentSpec{seg("1s", 9500, 1000)},
			want:     []record.LegGap{gap("before", 0, 9500)},
			cut:      true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			spec := sampleSpec()
			spec.Span, spec.LegsSpanCall, spec.CutToSpan = ms(10_000), c.whole, c.cut
			spec.Legs = []record.LegSpec{
				{Name: "all", Segments: []record.SegmentSpec{{URI: "10s"}}},
				{Name: "some", Segments: c.segments},
			}
			legs := memLegs{"1s": second, "10s": pcmFile(t, 8000, make([]float32, 80000))}
			accept := &recording.ProcessOptions{AcceptMissing: true, AcceptGrowing: true}
			r, err := recording.NewProcessor(legs, discard{}, nil).Process(t.Context(), spec, accept)
			require.NoError(t, err)
			require.Empty(t, r.Legs[0].Gaps)
			require.Equal(t, c.want, r.Legs[1].Gaps)
		})
	}
}

// Every millisecond is either covered by a segment or in a gap.
func TestGapsAndSegmentsMakeTheCall(t *testing.T) {
	t.Parallel()
	legs := memLegs{}
	for n := 1; n <= 5; n++ {
		legs[fmt.Sprint(n)] = pcmFile(t, 8000, make([]float32, n*800)) // n · 100 ms
	}
	rapid.Check(t, func(t *rapid.T) {
		spec := sampleSpec()
		spec.Legs = spec.Legs[:1]
		spec.Legs[0].Segments = nil
		const length = 2000
		spec.Span, spec.CutToSpan = ms(length), rapid.Bool().Draw(t, "cut")
		covered := make([]bool, length)
		for range rapid.IntRange(1, 6).Draw(t, "segments") {
			at, n := rapid.IntRange(0, 2200).Draw(t, "at"), rapid.IntRange(1, 5).Draw(t, "tenths")
			spec.Legs[0].Segments = append(spec.Legs[0].Segments, record.SegmentSpec{URI: fmt.Sprint(n), Offset: ms(float64(at))})
			for i := at; i < min(at+100*n, length); i++ {
				covered[i] = true
			}
		}
		r, err := recording.NewProcessor(legs, discard{}, nil).Process(t.Context(), spec, nil)
		require.NoError(t, err)
		last := time.Duration(0)
		for _, g := range r.Legs[0].Gaps {
			require.GreaterOrEqual(t, g.From, last)
			for i := int(g.From / 1e6); i < int(g.To/1e6); i++ {
				require.False(t, covered[i], "%d ms is covered, and in a gap", i)
				covered[i] = true
			}
			last = g.To
		}
		for i, ok := range covered {
			require.True(t, ok, "%d ms is neither covered nor in a gap", i)
		}
	})
}

// The list is bounded; what it leaves out is counted.
func TestGapsAreBounded(t *testing.T) {
	t.Parallel()
	spec := sampleSpec()
	spec.Legs = spec.Legs[:2]
	for i := range spec.Legs {
		spec.Legs[i].Segments = nil
	}
	for i := range record.MaxSegments {
		spec.Legs[0].Segments = append(spec.Legs[0].Segments, record.SegmentSpec{URI: "x", Offset: time.Duration(i) * ms(10)})
		spec.Legs[1].Segments = append(spec.Legs[1].Segments, record.SegmentSpec{URI: "x", Offset: time.Duration(i+1) * ms(10)})
	}
	spec.Span = ms(20_000)
	r, _ := process(t, memLegs{"x": pcmFile(t, 8000, make([]float32, 40))}, spec, nil)
	require.Len(t, r.Legs[0].Gaps, record.MaxSegments)
	require.Zero(t, r.Legs[0].GapsOmitted)
	require.Len(t, r.Legs[1].Gaps, record.MaxGaps)
	require.Equal(t, 1, r.Legs[1].GapsOmitted)
}
