package mp3

import (
	"math"
)

// reference renders the lines of a frame by the sums of 11172-3, 2.4.3.4.10 and
// 2.4.3.5, in double precision.
type reference struct {
	overlap [granuleLines]float64
	v       [1024]float64
}

// granule takes the lines as [frameDecoder.read] leaves them.
func (r *reference) granule(in *[granuleLines]float32, g *granuleInfo) []float64 {
	var x [granuleLines]float64
	for i, l := range in {
		x[i] = float64(l)
	}
	borders := subbands - 1
	if g.blockType == blockShort {
		borders = 0
		if g.mixed {
			borders = 1
		}
	}
	for b := 1; b <= borders; b++ {
		for i, c := range [8]float64{-0.6, -0.535, -0.33, -0.185, -0.095, -0.041, -0.0142, -0.0037} {
			cs, ca := 1/math.Sqrt(1+c*c), c/math.Sqrt(1+c*c)
			lo, hi := x[18*b-1-i], x[18*b+i]
			x[18*b-1-i], x[18*b+i] = lo*cs-hi*ca, hi*cs+lo*ca
		}
	}
	var slots [slotsPerBlock][subbands]float64
	for b := range subbands {
		blockType := g.blockType
		if g.mixed && b < 2 {
			blockType = blockLong
		}
		t := inverse(x[18*b:18*b+18], blockType)
		for s := range slotsPerBlock {
			y := r.overlap[18*b+s] + t[s]
			r.overlap[18*b+s] = t[18+s]
			if b%2 == 1 && s%2 == 1 {
				y = -y
			}
			slots[s][b] = y
		}
	}
	var out []float64
	for s := range slots {
		out = append(out, r.slot(&slots[s])...)
	}
	return out
}

// inverse is the IMDCT of the lines of a band, windowed.
func inverse(x []float64, blockType int) (t [36]float64) {
	if blockType != blockShort {
		for i := range t {
			for k, v := range x {
				t[i] += v * math.Cos(math.Pi/72*float64((2*i+1+18)*(2*k+1)))
			}
			t[i] *= longWindow(blockType, i)
		}
		return t
	}
	for w := range 3 {
		for i := range 12 {
			sum := 0.0
			for k := range 6 {
				sum += x[3*k+w] * math.Cos(math.Pi/24*float64((2*i+1+6)*(2*k+1)))
			}
			t[6+6*w+i] += sum * math.Sin(math.Pi/12*(float64(i)+0.5))
		}
	}
	return t
}

// slot is figure A.2.
func (r *reference) slot(bands *[subbands]float64) []float64 {
	copy(r.v[64:], r.v[:960])
	for i := range 64 {
		r.v[i] = 0
		for k, s := range bands {
			r.v[i] += math.Cos(float64((16+i)*(2*k+1))*math.Pi/64) * s
		}
	}
	var u [512]float64
	for i := range 8 {
		copy(u[64*i:64*i+32], r.v[128*i:])
		copy(u[64*i+32:64*i+64], r.v[128*i+96:])
	}
	out := make([]float64, 32)
	for i := range u {
		d := float64(windowInts[min(i, 512-i)])
		if i > 256 && i%64 != 0 {
			d = -d
		}
		out[i%32] += u[i] * d / 65536
	}
	return out
}
