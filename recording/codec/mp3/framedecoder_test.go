package mp3

import (
	"bytes"
	"errors"
	"io"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording/audio"
	"github.com/switchtape/switchtape/recording/codec"
)

// Once it runs, decoding allocates nothing, whatever the stream uses.
func TestDecodingAllocatesNothing(t *testing.T) {
	for _, m := range []EncoderOptions{{}, {Stereo: StereoJoint, CRC: true}, {Mode: VBR, VBRQuality: 4}} {
		for _, rate := range []int{8000, 44100} {
			data := encodeAll(t, speech(rate, 3*rate, 2), 2, rate, 64000, &m)
			s, _, err := Decode(bytes.NewReader(data), codec.Hint{Size: codec.SizeUnknown})
			require.NoError(t, err)
			block := make([]float32, rate/50*2)
			require.Zero(t, testing.AllocsPerRun(100, func() {
				if _, err := s.ReadFrames(block); err != nil {
					t.Error(err)
				}
			}), "%+v at %d Hz", m, rate)
		}
	}
}

// frames are the frames of a stream, without its Info frame.
func frames(t *testing.T, data []byte) [][]byte {
	t.Helper()
	var all [][]byte
	for len(data) > 0 {
		h, err := parseHeader([4]byte(data))
		require.NoError(t, err)
		all = append(all, data[:h.frameBytes()])
		data = data[h.frameBytes():]
	}
	return all[1:]
}

// decodeDamaged decodes a stream that need not be sound, and returns how many
// frames of audio its defect counts.
func decodeDamaged(t *testing.T, data []byte) (samples []float32, lost int64) {
	t.Helper()
	s, _, err := Decode(bytes.NewReader(data), codec.Hint{Size: int64(len(data))})
	require.NoError(t, err)
	total, known := audio.FramesOf(s)
	require.True(t, known)
	block := make([]float32, 999*s.Format().NumChannels)
	for {
		n, err := s.ReadFrames(block)
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
		samples = append(samples, block[:n*s.Format().NumChannels]...)
	}
	require.Equal(t, int(total), len(samples)/s.Format().NumChannels)
	for _, d := range codec.LaterDefects(s) {
		if d.Code == record.DefectTruncated {
			lost = d.Count
		}
	}
	return samples, lost
}

// A frame whose header is lost takes its part of the bit reservoir with it.
// Those that need it are silent rather than noise, and what follows is the same.
func TestLostFrameLeavesNoNoise(t *testing.T) {
	t.Parallel()
	const rate = 8000
	all := frames(t, encodeAll(t, speech(rate, 8*rate, 1), 1, rate, 16000, nil))
	want, lost := decodeDamaged(t, slices.Concat(all...))
	require.Zero(t, lost)
	peak := float32(0)
	for _, v := range want {
		peak = max(peak, v, -v)
	}
	for at := 20; at < 80; at += 7 {
		damaged := slices.Clone(all)
		damaged[at] = slices.Clone(all[at])
		damaged[at][0] = 0
		got, _ := decodeDamaged(t, slices.Concat(damaged...))
		require.Len(t, got, len(want)-granuleLines)
		require.Equal(t, want[:at*granuleLines], got[:at*granuleLines])
		const recovery = 6 // frames of the reservoir, and one of overlap
		require.Equal(t, want[(at+1+recovery)*granuleLines:], got[(at+recovery)*granuleLines:])
		for _, v := range got {
			require.LessOrEqual(t, max(v, -v), 1.2*peak)
		}
	}
}

// A wrong CRC costs its frame, but only where CRCs were right before.
func TestWrongCRC(t *testing.T) {
	t.Parallel()
	const rate = 16000
	all := frames(t, encodeAll(t, speech(rate, 2*rate, 1), 1, rate, 32000, &EncoderOptions{CRC: true}))
	want, lost := decodeDamaged(t, slices.Concat(all...))
	require.Zero(t, lost)
	for i := range all {
		all[i] = slices.Clone(all[i])
	}
	all[20][5] ^= 0x10
	got, lost := decodeDamaged(t, slices.Concat(all...))
	require.Equal(t, int64(granuleLines), lost)
	require.Len(t, got, len(want))
	require.Equal(t, want[:20*granuleLines], got[:20*granuleLines])
	require.Equal(t, want[23*granuleLines:], got[23*granuleLines:])
	for i := range all {
		all[i][4] = 0x12
	}
	got, lost = decodeDamaged(t, slices.Concat(all...))
	require.Zero(t, lost)
	require.Equal(t, want, got)
}

