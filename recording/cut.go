package recording

import (
	"fmt"
	"slices"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording/audio"
)

// cutCall is which parts of the call the outputs hold: the fourth phase. It is
// zero if no leg has audio.
type cutCall struct {
	call   *timedCall
	length time.Duration // of the call
	pieces []window      // of the call that outputs hold, in order
}

// minPiece is the shortest stretch of the call that is kept between two pauses.
const minPiece = time.Millisecond

// cutTimeline takes the silence that is trimmed out of the call and, if pauses are
// cut, the pauses.
func cutTimeline(call *timedCall, scan *scanned) *cutCall {
	if call.rate == 0 {
		return &cutCall{call: call}
	}
	c := &cutCall{call: call, length: audio.DurationOf(call.frames(call.rate), call.rate)}
	whole := window{to: c.length}
	if scan.sound != nil {
		whole = window{scan.sound.from, min(scan.sound.to, c.length)}
	}
	if !call.cutsPauses() {
		c.pieces = []window{whole}
		return c
	}
	at := whole.from
	for _, p := range append(slices.Clone(call.pauses), window{whole.to, whole.to}) {
		if piece := (window{at, min(p.from, whole.to)}); piece.to-piece.from >= minPiece {
			c.pieces = append(c.pieces, piece)
		}
		at = max(at, p.to)
	}
	return c
}

// cutsPauses reports whether pauses are taken out, rather than silenced.
func (c *timedCall) cutsPauses() bool {
	return c.spec.PauseMode == record.PauseCut && len(c.pauses) > 0
}

// run is a stretch of frames of a timeline, up to and without to.
type run struct{ from, to int64 }

// runs are the frames of the timeline at rate that outputs hold. Each piece
// begins in the outputs on the frame nearest to its time there, so that outputs
// of all rates stay together however many joints there are.
func (c *cutCall) runs(rate int) []run {
	total := c.call.frames(rate)
	out := make([]run, len(c.pieces))
	var at time.Duration // of the next piece, in the outputs
	done := int64(0)
	for i, w := range c.pieces {
		r := run{audio.FramesIn(w.from, rate), total}
		at += w.to - w.from
		switch {
		case i+1 < len(c.pieces):
			r.to = min(r.from+audio.FramesIn(at, rate)-done, audio.FramesIn(c.pieces[i+1].from, rate))
		case w.to < c.length:
			r.to = min(r.from+audio.FramesIn(at, rate)-done, total)
		}
		r.from = max(min(r.from, r.to-1), 0) // at least a frame, where rounding would leave none
		out[i] = r
		done += r.to - r.from
	}
	return out
}

// frames is how many frames an output of rate has.
func (c *cutCall) frames(rate int) int64 {
	n := int64(0)
	for _, r := range c.runs(rate) {
		n += r.to - r.from
	}
	return n
}

// timeline is where the parts of the call are in the outputs; nil if they are
// where they were in the call.
func (c *cutCall) timeline() []record.TimelinePiece {
	if c.call.spec.Trim == nil && !c.call.cutsPauses() {
		return nil
	}
	var at time.Duration
	var out []record.TimelinePiece
	for _, w := range c.pieces {
		out = append(out, record.TimelinePiece{CallFrom: w.from, CallTo: w.to, At: at})
		at += w.to - w.from
	}
	return out
}

// pausedFor is for how much of the call recording was paused.
func (c *cutCall) pausedFor() time.Duration {
	var sum time.Duration
	for _, p := range c.call.pauses {
		sum += max(min(p.to, c.length)-p.from, 0)
	}
	return sum.Round(time.Millisecond)
}

// outside names the redactions and pauses that begin after the call's end, by their
// fields, with what is wrong with each. Whoever asked for them meant another unit, or
// another call, and what they were to hide may be in the recording.
func (c *cutCall) outside() (fields, faults []string) {
	if c.call.rate == 0 {
		return nil, nil
	}
	look := func(field string, i int, from, to time.Duration) {
		if from >= c.length {
			fields = append(fields, fmt.Sprintf("%s[%d]", field, i))
			faults = append(faults, fmt.Sprintf("%v to %v lies after the call's end at %v: nothing was silenced by it", from, to, c.length.Round(time.Millisecond)))
		}
	}
	for i, r := range c.call.spec.Redactions {
		look("redactions", i, r.From, r.To)
	}
	for i, p := range c.call.spec.Pauses {
		look("pauses", i, p.From, p.To)
	}
	return fields, faults
}

func (c *cutCall) refuseOutside() error {
	var e callmodel.FieldErrors
	fields, faults := c.outside()
	for i, field := range fields {
		e.Add(field, "%s", faults[i])
	}
	return e.Err()
}

func (c *cutCall) outsideDefects() []record.Defect {
	var defects []record.Defect
	fields, faults := c.outside()
	for i, field := range fields {
		defects = append(defects, record.Defect{Code: record.DefectRangeOutside, Detail: field + ": " + faults[i]})
	}
	return defects
}

// redactedFor is how much of what the outputs hold is redacted, whichever legs
// the redactions are of.
func (c *cutCall) redactedFor() time.Duration {
	all := make([]window, len(c.call.spec.Redactions))
	for i, r := range c.call.spec.Redactions {
		all[i] = window{r.From, r.To}
	}
	all = unite(all, 0)
	var sum time.Duration
	for _, piece := range c.pieces {
		for _, r := range all {
			sum += max(min(r.to, piece.to)-max(r.from, piece.from), 0)
		}
	}
	return sum.Round(time.Millisecond)
}
