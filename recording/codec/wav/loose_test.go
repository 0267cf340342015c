package wav_test

import (
	"bytes"
	"io"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/recording/codec"
	"github.com/switchtape/switchtape/recording/codec/wav"
	"github.com/switchtape/switchtape/recording/recordingtest"
)

// 24 bits in 4 bytes are in the high ones, or in the low ones with their sign or nothing
// above them: the samples tell, however long the silence before them is.
func TestBitsInFourBytes(t *testing.T) {
	t.Parallel()
	const lead = 9000
	tone := recordingtest.Sine(4000, 8000, 300, 0.01, 0)
	for _, bits := range []int{20, 24} {
		var want []float32
		var high, sign, bare []byte
		for _, x := range append(make([]float32, lead), tone...) {
			v := int32(x * float32(int32(1)<<(bits-1)))
			want = append(want, float32(v)/float32(int32(1)<<(bits-1)))
			high = le.AppendUint32(high, uint32(v)<<(32-bits))
			sign = le.AppendUint32(sign, uint32(v))
			bare = le.AppendUint32(bare, uint32(v)&(1<<bits-1))
		}
		for name, body := range map[string][]byte{"left": high, "right, with the sign": sign, "right, with zeros": bare} {
			got, _, details := read(t, file(fmtChunk(1, 1, 8000, 32000, 4, bits), part("data", body)))
			require.Empty(t, details, name)
			require.True(t, recordingtest.Near(want, got, 0), "%s of %d bits", name, bits)
		}
	}
}

// A sound of 16 bits leaves the lowest 8 of 24 empty, wherever those are: if no sample of the
// file is louder than -48 dBFS were they in the high ones, they are in the low ones.
func TestSixteenBitsInFourBytes(t *testing.T) {
	t.Parallel()
	for _, amplitude := range []float64{0.001, 0.5} {
		var want []float32
		var high, sign, bare []byte
		for _, x := range append(make([]float32, 40000), recordingtest.Sine(4000, 8000, 300, amplitude, 0)...) {
			v := int32(x * 32767)
			want = append(want, float32(v)/32768)
			high = le.AppendUint32(high, uint32(v)<<16)
			sign = le.AppendUint32(sign, uint32(v)<<8)
			bare = le.AppendUint32(bare, uint32(v)<<8&0xFFFFFF)
		}
		for name, body := range map[string][]byte{"left": high, "right, with the sign": sign, "right, with zeros": bare} {
			f := file(fmtChunk(1, 1, 8000, 32000, 4, 24), part("data", body))
			got, _, details := read(t, f)
			require.Empty(t, details, name)
			require.True(t, recordingtest.Near(want, got, 0), "%s at %g", name, amplitude)
			s, _, err := wav.Decode(struct{ io.Reader }{bytes.NewReader(f)}, codec.Hint{Size: codec.SizeUnknown})
			require.NoError(t, err)
			require.True(t, recordingtest.Near(want, recordingtest.ReadAll(t, s), 0), "%s at %g, from a stream", name, amplitude)
		}
	}
}

// An EXTENSIBLE header without bits and alignment has valid bits.
func TestValidBitsAlone(t *testing.T) {
	t.Parallel()
	for _, bits := range []int{16, 24} {
		extension := slices.Concat([]byte{22, 0, byte(bits), 0, 0, 0, 0, 0, 1, 0}, []byte("\x00\x00\x00\x00\x10\x00\x80\x00\x00\xaa\x00\x38\x9b\x71"))
		body := slices.Repeat([]byte{0, 0, 0x40}[3-bits/8:], 1000)
		got, f, details := read(t, file(fmtChunk(0xFFFE, 1, 8000, 0, 0, 0, extension...), part("data", body)))
		require.Equal(t, slices.Repeat([]float32{0.5}, 1000), got)
		require.Equal(t, 8000, f.SampleRate)
		require.Contains(t, details, "0 where")
	}
}
