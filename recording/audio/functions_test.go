package audio

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
	"math"
	"testing"

	goaudio "github.com/go-audio/audio"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestFunctions(t *testing.T) {
	t.Parallel()
	// Abramowitz & Stegun, table 9.8: exp(-x)·I0(x).
	require.InDelta(t, 1.0, newKaiser(10).at(0), 0)
	require.InEpsilon(t, 0.4657596077*math.E, newKaiser(1).at(1), 1e-9)
	require.InEpsilon(t, 0.1278333372*math.Exp(10), newKaiser(10).at(1), 1e-9)
	require.InEpsilon(t, newKaiser(5).at(1), newKaiser(10).at(0.25), 1e-14)
}

// steps is a loud signal made of integers only.
func steps(frames int) []float32 {
	s := make([]float32, frames)
	state := uint32(1)
	for i := range s {
		state = state*1664525 + 1013904223
		s[i] = float32(int32(state)>>16) / 32768
	}
	return s
}

// The stages that calculate give these bits on every kind of processor, with
// and without vector instructions. If a change of the sound is meant, the sums
// change with it.
func TestBitsAreTheSameEverywhere(t *testing.T) {
	t.Parallel()
	from := func(rate int) Source {
		return NewSource(&goaudio.Format{NumChannels: 1, SampleRate: rate}, steps(20000))
	}
	resampled := func(in, out int) Source {
		f, err := NewResampleFilter(in, out)
		require.NoError(t, err)
		s, err := Resample(from(in), f)
		require.NoError(t, err)
		return s
	}
	for name, c := range map[string]struct {
		src  Source
		want string
	}{
		"8000 to 16000":    {resampled(8000, 16000), "a40d1d945ead7c73"},
		"16000 to 8000":    {resampled(16000, 8000), "c78c240cc06d02da"},
		"44100 to 8000":    {resampled(44100, 8000), "9f3734efa8884e1c"},
		"8000 to 11025":    {resampled(8000, 11025), "bcb1ad8ce528460d"},
		"44101 to 8000":    {resampled(44101, 8000), "7e4fd4d8f473b0c7"},
		"limiter, at work": {Limit(Gain(from(8000), 1.7)), "e85e53abd7a757be"},
	} {
		h := sha256.New()
		block := make([]float32, 1000)
		for {
			n, err := c.src.ReadFrames(block)
			if errors.Is(err, io.EOF) {
				break
			}
			require.NoError(t, err)
			for _, x := range block[:n] {
				_ = binary.Write(h, binary.LittleEndian, x)
			}
		}
		assert.Equal(t, c.want, hex.EncodeToString(h.Sum(nil)[:8]), name)
	}
}
