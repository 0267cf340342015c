package mp3

import "math"

// writeSpectrum writes the Huffman code of a granule's quantised lines q with
// the signs of x (11172-3, 2.4.1.7), as g says.
func writeSpectrum(w *bitWriter, q *[granuleLines]uint16, x *[granuleLines]float32, g *granuleInfo, bands *bandTable) {
	big := 2 * g.bigValues
	a, b := big, big
	if g.blockType != blockLong {
		a = min(fixedBorder(bands, g.blockType), big)
	} else if g.region0Count+1 < longBands {
		a = min(bands.long[g.region0Count+1], big)
		b = min(bands.long[min(g.region0Count+g.region1Count+2, longBands)], big)
	}
	writePairs(w, q[:a], x[:a], g.tableSelect[0])
	writePairs(w, q[a:b], x[a:b], g.tableSelect[1])
	writePairs(w, q[b:big], x[b:big], g.tableSelect[2])

	quads := &huffQuadsA
	if g.count1Table == 1 {
		quads = &huffQuadsB
	}
	for i := big; i < g.count1End && i+4 <= granuleLines; i += 4 {
		v, s := (*[4]uint16)(q[i:]), (*[4]float32)(x[i:])
		e := quads[(v[0]<<3|v[1]<<2|v[2]<<1|v[3])&15]
		code, n := e&0xffff, uint(e>>16)
		for k, one := range v {
			code, n = appendSign(code, n, one, s[k])
		}
		w.put(code, n)
	}
}

// appendSign appends the sign of x to a code of n bits if the value coded is not
// 0, without a branch that nobody could predict.
func appendSign(code uint32, n uint, value uint16, x float32) (uint32, uint) {
	has := uint32(min(value, 1))
	return code<<(has&31) | sign(x)&has, n + uint(has)
}

func sign(x float32) uint32 { return math.Float32bits(x) >> 31 }

// writePairs writes one region.
func writePairs(w *bitWriter, q []uint16, x []float32, table int) {
	t := &pairTables[table&31]
	if t.size == 0 {
		return
	}
	linbits := uint(tableLinbits[table&31])
	for len(q) >= 2 && len(x) >= 2 {
		u, v := q[0], q[1]
		su, sv := x[0], x[1]
		q, x = q[2:], x[2:]
		e := t.codes[int(min(u, 15))*t.size+int(min(v, 15))]
		code, n := e&0xffff, uint(e>>16)
		if linbits == 0 || u < 15 && v < 15 {
			code, n = appendSign(code, n, u, su)
			code, n = appendSign(code, n, v, sv)
			w.put(code, n)
			continue
		}
		w.put(code, n)
		writeEscaped(w, u, su, linbits)
		writeEscaped(w, v, sv, linbits)
	}
}

// writeEscaped writes the linbits of a value of 15 or more, and the sign.
func writeEscaped(w *bitWriter, v uint16, x float32, linbits uint) {
	if v >= 15 {
		w.put(uint32(v-15), linbits)
	}
	if v != 0 {
		w.put(sign(x), 1)
	}
}
