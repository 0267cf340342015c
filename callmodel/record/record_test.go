package record_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/record"
)

func validSpec() record.Spec {
	return record.Spec{
		TenantID: "acme", CallID: "c1", RecordingID: "r1",
		StartedAt: time.Date(2026, 3, 1, 23, 59, 59, 0, time.FixedZone("CET", 3600)),
		Legs: []record.LegSpec{
			{Name: "agent", Segments: []record.SegmentSpec{{URI: "a/agent.wav"}}},
			{Name: "customer", Segments: []record.SegmentSpec{{URI: "a/customer.wav", Offset: 2 * time.Second}}},
		},
		Outputs: []record.OutputSpec{{Codec: record.CodecWAV, Layout: record.LayoutStereo}},
	}
}

func TestObjectKey(t *testing.T) {
	t.Parallel()
	s := validSpec()
	k := s.Key(s.Outputs[0])
	require.NoError(t, k.Validate())
	assert.Equal(t, "acme/year=2026/month=03/day=01/hour=22/c1/r1.v1.wav", k.String(), "the hour is UTC's")
	assert.Equal(t, "acme/year=2026/month=03/day=01/hour=22/c1/r1.v2.wav", k.Next().String())
	k.Name = "archive"
	assert.Equal(t, "acme/year=2026/month=03/day=01/hour=22/c1/r1~archive.v1.wav", k.String())
	k.TenantID, k.Version = "a/b", 0
	require.ErrorContains(t, k.Validate(), "tenant_id")
	require.ErrorContains(t, k.Validate(), "version")
}

func TestForeignLegsAreRefused(t *testing.T) {
	t.Parallel()
	s := validSpec()
	require.NoError(t, record.ValidateRelative(s.Legs))
	s.Legs[0].Segments[0].URI = "../../etc/passwd"
	s.Legs[1].Segments = append(s.Legs[1].Segments, record.SegmentSpec{URI: "http://evil/x.wav"})
	require.NoError(t, s.Validate(), "what a URI may be is its opener's affair")
	err := record.ValidateRelative(s.Legs)
	var faults callmodel.FieldErrors
	require.ErrorAs(t, err, &faults)
	require.Len(t, faults, 2)
	assert.Equal(t, "legs[0].segments[0].uri", faults[0].Path)
	assert.Contains(t, faults[0].Message, "clean path")
	assert.Equal(t, "legs[1].segments[1].uri", faults[1].Path)
	assert.Contains(t, faults[1].Message, "foreign URL")
}

// A number of milliseconds compiles as a time.Duration, and means nanoseconds.
func TestMillisecondsTakenForDurations(t *testing.T) {
	t.Parallel()
	s := validSpec()
	s.Legs[1].Segments[0].Offset = 2000
	require.ErrorContains(t, s.Validate(), "legs[1].segments[0].offset_ms: is 2µs, less than a frame; did you mean 2000 ms?")
	s.Legs[1].Segments[0].Offset = frame8k
	require.NoError(t, s.Validate(), "a frame of telephony")
	s.Span = 49_000
	require.ErrorContains(t, s.Validate(), "span_ms: is 49µs; did you mean 49000 ms?")
	s.Span = 49 * time.Second
	require.NoError(t, s.Validate())
}

const frame8k = 125 * time.Microsecond
