//go:build opus && cgo

package recording_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording"
	"github.com/switchtape/switchtape/recording/recordingtest"
	"github.com/switchtape/switchtape/recording/recordingtest/samplecall"
)

// With the tag opus a recording in Opus is as long as the call, and each leg is on
// its own channel, where ffmpeg hears it.
func TestOpusRecording(t *testing.T) {
	t.Parallel()
	objects, spec := &memObjects{}, sampleSpec()
	spec.Outputs[0].Codec = record.CodecOpus
	r, err := recording.NewProcessor(sampleLegs(), objects, nil).Process(t.Context(), spec, nil)
	require.NoError(t, err)
	require.Equal(t, record.StatusCompleted, r.Status, r.Defects)
	out := r.Outputs[0]
	require.Equal(t, record.CodecOpus, out.Codec)
	require.EqualValues(t, samplecall.AgentFrames*int64(out.Rate)/8000, out.Frames)

	heard, err := recordingtest.FFmpegSamples(t, objects.data[out.Key])
	require.NoError(t, err)
	require.Len(t, heard, samplecall.AgentFrames*6*2, "48 kHz, two channels")
	loudness := func(from, to, channel int) float64 { // seconds; dBFS
		sum := 0.0
		for i := from * 48000; i < to*48000; i++ {
			sum += float64(heard[2*i+channel]) * float64(heard[2*i+channel])
		}
		return 10 * math.Log10(sum/float64((to-from)*48000)+1e-12)
	}
	const agent, customer = 0, 1
	require.Greater(t, loudness(3, 49, agent), -45.0)
	require.Greater(t, loudness(3, 49, customer), -45.0)
	require.Less(t, loudness(0, 1, customer), -60.0, "the customer's leg begins two seconds later")
}