// What a granule can't have is an error, and leaves the sound before to fade.
func TestImpossibleFrames(t *testing.T) {
	t.Parallel()
	h := header{version: mpeg1, bitrateIndex: 9, mode: modeMono}
	for name, g := range map[string]granuleInfo{
		"big_values":    {bigValues: 289, part23Bits: 100},
		"block type":    {windowSwitching: true, part23Bits: 100},
		"Huffman table": {tableSelect: [3]int{4}, part23Bits: 100},
		"scale factors": {scalefacCompress: 15, part23Bits: 20},
		"codes":         {bigValues: 100, part23Bits: 90, tableSelect: [3]int{24, 24, 24}},
		"main data":     {part23Bits: 4095},
	} {
		d := newFrameDecoder()
		for i := range slotsPerBlock {
			d.channels[0].overlap[3*slotsPerBlock+i] = 0.01
		}
		d.channels[0].used = subbands
		var w bitWriter
		side := sideInfo{granules: [2][2]granuleInfo{{g}, {}}}
		if g.windowSwitching {
			w.put(0, 9+5+4)
			w.put(100, 12)
			w.put(0, 9+8+4)
			w.put(1, 1) // and block type 0
			w.put(0, 32)
			w.put(0, 32)
		} else {
			side.write(&w, 0, 1)
		}
		w.flush()
		out := make([]float32, 2*granuleLines)
		require.Error(t, d.decode(&h, append(w.buf, 0, 0, 0, 0, 0, 0, 0, 0), make([]byte, 200+spareBytes), out), name)
		require.NotZero(t, out[301], name)
		require.Zero(t, out[2*granuleLines-1], name)
	}
}

// The illegal position of MPEG-2, all ones, is none: the lines are M/S, or left
// and right.
func TestIllegalPosition(t *testing.T) {
	t.Parallel()
	for _, midSide := range []bool{false, true} {
		var left, right [granuleLines]float32
		sf := &scalefacs{}
		for i := range sf.value {
			sf.value[i], sf.illegal[i] = 7, 7
		}
		sf.value[3] = 2 // the 4th band
		for i := range left {
			left[i] = 1
		}
		j := joint{left: &left, right: &right, midSide: midSide, lsf: 1, scale: 1, sf: sf, bands: &bandTables[mpeg2][2]}
		j.intensity(&granuleInfo{})
		if midSide {
			require.InDelta(t, math.Sqrt(0.5), left[0], 1e-6)
			require.InDelta(t, math.Sqrt(0.5), right[0], 1e-6)
		} else {
			require.Equal(t, [2]float32{1, 0}, [2]float32{left[0], right[0]})
		}
		require.InDelta(t, 1, left[18], 0)
		require.InDelta(t, math.Sqrt(0.5), right[18], 1e-6)
	}
}

// Where only the last band of MPEG-2 is spread, as the band before it has lines of its own
// in the right channel, there is no position for it: it is in the middle. MPEG-1 and bands
// whose neighbour is a position are as they were.
func TestLastBandWithoutPosition(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		lsf, coded int // the last band with lines of its own
		want       float64
	}{{1, 20, 1}, {1, 19, math.Sqrt(0.5)}, {0, 20, math.Tan(math.Pi*2/12) / (1 + math.Tan(math.Pi*2/12))}} {
		var left, right [granuleLines]float32
		sf := &scalefacs{}
		for i := range sf.value {
			sf.value[i] = 2
		}
		for i := range left {
			left[i] = 1
		}
		bands := &bandTables[mpeg2][0] // 22,050 Hz
		right[bands.long[c.coded+1]-1] = 0.5
		j := joint{left: &left, right: &right, lsf: c.lsf, scale: 1, sf: sf, bands: bands}
		j.intensity(&granuleInfo{})
		last := bands.long[longBands-1]
		if c.lsf == 1 {
			require.InDelta(t, 1, left[last], 1e-6)
			require.InDelta(t, c.want, right[last], 1e-6, "%+v", c)
		} else {
			require.InDelta(t, c.want, left[last], 1e-6, "%+v", c)
		}
	}
}

