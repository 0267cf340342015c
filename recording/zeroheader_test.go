package recording_test

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording"
	"github.com/switchtape/switchtape/recording/recordingtest/samplecall"
)

// A WAV file whose header is zeros is read as the other leg is, and that is told. With a raw
// format of the job's it has no header, and the zeros are silence.
func TestHeaderOfZeros(t *testing.T) {
	t.Parallel()
	agent := samplecall.Agent()[:44+16000]
	lost := slices.Concat(make([]byte, 44), agent[44:])
	for name, raw := range map[string]*record.RawFormat{
		"the other leg's": nil, "the job's": {Encoding: "s16le", SampleRateHz: 8000},
	} {
		objects := &memObjects{}
		spec := sampleSpec()
		for i, uri := range []string{"lost.wav", "agent.wav"} {
			spec.Legs[i].Segments[0] = record.SegmentSpec{URI: uri}
		}
		spec.Legs[0].Segments[0].Raw = raw
		spec.Outputs = []record.OutputSpec{{Codec: record.CodecWAV, Layout: record.LayoutStereo, SampleRateHz: 8000}}
		r, err := recording.NewProcessor(memLegs{"agent.wav": agent, "lost.wav": lost}, objects, nil).
			Process(t.Context(), spec, &recording.ProcessOptions{AcceptGrowing: true})
		require.NoError(t, err, name)
		if raw != nil {
			require.Len(t, r.Defects, 1, "%+v", r.Defects) // the other leg is cut
			require.EqualValues(t, 8022, r.Legs[0].Frames)
			continue
		}
		require.Len(t, r.Defects, 2, "%s: %+v", name, r.Defects)
		require.Equal(t, record.DefectFormatAssumed, r.Defects[0].Code)
		require.Equal(t, spec.Legs[0].Name, r.Defects[0].Leg)
		require.EqualValues(t, 8000, r.Legs[0].Frames)
		sum := sha256.Sum256(lost)
		require.Equal(t, hex.EncodeToString(sum[:]), r.Legs[0].SHA256)
		first, last := channels(t, objects.data[r.Outputs[0].Key])
		require.Equal(t, last, first, name)
	}
}
