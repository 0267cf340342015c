package mp3

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

// synthetic makes streams of random lines that use what no encoder at hand
// does: mixed blocks, intensity stereo, scfsi, every scalefac_compress, preflag.
type synthetic struct {
	rand      *rand.Rand
	header    header
	intensity bool
	mixed     bool
	counter   huffmanCounter
	prev      [2]spectrum // of the granule before
}

// frame appends a frame.
func (s *synthetic) frame(to []byte) []byte {
	h := s.header
	h.modeExt = 0
	if h.mode == modeJoint {
		h.modeExt = s.rand.IntN(2) << 1
		if s.intensity {
			h.modeExt |= 1
		}
	}
	var side sideInfo
	var main bitWriter
	before := s.prev
	for gr := range h.granules() {
		for ch := range h.channels() {
			sp := &spectrum{}
			sp.blockType, sp.mixed = s.next(&s.prev[ch])
			if h.mode == modeJoint && ch == 1 { // the same in both channels
				sp.blockType, sp.mixed = s.prev[0].blockType, s.prev[0].mixed
			}
			g := &side.granules[gr][ch]
			s.granule(sp, &h, gr, ch, &main, &side)
			*g = sp.granuleInfo
			s.prev[ch] = *sp
		}
	}
	main.flush()
	head := h.bytes()
	var w bitWriter
	side.write(&w, h.lsf(), h.channels())
	w.flush()
	if len(main.buf) > h.slotBytes() {
		s.prev = before
		return s.frame(to)
	}
	to = append(to, head[:]...)
	to = append(to, w.buf...)
	to = append(to, main.buf...)
	return append(to, make([]byte, h.slotBytes()-len(main.buf))...)
}

// next is a block type that may follow, and whether it is mixed.
func (s *synthetic) next(before *spectrum) (blockType int, mixed bool) {
	switch before.blockType {
	case blockStart:
		return blockShort, before.mixed
	case blockShort:
		return blockShort + s.rand.IntN(2), before.mixed
	}
	blockType = s.rand.IntN(2)
	return blockType, blockType == blockStart && s.mixed && s.rand.IntN(2) == 0
}

// granule fills sp with random lines, and writes its scale factors and lines.
func (s *synthetic) granule(sp *spectrum, h *header, gr, ch int, w *bitWriter, side *sideInfo) {
	bands := &bandTables[h.version][h.rateIndex]
	right := h.modeExt&1 != 0 && ch == 1
	end := s.rand.IntN(300)
	if right {
		end = s.rand.IntN(120)
	}
	top := math.Exp(s.rand.Float64() * 6)
	for k := range end {
		v := top * math.Pow(s.rand.Float64(), 3) * math.Exp(-3*float64(k)/float64(end))
		sp.q[k] = uint16(min(v, 2000))
		sp.x[k] = float32(s.rand.NormFloat64())
	}
	s.counter.count(&sp.q, end, bands, true, &sp.granuleInfo)
	sp.windowSwitching = sp.blockType != blockLong
	sp.globalGain = 210 + int(4*math.Log2(0.02/math.Pow(top+1, 4.0/3))) + s.rand.IntN(8)
	sp.scalefacScale = s.rand.IntN(2)
	for i := range sp.subblockGain {
		sp.subblockGain[i] = s.rand.IntN(4)
	}
	before := w.bits()
	if h.lsf() == 0 {
		sp.preflag = s.rand.IntN(2)
		sp.scalefacCompress = s.rand.IntN(16)
		s.factorsMPEG1(sp, gr, ch, right, w, side)
	} else {
		sp.scalefacCompress = s.rand.IntN(512)
		slen, counts := lsfScalefacs(sp.scalefacCompress, sp.blockType, sp.mixed)
		if right {
			slen, counts = lsfIntensityScalefacs(sp.scalefacCompress, sp.blockType, sp.mixed)
		}
		for i, n := range slen {
			for range counts[i] {
				v := s.rand.IntN(1 << n)
				if right { // neither ffmpeg nor mpg123 know the illegal position, or those from 16 on
					v = min(v, max(0, 1<<n-2), 6)
				}
				w.put(uint32(v), uint(n))
			}
		}
	}
	writeSpectrum(w, &sp.q, &sp.x, &sp.granuleInfo, bands)
	sp.part23Bits = w.bits() - before
}

