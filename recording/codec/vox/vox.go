// Package vox decodes the ADPCM of Dialogic's boards, which .vox files hold: 4 bits a
// sample, mono, mostly at 8000 or 6000 Hz ("Dialogic ADPCM Algorithm", 1988; OKI
// Semiconductor's MSM6258 has the same).
//
//	byte ─ high half, low half ─▶ step of a table of 49 ─▶ sum, 12 bits
//
// The document shifts each part of a difference by itself, as the chip does. Programs
// sum the parts before they shift, ffmpeg and sox among them, and so does this one: a
// difference is up to 2 of 2048 units larger.
package vox

// SamplesPerByte is how many samples a byte holds.
const SamplesPerByte = 2

// steps is the table of step sizes.
var steps = [49]int32{ //nolint:gochecknoglobals // a constant table
	16, 17, 19, 21, 23, 25, 28, 31, 34, 37, 41, 45, 50, 55, 60, 66, 73, 80, 88, 97, 107, 118, 130, 143, 157, 173, 190, 209,
	230, 253, 279, 307, 337, 371, 408, 449, 494, 544, 598, 658, 724, 796, 876, 963, 1060, 1166, 1282, 1411, 1552,
}

// move is how a code moves in the table.
var move = [8]int{-1, -1, -1, -1, 2, 4, 6, 8} //nolint:gochecknoglobals // a constant table

// Decoder decodes the bytes of one stream in their order. The zero value is at its
// beginning. It allocates nothing.
type Decoder struct {
	sample int32 // 12 bits
	step   int
}

// Decode decodes all of b to the first 2·len(b) samples of dst, on the 16-bit scale.
func (d *Decoder) Decode(dst []int16, b []byte) {
	dst = dst[:SamplesPerByte*len(b)]
	for i, codes := range b {
		dst[2*i] = d.next(codes >> 4)
		dst[2*i+1] = d.next(codes & 15)
	}
}

func (d *Decoder) next(code byte) int16 {
	difference := (2*int32(code&7) + 1) * steps[d.step] >> 3
	if code&8 != 0 {
		difference = -difference
	}
	d.sample = max(-2048, min(d.sample+difference, 2047))
	d.step = max(0, min(d.step+move[code&7], len(steps)-1))
	return int16(d.sample << 4)
}
