package analysis

import "github.com/switchtape/switchtape/recording/internal/exactmath"

// FloorLUFS is the absolute gate of BS.1770-4, and the loudness that stands for
// less than it.
const FloorLUFS = -70

const (
	lufsOffset   = -0.691
	gatePower    = 1.1724653045822964e-07 // the mean square at FloorLUFS, 10^((-70+0.691)/10)
	gateBins     = 10000
	gateStep     = 0.01 // LU
	binsPerLU    = 1 / gateStep
	hopsPerBlock = 4  // 400 ms in steps of 100 ms
	hopsPerShort = 30 // 3 s
)

// lufs is the loudness of a weighted mean square, to 0.01.
func lufs(power float64) float64 {
	if !(power > gatePower) {
		return FloorLUFS
	}
	return round(lufsOffset+float64(10*exactmath.Log10(power)), 100)
}

// gate is a histogram of the loudness of blocks from FloorLUFS up, in steps of
// 0.01 LU; blocks above +30 LUFS are in the last. It keeps the sum of the powers in
// each step, so a gated mean is exact with one exception: all blocks in the step
// that holds the relative gate are on the same side of it.
type gate struct {
	count [gateBins]uint32
	power [gateBins]float64
}

func (g *gate) add(power float64) {
	if !(power > gatePower) {
		return
	}
	loudness := lufsOffset + float64(10*exactmath.Log10(power)) - FloorLUFS
	bin := min(max(int(loudness*binsPerLU), 0), gateBins-1)
	g.count[bin]++
	g.power[bin] += power
}

// mean is the mean power of the blocks in steps from first on, and their number.
func (g *gate) mean(first int) (power float64, blocks int64) {
	for bin := first; bin < gateBins; bin++ {
		blocks += int64(g.count[bin])
		power += g.power[bin]
	}
	if blocks > 0 {
		power /= float64(blocks)
	}
	return power, blocks
}

// relative is the first step that passes a gate at part of the mean power.
func (g *gate) relative(part float64) int {
	mean, _ := g.mean(0)
	limit := float64(mean * part)
	for bin := range g.count {
		if n := g.count[bin]; n > 0 && g.power[bin] > float64(limit*float64(n)) {
			return bin
		}
	}
	return gateBins
}

// integrated is the gated loudness, BS.1770-4 equation 7, as a power; 0 if no
// block passes.
func (g *gate) integrated() float64 {
	power, _ := g.mean(g.relative(0.1)) // -10 LU
	return power
}

// loudnessRange is that of EBU Tech 3342: between the 10th and the 95th
// percentile of the blocks that pass a gate 20 LU below the mean.
func (g *gate) loudnessRange() float64 {
	first := g.relative(0.01)
	_, blocks := g.mean(first)
	if blocks == 0 {
		return 0
	}
	return max(round(float64(g.percentile(first, blocks, 95)-g.percentile(first, blocks, 10))*gateStep, 100), 0)
}

// percentile is the step of the block of that rank among those from first on.
func (g *gate) percentile(first int, blocks, percent int64) int {
	rank := ((blocks-1)*percent + 50) / 100
	for bin := first; bin < gateBins; bin++ {
		rank -= int64(g.count[bin])
		if rank < 0 {
			return bin
		}
	}
	return gateBins - 1
}
