package goaudio_test

import (
	"bytes"
	"testing"

	ga "github.com/go-audio/audio"
	gowav "github.com/go-audio/wav"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording/audio"
	"github.com/switchtape/switchtape/recording/codec"
	"github.com/switchtape/switchtape/recording/codec/goaudio"
	"github.com/switchtape/switchtape/recording/recordingtest"
	"github.com/switchtape/switchtape/recording/recordingtest/samplecall"
)

func intBuffer(bits int) *ga.IntBuffer {
	b := &ga.IntBuffer{Format: &ga.Format{NumChannels: 2, SampleRate: 8000}, SourceBitDepth: bits}
	for i := range 3000 {
		b.Data = append(b.Data, (i*7919)%(1<<bits)-1<<(bits-1))
	}
	return b
}

// Every buffer keeps the Source contract, and what went in comes out again.
func TestBuffers(t *testing.T) {
	t.Parallel()
	for _, bits := range []int{8, 16, 24} {
		recordingtest.SourceContract(t, func() audio.Source {
			s, err := goaudio.FromInt(intBuffer(bits))
			require.NoError(t, err)
			return s
		})
		s, err := goaudio.FromInt(intBuffer(bits))
		require.NoError(t, err)
		out := &ga.IntBuffer{Data: make([]int, 4000), SourceBitDepth: bits}
		n, err := goaudio.ReadInt(s, out)
		require.NoError(t, err)
		require.Equal(t, 1500, n)
		require.Equal(t, intBuffer(bits).Data, out.Data)
		require.Equal(t, 2, out.Format.NumChannels)
	}
	floats := &ga.FloatBuffer{Format: ga.FormatStereo48000, Data: []float64{0, 0.5, -0.5, 1}}
	recordingtest.SourceContract(t, func() audio.Source {
		s, err := goaudio.FromFloat(floats)
		require.NoError(t, err)
		return s
	})
	s, err := goaudio.FromFloat(floats)
	require.NoError(t, err)
	out := &ga.FloatBuffer{Data: make([]float64, 10)}
	_, err = goaudio.ReadFloat(s, out)
	require.NoError(t, err)
	require.Equal(t, floats.Data, out.Data)
	s, err = goaudio.FromFloat32(&ga.Float32Buffer{Format: ga.FormatStereo48000, Data: []float32{1, 2}})
	require.NoError(t, err)
	require.Equal(t, []float32{1, 2}, recordingtest.ReadAll(t, s))
}

func TestUnusable(t *testing.T) {
	t.Parallel()
	_, err := goaudio.FromInt(&ga.IntBuffer{})
	require.Error(t, err)
	_, err = goaudio.FromFloat(nil)
	require.Error(t, err)
	_, err = goaudio.FromFloat32(&ga.Float32Buffer{Format: &ga.Format{}})
	require.Error(t, err)
	b := intBuffer(16)
	b.SourceBitDepth = 64
	_, err = goaudio.FromInt(b)
	require.ErrorContains(t, err, "64 bits")
}

// go-audio's decoder and ours read the same samples of the sample call.
func TestWAVDecoder(t *testing.T) {
	t.Parallel()
	open := func() audio.Source {
		s, err := goaudio.FromWAV(gowav.NewDecoder(bytes.NewReader(samplecall.Agent())))
		require.NoError(t, err)
		return s
	}
	recordingtest.SourceContract(t, open)
	full, err := gowav.NewDecoder(bytes.NewReader(samplecall.Agent())).FullPCMBuffer()
	require.NoError(t, err)
	want, err := goaudio.FromInt(full)
	require.NoError(t, err)
	require.True(t, recordingtest.Near(recordingtest.ReadAll(t, want), recordingtest.ReadAll(t, open()), 0))
}

// What go-audio would misread is refused.
func TestWAVDecoderTraps(t *testing.T) {
	t.Parallel()
	for _, c := range recordingtest.WAVCorpus(1) {
		s, err := goaudio.FromWAV(gowav.NewDecoder(bytes.NewReader(c.File)))
		var fault *codec.DecodeError
		if err != nil {
			require.ErrorAs(t, err, &fault, c.Name)
			continue
		}
		require.NotContains(t, c.Defects, record.DefectUnsupportedCodec, c.Name)
		_ = s
	}
}