// FuzzFrame decodes arbitrary side information and main data, frame after frame:
// nothing panics, and every sample is a number.
func FuzzFrame(f *testing.F) {
	f.Add([]byte{0xFF, 0xFB, 0x90, 0x00}, bytes.Repeat([]byte{0x55, 3}, 300), true)
	f.Add([]byte{0xFF, 0xFB, 0x90, 0x70}, bytes.Repeat([]byte{0x01, 0xF3, 0x80}, 300), false)
	for _, rate := range []int{8000, 16000, 44100} {
		data := encodeAll(f, speech(rate, rate/4, 2), 2, rate, 64000, &EncoderOptions{Stereo: StereoJoint})
		f.Add(data[1000:1004], data[1000:], true)
	}
	f.Fuzz(func(t *testing.T, head, data []byte, switches bool) {
		if len(head) < 4 {
			return
		}
		h, err := parseHeader([4]byte(head))
		if err != nil {
			return
		}
		d := newFrameDecoder()
		var out [4 * granuleLines]float32
		for i := range 4 {
			n := min(len(data), h.sideInfoBytes()+700)
			side, main := make([]byte, h.sideInfoBytes()), make([]byte, max(0, n-h.sideInfoBytes())+spareBytes)
			copy(side, data[:n])
			if n > len(side) {
				copy(main, data[len(side):n])
			}
			_ = d.decode(&h, side, main, out[:])
			for _, v := range out[:h.samples()*h.channels()] {
				if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
					t.Fatal("not a number")
				}
			}
			data = data[n/2:]
			if switches && i == 1 {
				h.mode ^= modeMono
			}
		}
	})
}

// Damage anywhere: nothing panics, the length stays that of the frames that are
// there, every sample is a number, and what is far from it doesn't change.
func TestMutations(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(21, 22))
	rounds := 150
	if testing.Short() {
		rounds = 15
	}
	for _, rate := range []int{8000, 44100} {
		data := encodeAll(t, speech(rate, 2*rate, 2), 2, rate, 64000, &EncoderOptions{Stereo: StereoJoint, CRC: rate == 44100, OmitInfo: true})
		want, _ := decodeDamaged(t, data)
		for range rounds {
			damaged := slices.Clone(data)
			at := len(data)/4 + r.IntN(len(data)/4)
			for range 1 + r.IntN(8) {
				damaged[at+r.IntN(30)] = byte(r.Uint32())
			}
			got, _ := decodeDamaged(t, damaged)
			for _, v := range got {
				if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
					t.Fatal("a sample that is none")
				}
			}
			before := len(want) / 4 * 8 / 10
			require.True(t, slices.Equal(want[:before], got[:before]), "before the damage nothing changes")
			after := len(want) / 3
			require.Greater(t, len(got), after)
			require.True(t, slices.Equal(want[len(want)-after:], got[len(got)-after:]), "nor after it")
		}
	}
}

// Counting the frames of a stream knows nothing of what can be decoded: whether
// one that is cut is a frame still mustn't depend on that.
func TestCutFrameIsCountedAsItIsDecoded(t *testing.T) {
	t.Parallel()
	frame := func(side *sideInfo) []byte {
		h := header{version: mpeg1, rateIndex: 1, bitrateIndex: 1, mode: modeMono} // 96 bytes, 75 of main data
		head := h.bytes()
		var w bitWriter
		side.write(&w, h.lsf(), h.channels())
		w.flush()
		return append(slices.Concat(head[:], w.buf), make([]byte, h.slotBytes())...)
	}
	sound := frame(&sideInfo{})
	broken := &sideInfo{}
	broken.granules[0][0] = granuleInfo{part23Bits: 8 * 75, bigValues: 289}
	far := &sideInfo{mainDataBegin: 200} // further than the one frame behind what is left out
	far.granules[0][0].part23Bits = 8 * 100
	file := slices.Concat(bytes.Repeat(sound, 8), frame(broken), make([]byte, 10),
		frame(&sideInfo{mainDataBegin: 10}), frame(far)[:60])

	s, _, err := Decode(bytes.NewReader(file), codec.Hint{Size: int64(len(file))})
	require.NoError(t, err)
	frames, _ := audio.FramesOf(s)
	block, got := make([]float32, 4096), int64(0)
	for err == nil {
		var n int
		n, err = s.ReadFrames(block)
		got += int64(n)
	}
	require.ErrorIs(t, err, io.EOF)
	require.Equal(t, frames, got)
	require.Equal(t, int64(11*1152), got, "the part of the last frame is enough by its own words")
}
