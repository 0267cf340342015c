package mp3

import (
	"encoding/binary"
	"errors"
	"math"
	"sync"

	"github.com/switchtape/switchtape/recording/internal/exactmath"
)

var errLongCode = errors.New("the Huffman code is longer than its part2_3_length")

// firstBits are the bits of a code that are looked up at once. Longer codes have
// a second table each.
const firstBits = 8

// pairDecoder decodes the codes of one pair table. The entries are x<<4 | y in
// the low byte and the code's length above; or, of codes longer than firstBits,
// subTable, the number of further bits in the low byte and the offset of their
// table, which follows, above.
type pairDecoder []uint32

const subTable = 1 << 31

// huffDecoder is what Huffman code is read with.
type huffDecoder struct {
	pairs [32]pairDecoder // by table_select; nil of those without codes
	// quads holds, by count1 table and the next 6 bits, the code's length << 4
	// and the values as v<<3 | w<<2 | x<<1 | y.
	quads [2][64]uint8
	// power is |q|^(4/3).
	power [maxQuantized + 1]float32
}

// huffDecode is made when the first stream is decoded.
var huffDecode = sync.OnceValue(func() *huffDecoder {
	d := &huffDecoder{}
	for i := range d.pairs {
		t := pairTables[i]
		switch {
		case t.size == 0:
		case i > 16 && i != 24: // those of a family share codes
			d.pairs[i] = d.pairs[i-1]
		default:
			d.pairs[i] = makePairDecoder(t)
		}
	}
	for i, codes := range [2]*[16]uint32{&huffQuadsA, &huffQuadsB} {
		for values, c := range codes {
			n := c >> 16
			from := c & 0xFFFF << (6 - n)
			for k := range uint32(1) << (6 - n) {
				d.quads[i][from+k] = uint8(n<<4) | uint8(values)
			}
		}
	}
	for q := range d.power {
		d.power[q] = float32(float64(q) * exactmath.Cbrt(float64(q)))
	}
	return d
})

func makePairDecoder(t pairTable) pairDecoder {
	longest := [1 << firstBits]uint32{}
	for _, c := range t.codes {
		if n := c >> 16; n > firstBits {
			head := c & 0xFFFF >> (n - firstBits)
			longest[head] = max(longest[head], n-firstBits)
		}
	}
	size := 1 << firstBits
	for _, n := range longest {
		size += 1 << n &^ 1
	}
	d := make(pairDecoder, size)
	next := 1 << firstBits
	for head, n := range longest {
		if n > 0 {
			d[head] = subTable | uint32(next)<<8 | n
			next += 1 << n
		}
	}
	for i, c := range t.codes {
		n, code := c>>16, c&0xFFFF
		entry := n<<8 | uint32(i/t.size)<<4 | uint32(i%t.size)
		at, left := uint32(0), firstBits-int(n)
		if left < 0 {
			sub := d[code>>(n-firstBits)]
			at = sub &^ subTable >> 8
			left = int(sub&0xFF) - (int(n) - firstBits)
			code &= 1<<(n-firstBits) - 1
		}
		for k := range uint32(1) << left {
			d[at+code<<left+k] = entry
		}
	}
	return d
}

// spectrumBits are what a granule's Huffman code is read from: data has
// spareBytes behind what counts.
type spectrumBits struct {
	data []byte
	pos  int // of the next bit
	end  int // of the granule's part 3
}

// spareBytes are read and not used behind the end.
const spareBytes = 8

// peek is the next 57 bits or more, the first one at the top. It is 0 behind
// the data.
func (b *spectrumBits) peek() uint64 {
	at := b.pos >> 3
	if at < 0 || at+8 > len(b.data) {
		return 0
	}
	return binary.BigEndian.Uint64(b.data[at:]) << (b.pos & 7)
}

