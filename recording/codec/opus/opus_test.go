package opus_test

import (
	"io"
	"testing"

	goaudio "github.com/go-audio/audio"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/recording/codec"
	"github.com/switchtape/switchtape/recording/codec/opus"
	"github.com/switchtape/switchtape/recording/recordingtest"
)

// A build without libopus says how to make one with it, whatever else is wrong.
func TestUnavailable(t *testing.T) {
	t.Parallel()
	err := opus.Unavailable()
	if err == nil {
		require.Contains(t, opus.Version(), "libopus 1.")
		_, err = opus.New(io.Discard, recordingtest.Mono(8000), codec.Options{})
		require.NoError(t, err)
		return
	}
	const want = "opus: unsupported in this build, which has no Opus encoder: build with -tags opus, cgo and libopus"
	require.EqualError(t, err, want)
	for _, f := range []*goaudio.Format{recordingtest.Mono(8000), recordingtest.Mono(44100), nil} {
		_, err = opus.New(io.Discard, f, codec.Options{})
		var u *codec.UnsupportedError
		require.ErrorAs(t, err, &u)
		require.EqualError(t, err, want)
	}
}

func TestDefaultBitrates(t *testing.T) {
	t.Parallel()
	for _, rate := range opus.SampleRates() {
		mono := opus.DefaultBitrate(rate, 1)
		require.GreaterOrEqual(t, mono, opus.MinChannelBitrate)
		require.Equal(t, opus.MaxChannels*mono, opus.DefaultBitrate(rate, opus.MaxChannels))
	}
	require.Zero(t, opus.DefaultBitrate(44100, 1))
	require.Zero(t, opus.DefaultBitrate(8000, 0))
	require.Zero(t, opus.DefaultBitrate(8000, opus.MaxChannels+1))
}
