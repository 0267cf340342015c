package mp3

// block holds the 18 slots of 32 band samples that a granule's worth of audio
// turns into, at [band*18 + slot].
type block [granuleLines]float32

const historySamples = 512 - subbands

// polyphase is the analysis filter bank of one channel: ISO/IEC 11172-3,
// C.1.3, on 576 samples at a time.
type polyphase struct {
	// samples are the last historySamples of the audio before, then the audio.
	samples [historySamples + granuleLines]float32
	silent  bool       // the history is silent
	thirds  [3]float32 // energy of each third of the block
}

// analyze turns p.samples into out, with every other sample of every other band
// negated as the MDCT needs it, and makes the newest samples history. It
// reports whether the whole block is silent.
func (p *polyphase) analyze(out *block) bool {
	fresh := p.samples[historySamples:]
	silent := true
	for _, v := range fresh {
		if v != 0 {
			silent = false
			break
		}
	}
	if silent && p.silent {
		*out = block{}
		p.thirds = [3]float32{}
		return true
	}
	p.silent = silent
	p.measure()
	var t [32]float32
	for slot := range slotsPerBlock {
		foldSlot((*[512]float32)(p.samples[slot*subbands:]), &t)
		dct32(&t, (*[559]float32)(out[slot:]))
	}
	for band := 1; band < subbands; band += 2 {
		b := (*[slotsPerBlock]float32)(out[band*slotsPerBlock:])
		for s := 1; s < slotsPerBlock; s += 2 {
			b[s] = -b[s]
		}
	}
	copy(p.samples[:historySamples], p.samples[granuleLines:])
	return false
}

// measure takes the energy of the thirds of the block, at the delay of the
// filter, and without most of the lowest octaves, in which speech and hum have
// no attacks.
func (p *polyphase) measure() {
	x := p.samples[256-subbands/2:]
	for i := range p.thirds {
		var even, odd float32
		y := x[:granuleLines/3+1]
		for len(y) >= 3 {
			a, b := y[1]-float32(0.85*y[0]), y[2]-float32(0.85*y[1])
			even += float32(a * a)
			odd += float32(b * b)
			y = y[2:]
		}
		p.thirds[i] = even + odd
		x = x[granuleLines/3:]
	}
}

// foldSlot windows 512 samples, the newest last, sums them to the 64 values Y of
// 11172-3, figure C.4, and folds those by the symmetry of the matrix
// cos((2k+1)(i-16)π/64) into the 32 inputs of a cosine transform.
func foldSlot(x *[512]float32, t *[32]float32) {
	var y [64]float32 // y[63-i] is the standard's Y[i]
	if hasVector {
		windowAVX(&y, x, analysisWindow)
	} else {
		window(&y, x, analysisWindow)
	}
	t[0] = y[47]
	for j := 1; j <= 16; j++ {
		t[j] = y[47-j] + y[47+j]
	}
	for j := 17; j < 32; j++ {
		t[j] = y[47-j] - y[j-17]
	}
}

// window sums the products of w and x over the eight blocks of 64. The
// conversions keep the compiler from fusing multiplications and additions, so
// that windowAVX gives the same bits.
func window(y *[64]float32, x *[512]float32, w *[8][64]float32) {
	x0, x1, x2, x3 := (*[64]float32)(x[0:]), (*[64]float32)(x[64:]), (*[64]float32)(x[128:]), (*[64]float32)(x[192:])
	x4, x5, x6, x7 := (*[64]float32)(x[256:]), (*[64]float32)(x[320:]), (*[64]float32)(x[384:]), (*[64]float32)(x[448:])
	for i := range y {
		a := float32(w[0][i]*x0[i]) + float32(w[1][i]*x1[i])
		b := float32(w[2][i]*x2[i]) + float32(w[3][i]*x3[i])
		c := float32(w[4][i]*x4[i]) + float32(w[5][i]*x5[i])
		d := float32(w[6][i]*x6[i]) + float32(w[7][i]*x7[i])
		y[i] = (a + b) + (c + d)
	}
}
