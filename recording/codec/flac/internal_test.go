package flac

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestChecks(t *testing.T) {
	t.Parallel()
	// The check values of CRC-8/SMBUS and CRC-16/UMTS (BUYPASS).
	require.Equal(t, uint8(0xF4), crc8([]byte("123456789")))
	require.Equal(t, uint16(0xFEE8), crc16([]byte("123456789")))
	for n := range 40 {
		b := make([]byte, n)
		var slow uint16
		for i := range b {
			b[i] = byte(i*i + 7)
			slow = slow<<8 ^ crc16Table[0][uint8(slow>>8)^b[i]]
		}
		require.Equal(t, slow, crc16(b))
	}
}

func TestNumbers(t *testing.T) {
	t.Parallel()
	for _, v := range []uint64{0, 1, 0x7F, 0x80, 0x7FF, 0x800, 0xFFFF, 0x10000, 0x1FFFFF, 0x200000, 0x3FFFFFF, 0x4000000, 0x7FFFFFFF, 0x80000000, 1<<36 - 1} {
		b := appendNumber(nil, v)
		got, n := uncode(b)
		require.Equal(t, len(b), n, "%#x", v)
		require.Equal(t, int64(v), got)
		if v > 0x7F && v < 0xD800 || v >= 0x10000 && v < 0x110000 {
			require.Equal(t, string(rune(v)), string(b), "UTF-8, where that exists")
		}
		for i := range b {
			if i > 0 {
				_, n = uncode(b[:i])
				require.Zero(t, n)
			}
		}
	}
}

func TestFolding(t *testing.T) {
	t.Parallel()
	for _, v := range []int32{0, -1, 1, -2, 2, math.MaxInt32, math.MinInt32} {
		require.Equal(t, v, unfold(fold(v)))
	}
	require.Equal(t, []uint32{0, 1, 2, 3}, []uint32{fold(0), fold(-1), fold(1), fold(-2)})
}

func TestElementaryFunctions(t *testing.T) {
	t.Parallel()
	for i := range 1001 {
		x := math.Pi * float64(i) / 1000
		require.InDelta(t, math.Cos(x), cosine(x), 1e-14)
		x = math.Exp(float64(i-500) / 10)
		require.InDelta(t, math.Log2(x), log2(x), 1.0/256)
	}
}

// The recursion finds the predictor that a signal was made with.
func TestLevinson(t *testing.T) {
	t.Parallel()
	// An autoregressive process: x[n] = 1.5 x[n-1] - 0.7 x[n-2] + noise.
	var r [maxOrder + 1]float64
	r[0], r[1] = 1, 1.5/1.7
	for i := 2; i < len(r); i++ {
		r[i] = 1.5*r[i-1] - 0.7*r[i-2]
	}
	var coefs [maxOrder][maxOrder]float64
	var power [maxOrder]float64
	require.Equal(t, maxOrder, levinson(&r, &coefs, &power))
	require.InDelta(t, 1.5, coefs[7][0], 1e-9)
	require.InDelta(t, -0.7, coefs[7][1], 1e-9)
	require.InDelta(t, 0, coefs[7][5], 1e-9)
	require.InDelta(t, power[1], power[7], 1e-9)
}

// The bits that are counted are the bits that are written.
func TestBitsAreCountedExactly(t *testing.T) {
	t.Parallel()
	a := newAnalyzer(4096)
	var w bitWriter
	buf := make([]byte, 1<<16)
	for _, n := range []int{1, 2, 5, 16, 63, 64, 100, 192, 1000, 4095, 4096} {
		for scale := range 15 {
			x := make([]int32, history+n)
			seed := uint32(n + scale)
			for i := range n {
				seed = seed*1664525 + 1013904223
				x[history+i] = int32(8000*math.Sin(float64(i)/7)) + int32(seed)>>(31-scale)
				if i > n/2 && scale > 10 {
					x[history+i] = 0
				}
				x[history+i] <<= scale % 3
			}
			a.analyze(x, 24)
			w.reset(buf)
			a.write(&w, x[history:])
			require.Equal(t, a.best.bits, 8*w.pos+int(w.n), "%d samples, scale %d, kind %d", n, scale, a.best.kind)
		}
	}
}
