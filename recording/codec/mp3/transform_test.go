package mp3

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

func randomBlock(seed uint64) *block {
	r := rand.New(rand.NewPCG(seed, 3))
	var b block
	for i := range b {
		b[i] = float32(2*r.Float64() - 1)
	}
	return &b
}

// TestPolyphaseIsTheStandards compares the fast filter bank with the formulas of
// ISO/IEC 11172-3, C.1.3.
func TestPolyphaseIsTheStandards(t *testing.T) {
	t.Parallel()
	var p polyphase
	r := rand.New(rand.NewPCG(5, 5))
	for i := range p.samples {
		p.samples[i] = float32(2*r.Float64() - 1)
	}
	samples := p.samples
	var out block
	require.False(t, p.analyze(&out))
	for slot := range slotsPerBlock {
		for band := range subbands {
			want := 0.0
			for i := range 512 {
				d := float64(windowInts[min(i, 512-i)])
				if i > 256 && i%64 != 0 {
					d = -d
				}
				x := float64(samples[slot*32+511-i])
				want += d / (65536 * 32) * x * math.Cos(float64((2*band+1)*(i%64-16))*math.Pi/64)
			}
			if band%2 == 1 && slot%2 == 1 {
				want = -want
			}
			require.InDelta(t, want, out[band*slotsPerBlock+slot], 1e-6, "band %d slot %d", band, slot)
		}
	}
}

// TestMDCTIsTheStandards compares the fast transforms with the sums of 11172-3,
// C.1.3 (MDCT).
func TestMDCTIsTheStandards(t *testing.T) {
	t.Parallel()
	prev, cur := randomBlock(1), randomBlock(2)
	sample := func(band, n int) float64 {
		if n < 18 {
			return float64(prev[band*18+n])
		}
		return float64(cur[band*18+n-18])
	}
	for _, blockType := range []int{blockLong, blockStart, blockStop} {
		var want, got [granuleLines]float32
		for band := range subbands {
			for k := range 18 {
				sum := 0.0
				for n := range 36 {
					sum += longWindow(blockType, n) * sample(band, n) * math.Cos(math.Pi/72*float64((2*n+19)*(2*k+1)))
				}
				want[band*18+k] = float32(sum / 9)
			}
		}
		for band := 1; band < subbands; band++ {
			for i := range 8 {
				lo, hi := want[band*18-1-i], want[band*18+i]
				want[band*18-1-i] = lo*aliasCS[i] + hi*aliasCA[i]
				want[band*18+i] = hi*aliasCS[i] - lo*aliasCA[i]
			}
		}
		mdctLong(prev, cur, blockType, &got)
		require.InDeltaSlice(t, want[:], got[:], 2e-6, "block type %d", blockType)
	}
	var want, got [granuleLines]float32
	for band := range subbands {
		for w := range 3 {
			for k := range 6 {
				sum := 0.0
				for n := range 12 {
					window := math.Sin(math.Pi / 12 * (float64(n) + 0.5))
					sum += window * sample(band, 6+6*w+n) * math.Cos(math.Pi/24*float64((2*n+7)*(2*k+1)))
				}
				want[w*shortLines+band*6+k] = float32(sum / 3)
			}
		}
	}
	mdctShort(prev, cur, &got)
	require.InDeltaSlice(t, want[:], got[:], 2e-6)
}

// TestHuffmanTables checks that every table is a complete prefix code.
func TestHuffmanTables(t *testing.T) {
	t.Parallel()
	check := func(name string, codes []uint32) {
		sum := 0.0
		for i, c := range codes {
			n := c >> 16
			sum += math.Exp2(-float64(n))
			for j, d := range codes {
				m := d >> 16
				if i != j && n <= m {
					require.NotEqual(t, c&0xffff, d&0xffff>>(m-n), "%s: %d begins %d", name, i, j)
				}
			}
		}
		require.InDelta(t, 1, sum, 1e-9, name)
	}
	for _, table := range laneTables {
		p := pairTables[table]
		require.Len(t, p.codes, p.size*p.size)
		check("pairs", p.codes)
	}
	check("quads A", huffQuadsA[:])
	check("quads B", huffQuadsB[:])
}

// TestCountIsWhatIsWritten compares the counted bits of random granules of all
// sizes with those written, and the best division with the usual one.
func TestCountIsWhatIsWritten(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(9, 9))
	var counter huffmanCounter
	for i := range 3000 {
		s := &spectrum{}
		top := math.Exp(r.Float64() * 9)
		end := r.IntN(granuleLines + 1)
		for k := range end {
			v := top * math.Pow(r.Float64(), 3) * math.Exp(-3*float64(k)/float64(end))
			s.q[k] = uint16(min(v, maxQuantized))
			s.x[k] = float32(r.NormFloat64())
		}
		s.blockType = i % 4
		bands := &bandTables[i%3][i/3%3]
		quick := counter.count(&s.q, end, bands, false, &s.granuleInfo)
		exact := counter.count(&s.q, end, bands, true, &s.granuleInfo)
		var w bitWriter
		writeSpectrum(&w, &s.q, &s.x, &s.granuleInfo, bands)
		require.Equal(t, exact, w.bits())
		if bands.long[18] != 332 { // where not every division is taken
			require.LessOrEqual(t, exact, quick)
		}
	}
}

func TestReservoirNeverHoldsMoreThanTheStandardAllows(t *testing.T) {
	t.Parallel()
	for _, rate := range SampleRates() {
		for _, bitrate := range ValidBitrates(rate) {
			c, err := newConfig(format(2, rate), codecOptions(bitrate), nil)
			require.NoError(t, err)
			h := c.header(c.bitrateIndex)
			bytes := c.reservoirBytes()
			require.LessOrEqual(t, bytes, 511>>c.lsf())
			top := c.header(14)
			require.LessOrEqual(t, bytes+h.frameBytes(), max(top.frameBytes(), h.frameBytes()))
		}
	}
}

func TestPower34(t *testing.T) {
	t.Parallel()
	require.Zero(t, power34(0))
	for x := 1e-12; x < 10; x *= 1.0007 {
		require.InEpsilon(t, math.Pow(float64(float32(x)), 0.75), power34(float32(-x)), 1e-6)
	}
}

// TestVectorWindowIsEqual compares the assembly with the plain path, bit for
// bit.
func TestVectorWindowIsEqual(t *testing.T) {
	t.Parallel()
	if !hasVector {
		t.Skip("SKIPPED: no vector path on this machine or in this build")
	}
	r := rand.New(rand.NewPCG(11, 11))
	for range 200 {
		var x [512]float32
		for i := range x {
			x[i] = float32(r.NormFloat64())
		}
		var plain, vector [64]float32
		window(&plain, &x, analysisWindow)
		windowAVX(&vector, &x, analysisWindow)
		require.Equal(t, plain, vector)
	}
}
