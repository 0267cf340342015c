package g711_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/recording/codec/g711"
)

// Values of the tables of ITU-T G.711, on the 16-bit scale: the ends of the
// range, the ends of the first segment and both zeros.
func TestTables(t *testing.T) {
	t.Parallel()
	for code, want := range map[byte]int16{
		0x00: -32124, 0x80: 32124, 0x7F: 0, 0xFF: 0, 0xFE: 8, 0x7E: -8, 0xF0: 120, 0xEF: 132, 0x70: -120,
		0x8F: 16764, 0x90: 15996, 0x0F: -16764,
	} {
		require.Equal(t, want, g711.MulawToInt16(code), "µ-law %#02x", code)
	}
	for code, want := range map[byte]int16{
		0x2A: -32256, 0xAA: 32256, 0x55: -8, 0xD5: 8, 0xD4: 24, 0x54: -24, 0x5A: -248, 0xDA: 248, 0xC5: 264,
	} {
		require.Equal(t, want, g711.AlawToInt16(code), "A-law %#02x", code)
	}
}

// Decoding and encoding again gives the code, for all 256 of both laws.
func TestCodesRoundTrip(t *testing.T) {
	t.Parallel()
	for i := range 256 {
		code := byte(i)
		require.Equal(t, code, g711.AlawFromInt16(g711.AlawToInt16(code)), "A-law %#02x", code)
		if code != 0x7F { // negative zero
			require.Equal(t, code, g711.MulawFromInt16(g711.MulawToInt16(code)), "µ-law %#02x", code)
		}
	}
}

// Every sample within the range is coded within half a step of its segment,
// with its sign: for all 65,536 samples. The laws look at the upper 14 and 12
// bits only, which is the slack.
func TestEncodingError(t *testing.T) {
	t.Parallel()
	for v := -32768; v < 32768; v++ {
		mu, a := g711.MulawFromInt16(int16(v)), g711.AlawFromInt16(int16(v))
		cases := []struct{ got, step, slack, most int }{
			{int(g711.MulawToInt16(mu)), 8 << (^mu >> 4 & 7), 4, g711.MaxMulaw},
			{int(g711.AlawToInt16(a)), 8 << max((a^0x55)>>4&7, 1), 16, g711.MaxAlaw},
		}
		for law, c := range cases {
			want := max(-c.most, min(c.most, v))
			if d := max(c.got-want, want-c.got); d > c.step/2+c.slack {
				require.LessOrEqual(t, d, c.step/2+c.slack, "law %d, sample %d gave %d", law, v, c.got)
			}
			if v > 0 && c.got < 0 || v < 0 && c.got > 0 {
				require.Failf(t, "wrong sign", "law %d, sample %d gave %d", law, v, c.got)
			}
		}
	}
}

func TestTablesAreTheFunctions(t *testing.T) {
	t.Parallel()
	for _, law := range []g711.Law{g711.Mulaw, g711.Alaw} {
		enc, dec := law.EncodeTable(), law.DecodeTable()
		src, codes, back := make([]float32, 65536), make([]byte, 65536), make([]float32, 65536)
		for i := range src {
			src[i] = float32(i-32768) / 32768
		}
		require.Zero(t, enc.Encode(codes, src))
		dec.Decode(back, codes)
		for i := range src {
			want, v := g711.MulawFromInt16(int16(i-32768)), g711.MulawToInt16(codes[i])
			if law == g711.Alaw {
				want, v = g711.AlawFromInt16(int16(i-32768)), g711.AlawToInt16(codes[i])
			}
			if codes[i] != want || back[i] != float32(v)/32768 {
				require.Equal(t, want, codes[i], "%v %d", law, i-32768)
				require.InDelta(t, float64(v)/32768, back[i], 0)
			}
		}
		require.Equal(t, 1, enc.Encode(codes[:3], []float32{1.5, float32(math.NaN()), float32(math.Inf(1))}))
		require.InDelta(t, 0, dec[codes[1]], 0.001, "NaN is silence")
		require.InDelta(t, 0, dec[codes[2]], 0.001, "Inf is silence")
	}
}

func Example() {
	code := g711.MulawFromInt16(1000)
	fmt.Printf("%#02x %d\n", code, g711.MulawToInt16(code))
	// Output: 0xce 988
}
