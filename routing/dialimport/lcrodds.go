package dialimport

import (
	"fmt"
	"math"
	"slices"
)

// sayNext reports how far the odds of the second place are off those of the source.
// Weights can give the first place its odds, and those of the others follow from it.
func (l *lcr) sayNext(at place, targets []lcrTarget, hops []hop) {
	key := fmt.Sprint(targets)
	why, known := l.next[key]
	if !known {
		theirs, ours := nextOdds(targets, hops), drawnNext(hops)
		worst := 0
		for i := range theirs {
			if math.Abs(theirs[i]-ours[i]) > math.Abs(theirs[worst]-ours[worst]) {
				worst = i
			}
		}
		why = fmt.Sprintf("which of %d gateways is tried first has the source's odds; which comes second is off by up to %.1f points: "+
			"%s is second for %.1f %% of the calls, in the source for %.1f %%",
			len(hops), 100*math.Abs(theirs[worst]-ours[worst]), hops[worst].dest, 100*ours[worst], 100*theirs[worst])
		l.next[key] = why
	}
	l.report.approximate(at, "weights", "%s", why)
}

// drawnNext returns how likely each hop is the second, when the first and then the
// second are drawn by weight.
func drawnNext(hops []hop) []float64 {
	sum := 0.0
	for _, h := range hops {
		sum += float64(h.weight)
	}
	odds := make([]float64, len(hops))
	for i, first := range hops {
		for j, second := range hops {
			if w := float64(first.weight); i != j {
				odds[j] += w / sum * float64(second.weight) / (sum - w)
			}
		}
	}
	return odds
}

// nextSteps is into how many steps the span between two weights is cut. The error of
// odds is then less than 0.0001.
const nextSteps = 256

// nextOdds returns how likely each hop is the second in the source, where the largest
// product of a weight and a uniform random number goes first. A hop whose gateway
// stands there several times has the largest of its products, so the distribution of
// its product is F(x), the product of min(1, x/w) over its weights. It is second when
// one other is above it and the rest are below: the sum of (1-F)/F of the others, times
// the product of their F, integrated over its own distribution.
func nextOdds(targets []lcrTarget, hops []hop) []float64 {
	bounds := []float64{0}
	for _, t := range targets {
		bounds = append(bounds, float64(t.weight))
	}
	slices.Sort(bounds)
	bounds = slices.Compact(bounds)
	of := make([][]float64, len(hops)) // the weights of each
	for i, h := range hops {
		for _, t := range targets {
			if t.dest == h.dest {
				of[i] = append(of[i], float64(t.weight))
			}
		}
	}
	below := func(i int, x float64) float64 {
		p := 1.0
		for _, w := range of[i] {
			p *= min(1, x/w)
		}
		return p
	}
	odds := make([]float64, len(hops))
	at := make([]float64, len(hops))
	for k := 1; k < len(bounds); k++ {
		width := (bounds[k] - bounds[k-1]) / nextSteps
		for step := range nextSteps {
			low := bounds[k-1] + width*float64(step)
			all, above := 1.0, 0.0
			for i := range hops {
				at[i] = below(i, low+width/2)
				all *= at[i]
				above += (1 - at[i]) / at[i]
			}
			for i := range hops {
				own := (1 - at[i]) / at[i]
				odds[i] += (above - own) * all / at[i] * (below(i, low+width) - below(i, low))
			}
		}
	}
	return odds
}