// readSpectrum reads the Huffman code of a granule (11172-3, 2.4.1.7) to
// sign(q)·|q|^(4/3), and returns the line from which on they are 0.
func (d *huffDecoder) readSpectrum(b *spectrumBits, g *granuleInfo, bands *bandTable, lines *[granuleLines]float32) (int, error) {
	big := min(2*g.bigValues, granuleLines)
	borders := [3]int{fixedBorder(bands, g.blockType), big, big}
	if !g.windowSwitching {
		borders[0] = bands.long[min(g.region0Count+1, longBands)]
		borders[1] = bands.long[min(g.region0Count+g.region1Count+2, longBands)]
	}
	from := 0
	for region, to := range borders {
		to = min(to, big)
		d.readPairs(b, g.tableSelect[region], lines[from:max(from, to)])
		from = max(from, to)
		if b.pos > b.end {
			return 0, errLongCode
		}
	}
	end := d.readQuads(b, &d.quads[g.count1Table&1], big, lines)
	clear(lines[end:])
	return end, nil
}

// signed is v with the sign of the top bit of w, unless nothing was coded.
func signed(v float32, w uint64) float32 {
	return math.Float32frombits(math.Float32bits(v) | uint32(w>>63)<<31)
}

// readPairs reads one region.
func (d *huffDecoder) readPairs(b *spectrumBits, table int, lines []float32) {
	codes := d.pairs[table&31]
	if len(codes) < 1<<firstBits {
		clear(lines)
		return
	}
	first := (*[1 << firstBits]uint32)(codes)
	linbits := uint(tableLinbits[table&31])
	pos := b.pos
	data := b.data
	for len(lines) >= 2 {
		at := uint(pos) >> 3
		if at+8 > uint(len(data)) {
			break
		}
		w := binary.BigEndian.Uint64(data[at:]) << (pos & 7)
		e := first[w>>(64-firstBits)]
		if e&subTable != 0 {
			at := uint(e&^subTable>>8) + uint(w<<firstBits>>(64-e&63))
			e = codes[at]
		}
		n := uint(e >> 8)
		w <<= n & 63
		x, y := e>>4&15, e&15
		if linbits > 0 && (x == 15 || y == 15) {
			var used uint
			lines[0], w, used = d.escaped(x, w, linbits)
			n += used
			lines[1], _, used = d.escaped(y, w, linbits)
			pos += int(n + used)
			lines = lines[2:]
			continue
		}
		// The sign of a 0 isn't coded: w >> 63 is masked without a branch.
		hasX, hasY := uint64(x+15)>>4, uint64(y+15)>>4
		vx, vy := d.power[x], d.power[y]
		lines[0] = math.Float32frombits(math.Float32bits(vx) | uint32(w>>63&hasX)<<31)
		w <<= hasX
		lines[1] = math.Float32frombits(math.Float32bits(vy) | uint32(w>>63&hasY)<<31)
		pos += int(n) + int(hasX+hasY)
		lines = lines[2:]
	}
	clear(lines)
	b.pos = pos
}

// escaped reads what follows the code of the value v from w: linbits if it is
// 15, a sign if it isn't 0.
func (d *huffDecoder) escaped(v uint32, w uint64, linbits uint) (float32, uint64, uint) {
	n := uint(0)
	if v == 15 {
		v += uint32(w >> (64 - linbits&63))
		w <<= linbits & 63
		n = linbits
	}
	if v == 0 {
		return 0, w, n
	}
	return signed(d.power[min(v, maxQuantized)], w), w << 1, n + 1
}

// readQuads reads the values of at most 1 behind the pairs. A code that ends
// behind the granule's end is padding.
func (d *huffDecoder) readQuads(b *spectrumBits, codes *[64]uint8, from int, lines *[granuleLines]float32) int {
	for from+4 <= granuleLines && b.pos < b.end {
		w := b.peek()
		e := codes[w>>58]
		n := int(e >> 4)
		w <<= n & 63
		v := (*[4]float32)(lines[from:])
		for k := range v {
			has := uint64(e>>(3-k)) & 1
			v[k] = math.Float32frombits((0x3F800000 | uint32(w>>63)<<31) * uint32(has))
			w <<= has
			n += int(has)
		}
		if b.pos+n > b.end {
			break
		}
		b.pos += n
		from += 4
	}
	return from
}
