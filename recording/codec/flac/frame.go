package flac

import "math/bits"

// blockSize is how many frames of audio a frame of the stream holds: a power of
// two from 256 to 32768, near 100 ms. Speech doesn't stay the same for longer;
// shorter ones pay more for their predictors than they gain.
func blockSize(rate int) int {
	switch {
	case rate <= 12000:
		return 1024
	case rate <= 24000:
		return 2048
	default:
		return 4096
	}
}

// assignment is how the two channels of a block are stored (RFC 9639 § 9.1.3).
type assignment uint8

const (
	independent assignment = 1 // left and right
	leftSide    assignment = 8
	sideRight   assignment = 9
	midSide     assignment = 10
)

// difference is what is known of a channel to choose its assignment by.
type difference struct {
	sum uint64 // of the magnitudes of the second differences
	set int32  // the bits set in any sample
}

// decorrelate guesses which two of left, right, mid and side take the fewest
// bits, from the mean magnitude of their second differences. Long blocks are
// judged by a part of them, as for the fixed predictors.
func decorrelate(left, right []int32) assignment {
	var l, r, mid, side difference
	count := 0
	part := sampled
	if len(left) < 2*stride {
		part = len(left)
	}
	for len(left) >= max(part, 3) {
		addDifferences(&l, &r, &mid, &side, left[:part], right[:part])
		count += part - 2
		left, right = left[min(stride, len(left)):], right[min(stride, len(right)):]
	}
	if count == 0 {
		return independent
	}
	n := float64(count)
	bitsL, bitsR, bitsM, bitsS := l.expected(n), r.expected(n), mid.expected(n), side.expected(n)
	best, cost := independent, bitsL+bitsR
	if c := bitsL + bitsS; c < cost {
		best, cost = leftSide, c
	}
	if c := bitsS + bitsR; c < cost {
		best, cost = sideRight, c
	}
	if bitsM+bitsS < cost {
		best = midSide
	}
	return best
}

func addDifferences(dl, dr, dm, ds *difference, left, right []int32) {
	l1, l2, r1, r2 := left[1], left[0], right[1], right[0]
	var sumL, sumR, sumM, sumS uint64
	var setL, setR, setM, setS int32
	for i := 2; i < len(left) && i < len(right); i++ {
		l, r := left[i], right[i]
		a, b := l-2*l1+l2, r-2*r1+r2
		l1, l2, r1, r2 = l, l1, r, r1
		sumL += uint64(magnitude(a))
		sumR += uint64(magnitude(b))
		sumM += uint64(magnitude((a + b) >> 1))
		sumS += uint64(magnitude(a - b))
		setL |= l
		setR |= r
		setM |= (l + r) >> 1
		setS |= l - r
	}
	dl.sum, dl.set = dl.sum+sumL, dl.set|setL
	dr.sum, dr.set = dr.sum+sumR, dr.set|setR
	dm.sum, dm.set = dm.sum+sumM, dm.set|setM
	ds.sum, ds.set = ds.sum+sumS, ds.set|setS
}

// expected is how many bits a sample of the channel takes, of count.
func (d *difference) expected(count float64) float64 {
	if d.sum == 0 {
		return 0
	}
	lowest := float64(max(d.set&-d.set, 1)) // zeros below it are not stored
	return max(log2(float64(d.sum)/(count*lowest))+1.6, 0.1)
}

// rateCode is the code of a sample rate in a frame's header, and the bytes that
// follow the header for it (RFC 9639 § 9.1.2, § 9.1.7). Code 0 refers to the
// stream's header.
func rateCode(hz int) (code uint8, extra uint16, extraBytes int) {
	switch hz {
	case 88200:
		return 1, 0, 0
	case 176400:
		return 2, 0, 0
	case 192000:
		return 3, 0, 0
	case 8000:
		return 4, 0, 0
	case 16000:
		return 5, 0, 0
	case 22050:
		return 6, 0, 0
	case 24000:
		return 7, 0, 0
	case 32000:
		return 8, 0, 0
	case 44100:
		return 9, 0, 0
	case 48000:
		return 10, 0, 0
	case 96000:
		return 11, 0, 0
	}
	switch {
	case hz%1000 == 0 && hz/1000 < 256:
		return 12, uint16(hz / 1000), 1
	case hz < 1<<16:
		return 13, uint16(hz), 2
	case hz%10 == 0 && hz/10 < 1<<16:
		return 14, uint16(hz / 10), 2
	default:
		return 0, 0, 0
	}
}

