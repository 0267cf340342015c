package mp3

import (
	"errors"
	"fmt"
)

var errShortMainData = errors.New("the main data ends early")

// frameDecoder decodes frames of one version and sample rate. It allocates
// nothing.
//
//	side information, main data ─▶ scale factors, Huffman code ─▶ dequantise, reorder
//	   ─▶ (M/S, intensity) ─▶ alias butterflies ─▶ IMDCT, overlap ─▶ polyphase filter ─▶ float32
type frameDecoder struct {
	huffman  *huffDecoder
	side     sideInfo
	channels [2]channelDecoder
	count    int // channels of the last frame
	slots    [granuleLines]float32
}

// channelDecoder is the state of one channel.
type channelDecoder struct {
	scalefacs scalefacs
	// lines are those of the granules of the frame, 0 from end on.
	lines [2][granuleLines]float32
	end   [2]int

	overlap   [granuleLines]float32
	used      int // bands above have no overlap
	silent    bool
	synthesis synthesis
}

func newFrameDecoder() *frameDecoder {
	d := &frameDecoder{huffman: huffDecode()}
	for ch := range d.channels {
		d.channels[ch].silent = true
	}
	return d
}

// decode decodes a frame to out, in which the channels of the frame alternate.
// main is the frame's main data, from where it begins, with spareBytes behind
// it. After an error out holds what the frames before leave, fading out.
func (d *frameDecoder) decode(h *header, side, main []byte, out []float32) error {
	d.side.parse(&bitReader{buf: side}, h.lsf(), h.channels())
	err := d.read(h, main)
	if err != nil {
		d.conceal(h, out)
		return err
	}
	d.render(h, out)
	return nil
}

// conceal decodes a frame that isn't there.
func (d *frameDecoder) conceal(h *header, out []float32) {
	for ch := range d.channels {
		c := &d.channels[ch]
		c.scalefacs, c.end = scalefacs{}, [2]int{}
		c.lines = [2][granuleLines]float32{}
	}
	for gr := range d.side.granules {
		d.side.granules[gr] = [2]granuleInfo{}
	}
	d.render(h, out)
}

// read reads the main data to lines.
func (d *frameDecoder) read(h *header, main []byte) error {
	bands := &bandTables[h.version][h.rateIndex]
	intensity := h.mode == modeJoint && h.modeExt&1 != 0
	pos := 0
	for gr := range h.granules() {
		for ch := range h.channels() {
			g, c := &d.side.granules[gr][ch], &d.channels[ch]
			end := pos + g.part23Bits
			err := g.valid()
			if end > 8*(len(main)-spareBytes) {
				err = errShortMainData
			}
			if err == nil {
				b := spectrumBits{data: main, pos: pos, end: end}
				err = d.readGranule(h, gr, ch, &b, intensity && ch == 1, bands)
			}
			if err != nil {
				return fmt.Errorf("granule %d, channel %d: %w", gr, ch, err)
			}
			c.end[gr] = dequantize(&c.lines[gr], c.end[gr], g, &c.scalefacs, bands, h.lsf())
			pos = end
		}
		if h.mode == modeJoint {
			d.joint(h, gr, bands)
		}
	}
	return nil
}

func (d *frameDecoder) readGranule(h *header, gr, ch int, b *spectrumBits, intensity bool, bands *bandTable) error {
	g, c := &d.side.granules[gr][ch], &d.channels[ch]
	if g.part23Bits == 0 { // no lines, and no scale factors but those of scfsi
		g.scalefacCompress &= 1
		if h.lsf() == 0 {
			g.scalefacCompress = 0
		}
	}
	r := bitReader{buf: b.data, pos: b.pos}
	if err := c.scalefacs.read(&r, g, h.lsf(), gr == 1, intensity, &d.side.scfsi[ch]); err != nil {
		return err
	}
	b.pos = r.pos
	if b.pos > b.end {
		return errLongScalefacs
	}
	if g.part23Bits == 0 {
		c.end[gr] = 0
		c.lines[gr] = [granuleLines]float32{}
		return nil
	}
	var err error
	c.end[gr], err = d.huffman.readSpectrum(b, g, bands, &c.lines[gr])
	return err
}

// joint undoes the joint stereo of a granule.
func (d *frameDecoder) joint(h *header, gr int, bands *bandTable) {
	left, right := &d.channels[0], &d.channels[1]
	g := &d.side.granules[gr][1]
	j := joint{
		left: &left.lines[gr], right: &right.lines[gr], midSide: h.modeExt&2 != 0,
		lsf: h.lsf(), scale: g.scalefacCompress & 1, sf: &right.scalefacs, bands: bands,
	}
	end := max(left.end[gr], right.end[gr])
	if h.modeExt&1 != 0 {
		j.intensity(g)
	} else {
		j.sides(0, end, 1)
	}
	if h.modeExt != 0 {
		left.end[gr], right.end[gr] = end, end
	}
}

// render turns lines into samples.
func (d *frameDecoder) render(h *header, out []float32) {
	n := h.channels()
	if d.count != 0 && d.count != n {
		d.rechannel(n)
	}
	d.count = n
	for gr := range h.granules() {
		part := out[gr*granuleLines*n:]
		for ch := range n {
			d.channels[ch].render(gr, &d.side.granules[gr][ch], &d.slots, part[ch:], n)
		}
	}
}

func (c *channelDecoder) render(gr int, g *granuleInfo, slots *[granuleLines]float32, out []float32, stride int) {
	lines := &c.lines[gr]
	bands := (c.end[gr] + slotsPerBlock - 1) / slotsPerBlock
	if bands == 0 && c.used == 0 {
		if c.silent { // and so is all that the filter remembers
			for i := range granuleLines {
				out[i*stride] = 0
			}
			return
		}
		c.silent = true
		*slots = [granuleLines]float32{}
		c.synthesis.synthesize(slots, out, stride)
		return
	}
	c.silent = false
	butterflies := subbands - 1
	if g.blockType == blockShort {
		butterflies = 0
		if g.mixed {
			butterflies = mixedBands - 1
		}
	}
	if n := min(bands, butterflies); n > 0 {
		dealias(lines, n)
		bands = max(bands, n+1)
	}
	imdct(lines, &c.overlap, g.blockType, g.mixed, bands, c.used, slots)
	c.used = bands
	c.synthesis.synthesize(slots, out, stride)
}

// dealias undoes the alias butterflies at the first n borders of the bands of
// the filter bank (11172-3, 2.4.3.4.10.1).
func dealias(lines *[granuleLines]float32, n int) {
	for band := 1; band <= n; band++ {
		x := (*[16]float32)(lines[band*slotsPerBlock-8:])
		for i := range 8 {
			lo, hi := x[7-i], x[8+i]
			x[7-i] = float32(lo*aliasCS[i]) - float32(hi*aliasCA[i])
			x[8+i] = float32(hi*aliasCS[i]) + float32(lo*aliasCA[i])
		}
	}
}

// rechannel goes on with another number of channels: a second one is a copy of
// the first, and one is the mean of two, as the samples are.
func (d *frameDecoder) rechannel(n int) {
	l, r := &d.channels[0], &d.channels[1]
	if n == 2 {
		r.overlap, r.used, r.silent, r.synthesis = l.overlap, l.used, l.silent, l.synthesis
		return
	}
	for i := range l.overlap {
		l.overlap[i] = (l.overlap[i] + r.overlap[i]) / 2
	}
	l.used = max(l.used, r.used)
	l.silent = l.silent && r.silent
	l.synthesis.mix(&r.synthesis)
}
