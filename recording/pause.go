package recording

import (
	"slices"
	"time"

	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording/audio"
)

// A paused range is silent on every leg, like one that is redacted for all, and
// so are the ends of what is around it. If pauses are cut the outputs leave it
// out besides: two faded ends meet, and nothing but silence is dropped.

// window is a stretch of the call, in call time.
type window struct{ from, to time.Duration }

// mergePauses puts pauses in order and joins those that overlap or touch.
func mergePauses(pauses []record.Pause) []window {
	out := make([]window, len(pauses))
	for i, p := range pauses {
		out[i] = window{p.From, p.To}
	}
	return unite(out, 0)
}

// paused are the pauses in frames of the timeline at rate.
func (pl *plan) paused(rate int) []audio.Redaction {
	out := make([]audio.Redaction, len(pl.pauses))
	for i, p := range pl.pauses {
		out[i] = audio.Redaction{FromFrame: audio.FramesIn(p.from, rate), ToFrame: audio.FramesIn(p.to, rate)}
	}
	return out
}

// minPiece is the shortest stretch of the call that is kept between two pauses.
const minPiece = time.Millisecond

// cut settles which parts of the call the outputs hold.
func (pl *plan) cut() {
	rate := max(pl.rate, 1)
	pl.length = audio.DurationOf(pl.frames(rate), rate)
	whole := window{to: pl.length}
	if pl.trimmed != nil {
		whole = window{pl.trimmed.from, min(pl.trimmed.to, pl.length)}
	}
	if !pl.cuts() {
		pl.pieces = []window{whole}
		return
	}
	at := whole.from
	for _, p := range append(slices.Clone(pl.pauses), window{whole.to, whole.to}) {
		if piece := (window{at, min(p.from, whole.to)}); piece.to-piece.from >= minPiece {
			pl.pieces = append(pl.pieces, piece)
		}
		at = max(at, p.to)
	}
}

// cuts reports whether pauses are taken out.
func (pl *plan) cuts() bool { return pl.spec.PauseMode == record.PauseCut && len(pl.pauses) > 0 }

// run is a stretch of frames of a timeline, from from up to, and without, to.
type run struct{ from, to int64 }

// runs are the frames of the timeline at rate that outputs hold. Each piece
// begins in the outputs on the frame nearest to its time there, so that outputs
// of all rates stay together however many joints there are.
func (pl *plan) runs(rate int) []run {
	total := pl.frames(rate)
	out := make([]run, len(pl.pieces))
	var at time.Duration // of the next piece, in the outputs
	done := int64(0)
	for i, w := range pl.pieces {
		r := run{audio.FramesIn(w.from, rate), total}
		at += w.to - w.from
		switch {
		case i+1 < len(pl.pieces):
			r.to = min(r.from+audio.FramesIn(at, rate)-done, audio.FramesIn(pl.pieces[i+1].from, rate))
		case w.to < pl.length:
			r.to = min(r.from+audio.FramesIn(at, rate)-done, total)
		}
		r.from = max(min(r.from, r.to-1), 0) // at least a frame, where rounding would leave none
		out[i] = r
		done += r.to - r.from
	}
	return out
}

func framesOf(runs []run) int64 {
	n := int64(0)
	for _, r := range runs {
		n += r.to - r.from
	}
	return n
}

// keep moves those of the bus's frames that outputs get to the front of
// samples, which begin at frame at, and returns how many samples they are.
func (b *bus) keep(samples []float32, at int64) int {
	ch := int64(b.channels)
	end := at + int64(len(samples))/ch
	kept := 0
	for b.next < len(b.runs) && b.runs[b.next].from < end {
		r := b.runs[b.next]
		from, to := max(r.from, at)-at, min(r.to, end)-at
		if int64(kept) == from*ch {
			kept = int(to * ch)
		} else {
			kept += copy(samples[kept:], samples[from*ch:to*ch])
		}
		if r.to > end {
			break
		}
		b.next++
	}
	return kept
}

// timeline is where the parts of the call stand in the outputs; nil if it is
// where they stood in the call.
func (pl *plan) timeline() []record.TimelinePiece {
	if pl.spec.Trim == nil && !pl.cuts() {
		return nil
	}
	var at time.Duration
	var out []record.TimelinePiece
	for _, w := range pl.pieces {
		out = append(out, record.TimelinePiece{CallFrom: w.from, CallTo: w.to, At: at})
		at += w.to - w.from
	}
	return out
}

// pausedFor is for how much of the call recording was paused.
func (pl *plan) pausedFor() time.Duration {
	var sum time.Duration
	for _, p := range pl.pauses {
		sum += max(min(p.to, pl.length)-p.from, 0)
	}
	return sum.Round(time.Millisecond)
}