// appendNumber appends a frame's number in the form of § 9.1.5: UTF-8 as it was
// before it was cut to 4 bytes, up to 36 bits in 7.
func appendNumber(b []byte, v uint64) []byte {
	if v < 0x80 {
		return append(b, byte(v))
	}
	more := 1 // continuation bytes, of 6 bits; the first byte has 6-more bits
	for more < 6 && v>>(6*more+6-more) != 0 {
		more++
	}
	b = append(b, byte(0xFF<<(7-more))|byte(v>>(6*more)))
	for more--; more >= 0; more-- {
		b = append(b, 0x80|byte(v>>(6*more))&0x3F)
	}
	return b
}

// frameHeaderMax is the longest header of a frame in bytes: 4 of codes, 7 of
// its number, 2 of block size, 2 of sample rate and its check.
const frameHeaderMax = 4 + 7 + 2 + 2 + 1

// appendFrameHeader appends the header of a frame of n frames (RFC 9639 § 9.1).
func (e *encoder) appendFrameHeader(b []byte, n int, channels uint8) []byte {
	start := len(b)
	size := byte(bits.Len(uint(n))) - 1 // 8 for 256 and so on
	if n != e.block {
		size = 7
		if n <= 256 {
			size = 6
		}
	}
	depth := byte(4) // 16 bits
	if e.depth == 24 {
		depth = 6
	}
	rate, extra, extraBytes := rateCode(e.rate)
	b = append(b, 0xFF, 0xF8, size<<4|rate, channels<<4|depth<<1)
	b = appendNumber(b, e.frameNumber)
	switch size {
	case 6:
		b = append(b, byte(n-1))
	case 7:
		b = append(b, byte((n-1)>>8), byte(n-1))
	}
	switch extraBytes {
	case 1:
		b = append(b, byte(extra))
	case 2:
		b = append(b, byte(extra>>8), byte(extra))
	}
	return append(b, crc8(b[start:]))
}

// encodeBlock codes the frames that are collected, appending a frame to e.out.
func (e *encoder) encodeBlock() {
	n := e.filled
	e.filled = 0
	channels := uint8(e.channels - 1)
	var stored [MaxChannels][]int32
	var depths [MaxChannels]uint
	for ch := range e.channels {
		stored[ch], depths[ch] = e.planes[ch][:history+n], e.depth
	}
	if e.channels == 2 {
		how := decorrelate(stored[0][history:], stored[1][history:])
		channels = uint8(how)
		if how != independent {
			e.mix(n, how == midSide)
			side := e.side[:history+n]
			switch how {
			case leftSide:
				stored[1], depths[1] = side, e.depth+1
			case sideRight:
				stored[0], depths[0] = side, e.depth+1
			default:
				stored[0] = e.mid[:history+n]
				stored[1], depths[1] = side, e.depth+1
			}
		}
	}
	start := len(e.out)
	e.out = e.appendFrameHeader(e.out, n, channels)
	w := &e.writer
	w.reset(e.out[:cap(e.out)])
	w.pos = len(e.out)
	for ch := range e.channels {
		e.analyzer.analyze(stored[ch], depths[ch])
		e.analyzer.write(w, stored[ch][history:])
	}
	w.align()
	check := crc16(w.buf[start:w.pos])
	w.put(uint64(check), 16)
	e.out = e.out[:w.pos]
	e.frameNumber++
}

// mix makes side, and mid if it is wanted, from left and right (RFC 9639 § 4.2).
func (e *encoder) mix(n int, wantMid bool) {
	left, right := e.planes[0][history:][:n], e.planes[1][history:][:n]
	side := e.side[history:][:n]
	for i, l := range left {
		side[i] = l - right[i]
	}
	if !wantMid {
		return
	}
	mid := e.mid[history:][:n]
	for i, l := range left {
		mid[i] = (l + right[i]) >> 1
	}
}
