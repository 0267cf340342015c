package record_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel/record"
)

// A spec of nothing but legs and outputs becomes valid, and the caller's stays as
// it was.
func TestDefaultsOfASpec(t *testing.T) {
	t.Parallel()
	s := record.Spec{
		Legs:    []record.LegSpec{{Name: "agent", Segments: []record.SegmentSpec{{URI: "agent.wav"}}}},
		Outputs: []record.OutputSpec{{Codec: record.CodecMP3}, {Codec: record.CodecAnalysis}},
	}
	require.Error(t, s.Validate(), "a ledger refuses it")
	got := s.WithDefaults()
	require.NoError(t, got.Validate())
	require.Equal(t, "local/year=1970/month=01/day=01/hour=00/call/call.v1.mp3", got.Key(got.Outputs[0]).String())
	require.Equal(t, record.LayoutMono, got.Outputs[0].Layout)
	require.Empty(t, got.Outputs[1].Layout)
	require.Empty(t, s.Outputs[0].Layout)
	require.Empty(t, s.CallID)
	s.CallID = "c1"
	require.EqualValues(t, "c1", s.WithDefaults().RecordingID)
}

func TestDefaultsKeepWhatIsSet(t *testing.T) {
	t.Parallel()
	s := validSpec()
	s.Outputs[0].Layout = record.LayoutMono
	require.Equal(t, s, s.WithDefaults())
	s.StartedAt = time.Time{}
	require.True(t, s.WithDefaults().StartedAt.Equal(time.Unix(0, 0)))
}

func TestDefaultLayout(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		codec record.Codec
		legs  int
		want  record.Layout
	}{
		{record.CodecMP3, 1, record.LayoutMono},
		{record.CodecMP3, 2, record.LayoutStereo},
		{record.CodecMP3, 3, record.LayoutMono},
		{record.CodecWAV, 2, record.LayoutStereo},
		{record.CodecWAV, 3, record.LayoutMultichannel},
		{record.CodecFLAC, 8, record.LayoutMultichannel},
		{record.CodecFLAC, 9, record.LayoutMono},
		{record.CodecPeaksJSON, 2, record.LayoutStereo},
		{record.CodecAnalysis, 2, ""},
	} {
		s := record.Spec{Legs: make([]record.LegSpec, c.legs), Outputs: []record.OutputSpec{{Codec: c.codec}}}
		require.Equal(t, c.want, s.WithDefaults().Outputs[0].Layout, "%s, %d legs", c.codec, c.legs)
	}
}
