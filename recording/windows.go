package recording

import (
	"cmp"
	"slices"
	"time"

	"github.com/switchtape/switchtape/callmodel/record"
)

// window is a stretch of the call, in call time, up to and without to.
type window struct{ from, to time.Duration }

// unite puts windows in order and joins those that are at most apart from each
// other.
func unite(windows []window, apart time.Duration) []window {
	slices.SortFunc(windows, func(a, b window) int { return cmp.Compare(a.from, b.from) })
	var out []window
	for _, w := range windows {
		if n := len(out); n > 0 && w.from-out[n-1].to <= apart {
			out[n-1].to = max(out[n-1].to, w.to)
			continue
		}
		out = append(out, w)
	}
	return out
}

// mergePauses puts pauses in order and joins those that overlap or touch.
func mergePauses(pauses []record.Pause) []window {
	out := make([]window, len(pauses))
	for i, p := range pauses {
		out[i] = window{p.From, p.To}
	}
	return unite(out, 0)
}