func (s *synthetic) factorsMPEG1(sp *spectrum, gr, ch int, right bool, w *bitWriter, side *sideInfo) {
	l := scalefacLengths[sp.scalefacCompress]
	put := func(count int, bits uint8) {
		for range count {
			v := s.rand.IntN(1 << bits)
			if right {
				v = min(v, illegalPosition)
			}
			w.put(uint32(v), uint(bits))
		}
	}
	if sp.blockType == blockShort {
		n := 18
		if sp.mixed {
			n = 17
		}
		put(n, l[0])
		put(18, l[1])
		return
	}
	for i, count := range [4]int{6, 5, 5, 5} {
		if gr == 1 && s.prev[ch].blockType != blockShort {
			side.scfsi[ch][i] = s.rand.IntN(2) == 0
		}
		if !side.scfsi[ch][i] {
			put(count, l[i/2])
		}
	}
}

// TestSynthetic compares streams that use everything with what ffmpeg and
// mpg123 make of them.
func TestSynthetic(t *testing.T) {
	t.Parallel()
	for version := range 3 {
		for rateIndex := range 3 {
			if testing.Short() && rateIndex > 0 {
				continue
			}
			t.Run(strconv.Itoa(sampleRates[version][rateIndex]), func(t *testing.T) {
				t.Parallel()
				s := &synthetic{rand: rand.New(rand.NewPCG(uint64(version*3+rateIndex), 4))}
				for _, mode := range []int{modeMono, modeStereo, modeJoint} {
					for kind := range 4 {
						s.prev = [2]spectrum{}
						s.mixed, s.intensity = kind&1 != 0, kind&2 != 0
						if s.intensity && mode != modeJoint {
							continue
						}
						s.header = header{version: version, rateIndex: rateIndex, bitrateIndex: 14, mode: mode}
						s.compare(t)
					}
				}
			})
		}
	}
}

func (s *synthetic) compare(t *testing.T) {
	t.Helper()
	var data []byte
	for range 40 {
		data = s.frame(data)
	}
	got := decodeAll(t, data)
	file := filepath.Join(t.TempDir(), "synthetic.mp3")
	require.NoError(t, os.WriteFile(file, data, 0o600))
	name := fmt.Sprintf("%d Hz, mode %d, intensity %v, mixed %v", s.header.sampleRate(), s.header.mode, s.intensity, s.mixed)
	check := func(tool string, args ...string) {
		t.Helper()
		var stderr bytes.Buffer
		cmd := exec.CommandContext(t.Context(), needTool(t, tool, tool), args...)
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		require.NoError(t, err, stderr.String())
		require.Empty(t, stderr.String(), name)
		require.LessOrEqual(t, difference(floats(out), got).max, sameSynthetic, "%s: %s", name, tool)
	}
	// MPEG-2.5 has no standard for mixed blocks. At 8 kHz ffmpeg and mpg123 differ
	// in where their short bands begin, below that in the Huffman regions as well.
	if !s.mixed || s.header.sampleRate() != 8000 {
		check("ffmpeg", "-v", "error", "-threads", "1", "-f", "mp3", "-i", file, "-f", "f32le", "-c:a", "pcm_f32le", "-")
	}
	// mpg123 takes other positions where a channel ends within a band.
	if !s.intensity && (!s.mixed || s.header.version != mpeg25) {
		check("mpg123", "--quiet", "--stdout", "--encoding", "f32", file)
	}
}

// sameSynthetic is how far samples may be apart: those of the synthetic streams
// are about 0.1.
const sameSynthetic = 1e-6
