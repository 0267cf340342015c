package recording_test

import (
	"bytes"
	"encoding/binary"
	"math"
	"testing"
	"time"

	goaudio "github.com/go-audio/audio"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording"
	"github.com/switchtape/switchtape/recording/codec"
	"github.com/switchtape/switchtape/recording/codec/wav"
	"github.com/switchtape/switchtape/recording/recordingtest"
)

func pcmFile(t *testing.T, rate int, samples []float32) []byte {
	t.Helper()
	var out bytes.Buffer
	e, err := wav.NewPCM(&out, &goaudio.Format{NumChannels: 1, SampleRate: rate}, codec.Options{Frames: int64(len(samples))})
	require.NoError(t, err)
	require.NoError(t, e.WriteFrames(samples))
	require.NoError(t, e.Finish())
	return out.Bytes()
}

func pcmSamples(file []byte) []int {
	file = file[44:]
	s := make([]int, len(file)/2)
	for i := range s {
		s[i] = int(int16(binary.LittleEndian.Uint16(file[2*i:])))
	}
	return s
}

// A mix at another rate is the sum of the channels of a merge at that rate,
// whether the legs are resampled before they are mixed or the mix is: where the
// legs' offsets stand on frames of both rates, and where they don't.
func TestMixOfResampledLegs(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		offset time.Duration
		rate   int
		span   time.Duration
	}{
		"offset on both grids":            {offset: 250 * time.Millisecond, rate: 16000},
		"offset between two frames":       {offset: 250062500 * time.Nanosecond, rate: 16000},
		"odd ratio":                       {offset: 320 * time.Millisecond, rate: 11025},
		"span between two frames, at end": {offset: 320 * time.Millisecond, rate: 48000, span: 1100020833 * time.Nanosecond},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fade := func(s []float32) []float32 { // no edge: what rings before one is cut where the leg begins
				for i := range min(400, len(s)/2) {
					g := float32(i) / 400
					s[i], s[len(s)-1-i] = s[i]*g*g, s[len(s)-1-i]*g*g
				}
				return s
			}
			legs := memLegs{
				"agent.wav":    pcmFile(t, 8000, fade(recordingtest.Sine(8000, 8000, 440, 0.4, 0))),
				"customer.wav": pcmFile(t, 8000, fade(recordingtest.Sine(6000, 8000, 1234, 0.4, 1))),
			}
			spec := sampleSpec()
			spec.Legs[1].Segments[0].Offset = c.offset
			spec.Span = c.span
			spec.Outputs = []record.OutputSpec{
				{Name: "mono", Codec: record.CodecWAV, Layout: record.LayoutMono, SampleRateHz: c.rate},
				{Name: "stereo", Codec: record.CodecWAV, Layout: record.LayoutStereo, SampleRateHz: c.rate},
			}
			objects := &memObjects{}
			r, err := recording.NewProcessor(legs, objects, nil).Process(t.Context(), spec, nil)
			require.NoError(t, err)
			mono, stereo := pcmSamples(objects.data[r.Outputs[0].Key]), pcmSamples(objects.data[r.Outputs[1].Key])
			require.Len(t, mono, int(r.Outputs[0].Frames))
			require.Len(t, stereo, 2*len(mono))
			end := len(mono)
			if c.span != 0 {
				end -= c.rate / 8000 * 70 // the cut rings
			}
			for i, x := range mono[:end] {
				require.LessOrEqual(t, math.Abs(float64(x-stereo[2*i]-stereo[2*i+1])), 3.0, "frame %d", i)
			}

			spec.Outputs = spec.Outputs[:1]
			alone := &memObjects{}
			r2, err := recording.NewProcessor(legs, alone, nil).Process(t.Context(), spec, nil)
			require.NoError(t, err)
			require.Equal(t, r.Outputs[0].SHA256, r2.Outputs[0].SHA256, "the other output changes nothing")
		})
	}
}
