package seam_test

import (
	"testing"

	goaudio "github.com/go-audio/audio"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/recording/audio"
	"github.com/switchtape/switchtape/recording/codec/internal/seam"
	"github.com/switchtape/switchtape/recording/recordingtest"
)

func TestChannels(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		in, out    int
		have, want []float32
	}{
		{1, 1, []float32{0.5, -0.5}, []float32{0.5, -0.5}},
		{2, 1, []float32{0.5, -0.25, 1, 0}, []float32{0.125, 0.5}},
		{1, 3, []float32{0.5, -0.25}, []float32{0.5, 0.5, 0.5, -0.25, -0.25, -0.25}},
		{3, 2, []float32{1, 0.5, 0.25}, []float32{1, 0.5}},
		{2, 4, []float32{1, 0.5}, []float32{1, 0.5, 0, 0}},
	} {
		s, err := seam.Conform(audio.NewSource(&goaudio.Format{NumChannels: c.in, SampleRate: 8000}, c.have), &goaudio.Format{NumChannels: c.out, SampleRate: 8000})
		require.NoError(t, err)
		require.Equal(t, c.want, recordingtest.ReadAll(t, s))
	}
}

func TestRates(t *testing.T) {
	t.Parallel()
	for _, n := range []int64{1, 999, 4410} {
		for _, from := range []int{8000, 11025, 48000} {
			s, err := seam.Conform(audio.NewSource(&goaudio.Format{NumChannels: 2, SampleRate: from}, make([]float32, 2*n)), &goaudio.Format{NumChannels: 1, SampleRate: 8000})
			require.NoError(t, err)
			require.Len(t, recordingtest.ReadAll(t, s), int(seam.Frames(n, from, 8000)), "%d at %d", n, from)
			require.True(t, seam.CanJoin(from, 8000))
		}
	}
	require.False(t, seam.CanJoin(96000, 100))
	require.False(t, seam.CanJoin(1, 8000))
	_, err := seam.Conform(audio.NewSource(&goaudio.Format{NumChannels: 1, SampleRate: 96000}, nil), &goaudio.Format{NumChannels: 1, SampleRate: 100})
	require.Error(t, err)
	require.Equal(t, "1 channel at 8000 Hz", seam.Name(&goaudio.Format{NumChannels: 1, SampleRate: 8000}))
	require.Equal(t, "2 channels at 8000 Hz", seam.Name(&goaudio.Format{NumChannels: 2, SampleRate: 8000}))
}
