package audio

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// values are samples in and out of range, with all that isn't a number.
func values(n int, seed uint64) []float32 {
	r := rand.New(rand.NewPCG(seed, 1))
	odd := []float32{
		1, -1, FullScale16, 32767.5 / 32768, 32766.5 / 32768, -32768.5 / 32768, 1.5, -1.5, 300, -300, 1e30, -1e30,
		float32(math.Inf(1)), float32(math.Inf(-1)), float32(math.NaN()), 0, float32(math.Copysign(0, -1)), 1e-40, -1e-40,
		0.5 / 32768, 1.5 / 32768, -0.5 / 32768, -2.5 / 32768,
	}
	s := make([]float32, n)
	for i := range s {
		s[i] = float32(r.Float64()*2 - 1)
		if seed%2 == 1 && r.IntN(20) == 0 {
			s[i] = odd[r.IntN(len(odd))]
		}
	}
	return s
}

func sameBits(t *testing.T, want, got []float32, what string, args ...any) {
	t.Helper()
	require.Len(t, got, len(want))
	for i := range want {
		if math.Float32bits(want[i]) != math.Float32bits(got[i]) {
			require.Failf(t, "the vector loop differs", "value %d: %v, plainly %v; "+what, append([]any{i, got[i], want[i]}, args...)...)
		}
	}
}

// The loops in vector instructions give the bits of the plain ones, at every
// length and alignment, and touch nothing beyond.
func TestVectorLoopsEqualThePlainOnes(t *testing.T) {
	t.Parallel()
	for n := range 150 {
		for seed := range uint64(4) {
			a, b := values(n+5, seed)[n%5:], values(n+5, seed+10)[n%3:]
			a, b = a[:n], b[:n]
			want, got := values(2*n+1, 9), values(2*n+1, 9)

			addPlain(want[:n], a, b)
			add(got[:n], a, b)
			// A sum of NaNs is a NaN; which one is up to the processor.
			for i := range want[:n] {
				if math.IsNaN(float64(want[i])) && math.IsNaN(float64(got[i])) {
					want[i], got[i] = 0, 0
				}
			}
			sameBits(t, want, got, "add of %d", n)

			interleave2Plain(want, a, b)
			interleave2(got, a, b)
			sameBits(t, want, got, "interleave2 of %d", n)

			wantPCM, gotPCM := make([]byte, 2*n+1), make([]byte, 2*n+1)
			require.Equal(t, putPCM16Plain(wantPCM[:2*n], a), putPCM16(gotPCM[:2*n], a), "clipped of %d", n)
			require.Equal(t, wantPCM, gotPCM, "putPCM16 of %d", n)
			require.Equal(t, getPCM16Plain(want[:n], wantPCM[:2*n]), getPCM16(got[:n], wantPCM[:2*n]))
			sameBits(t, want, got, "getPCM16 of %d", n)
			require.Equal(t, exceedsPlain(a), exceeds(a), "exceeds of %d", n)
		}
	}
	for v := -32768; v < 32768; v++ {
		pcm := make([]byte, 32)
		pcm[2*(v&15)], pcm[2*(v&15)+1] = byte(v), byte(v>>8)
		var want, got [16]float32
		require.Equal(t, getPCM16Plain(want[:], pcm), getPCM16(got[:], pcm), "full scale at %d", v)
		require.Equal(t, want, got)
	}
	for _, x := range []float32{FullScale16, 1, -1, math.Nextafter32(FullScale16, 2), math.Nextafter32(-1, -2)} {
		for i := range 64 {
			s := make([]float32, 64)
			s[i] = x
			require.Equal(t, exceedsPlain(s), exceeds(s), "%v at %d", x, i)
		}
	}
}

func TestVectorProductsEqualThePlainOnes(t *testing.T) {
	t.Parallel()
	x, c := values(4000, 2), values(4000, 4)
	for n := 0; n <= 176; n += lanes {
		for i := range 20 {
			q := quad{x: [4]int{i, 3 * i, 7, 1000 - i}, c: [4]int{0, 8 * i, i, 500}}
			var want, got [4]float32
			dot4Plain(&want, x, c, &q, n)
			dot4(&got, x, c, &q, n)
			sameBits(t, want[:], got[:], "dot4 of %d", n)
		}
		for count := range 35 {
			for _, steps := range [][2]int{{1, 1}, {2, 1}, {3, 7}, {6, 20}} {
				a, b := values(300, 6), values(300, 6)
				dotRowPlain(a, steps[0], x, steps[1], c[:n], count)
				dotRow(b, steps[0], x, steps[1], c[:n], count)
				sameBits(t, a, b, "dotRow of %d by %d, steps %v", n, count, steps)
			}
		}
	}
}
