package audio_test

import (
	"encoding/binary"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/recording/audio"
)

// All 65,536 samples of 16 bits come back bit-exactly, at each of the four
// places of the fast path.
func TestPCM16RoundTrip(t *testing.T) {
	t.Parallel()
	for shift := range 4 {
		src := make([]float32, 65536+shift)
		for i := range 65536 {
			src[shift+i] = float32(i-32768) / 32768
		}
		dst := make([]byte, 2*len(src))
		require.Zero(t, audio.PutPCM16(dst, src))
		for i := range 65536 {
			if got := int(int16(binary.LittleEndian.Uint16(dst[2*(shift+i):]))); got != i-32768 {
				require.Equal(t, i-32768, got)
			}
		}
	}
}

func TestPCM24RoundTrip(t *testing.T) {
	t.Parallel()
	const n = 1 << 16
	src, dst := make([]float32, n), make([]byte, 3*n)
	for high := -128; high < 128; high++ {
		for i := range src {
			src[i] = float32(high*n+i) / (1 << 23)
		}
		require.Zero(t, audio.PutPCM24(dst, src))
		for i := range src {
			got := int32(uint32(dst[3*i])<<8|uint32(dst[3*i+1])<<16|uint32(dst[3*i+2])<<24) >> 8
			if got != int32(high*n+i) {
				require.Equal(t, int32(high*n+i), got)
			}
		}
	}
}

func TestQuantizeEdges(t *testing.T) {
	t.Parallel()
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	cases := []struct {
		x       float32
		want    int16
		clipped int
	}{
		{0, 0, 0},
		{0.5 / 32768, 0, 0},
		{1.5 / 32768, 2, 0},
		{-0.5 / 32768, 0, 0},
		{-1.5 / 32768, -2, 0},
		{0.51 / 32768, 1, 0},
		{32767.4 / 32768, 32767, 0},
		{1, 32767, 1},
		{-1, -32768, 0},
		{-1.0001, -32768, 1},
		{1e30, 32767, 1},
		{-1e30, -32768, 1},
		{inf, 0, 0},
		{-inf, 0, 0},
		{nan, 0, 0},
		{130, 32767, 1},
		{-130, -32768, 1},
		{300, 32767, 1},
		{-300, -32768, 1},
		{1e-40, 0, 0},
	}
	for _, c := range cases {
		got, clipped := audio.QuantizeInt16(c.x)
		require.Equal(t, c.want, got, "%v", c.x)
		require.Equal(t, c.clipped, clipped, "%v", c.x)
		four, dst := []float32{0, c.x, 0, c.x}, make([]byte, 8)
		require.Equal(t, 2*c.clipped, audio.PutPCM16(dst, four), "%v", c.x)
		require.Equal(t, c.want, int16(binary.LittleEndian.Uint16(dst[2:])), "%v", c.x)
	}
	// Against plain rounding, over the whole range and beyond.
	for x := float32(-1.2); x < 1.2; x += 0.00001234 {
		want := math.Max(-32768, math.Min(32767, math.RoundToEven(float64(x)*32768)))
		got, _ := audio.QuantizeInt16(x)
		if float64(got) != want {
			require.InDelta(t, want, got, 0, "%v", x)
		}
	}
}
