package recording_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording/recordingtest"
	"github.com/switchtape/switchtape/recording/recordingtest/samplecall"
)

// broken is noise, a tone with holes of 60 ms in it, each second from 3 s on, and
// noise.
func broken(t *testing.T, rate int) []byte {
	t.Helper()
	s := recordingtest.Noise(10*rate, 0.001, 1)
	copy(s[2*rate:8*rate], recordingtest.Sine(6*rate, rate, 440, 0.3, 1))
	for at := 3; at < 7; at++ {
		clear(s[at*rate : at*rate+rate*60/1000])
	}
	return pcmFile(t, rate, s)
}

// If the call is analysed, dropouts within a file are located in the call. They
// don't degrade the recording, and don't change a sample of it.
func TestDropoutsOfALeg(t *testing.T) {
	t.Parallel()
	spec := sampleSpec()
	spec.Legs[0].Segments = []record.SegmentSpec{{URI: "good"}, {URI: "bad", Offset: ms(5000)}}
	spec.Outputs = []record.OutputSpec{{Codec: record.CodecWAV, Layout: record.LayoutMono, SampleRateHz: 16000}, {Codec: record.CodecAnalysis}}
	spec.LevelLUFS = -20
	legs := sampleLegs()
	legs["good"], legs["bad"] = pcmFile(t, 8000, recordingtest.Noise(32000, 0.1, 2)), broken(t, 16000)
	r, _ := process(t, legs, spec, nil)
	require.Equal(t, record.StatusCompleted, r.Status)
	require.Len(t, r.Defects, 2)
	require.Equal(t, record.DefectOneWayAudio, r.Defects[1].Code, "a tone is no talk")
	require.Equal(t, record.DefectDropoutSuspected, r.Defects[0].Code)
	require.Equal(t, "agent", r.Defects[0].Leg)
	require.Equal(t, int64(4*960), r.Defects[0].Count)
	require.Contains(t, r.Defects[0].Detail, `segment "bad": sound breaks off and comes back 4 times, first from 8s to 8.06s of the call`)
	var found []record.LegGap
	for i, g := range r.Legs[0].Gaps {
		if i > 0 {
			require.LessOrEqual(t, r.Legs[0].Gaps[i-1].From, g.From, "in order")
		}
		if g.Kind == record.GapDropout {
			found = append(found, g)
		}
	}
	require.Len(t, found, 4)
	for i, g := range found {
		at := ms(5000) + time.Duration(3+i)*time.Second
		require.Equal(t, record.LegGap{Kind: record.GapDropout, From: at, To: at + ms(60)}, g)
	}
	for _, g := range r.Legs[1].Gaps {
		require.NotEqual(t, record.GapDropout, g.Kind)
	}
}

// A redacted or paused range isn't a dropout, and no dropout is reported within it.
func TestDropoutsAndRedactions(t *testing.T) {
	t.Parallel()
	spec := sampleSpec()
	spec.Legs = spec.Legs[:1]
	legs := memLegs{"agent.wav": broken(t, 8000)}
	spec.Redactions = []record.Redaction{{From: ms(2990), To: ms(3500)}, {From: ms(4500), To: ms(4600)}}
	spec.Outputs = append(spec.Outputs, record.OutputSpec{Codec: record.CodecAnalysis})
	spec.Pauses = []record.Pause{{From: ms(3900), To: ms(4100)}, {From: ms(5500), To: ms(5600)}}
	r, _ := process(t, legs, spec, nil)
	require.Equal(t, []record.GapKind{record.GapDropout, record.GapDropout}, kinds(r.Legs[0].Gaps))
	require.Equal(t, ms(5000), r.Legs[0].Gaps[0].From)
	require.Equal(t, ms(6000), r.Legs[0].Gaps[1].From)
}

// The sample call, and it with a party that mutes itself, is free of alarms.
func TestNoDropoutsInTheSampleCall(t *testing.T) {
	t.Parallel()
	legs, spec := sampleLegs(), sampleSpec()
	spec.Outputs = append(spec.Outputs, record.OutputSpec{Codec: record.CodecAnalysis})
	r, _ := process(t, legs, spec, nil)
	require.Empty(t, r.Defects)
	muted := bytes.Clone(samplecall.Agent())
	clear(muted[44+2*100000 : 44+2*300000])
	legs["agent.wav"] = muted
	r, _ = process(t, legs, spec, nil)
	require.Empty(t, r.Defects)
}
