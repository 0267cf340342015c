package recording

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording/audio"
	"github.com/switchtape/switchtape/recording/internal/legfile"
)

// The span that a job states is often wrong, as where it is a bill's. What legs hold
// beyond it is audio of the call: it is kept, and told, unless the job wants it cut.

// minBeyond is how far a leg must go beyond the span for the recording to be longer:
// spans and offsets are given in milliseconds, and are rounded.
const minBeyond = time.Millisecond

// toldBeyond is how far a leg must go beyond the span to be told: more than the packet
// by which any leg may be longer than the events say, and than a clock explains that
// is too good to be corrected. That is 20 ms for a call of up to 7 minutes, and 180 ms
// for one of an hour.
func toldBeyond(span time.Duration) time.Duration {
	return max(minGap, span/1_000_000*minDriftPPM)
}

// latestOffset is the latest time at which a segment may begin: the span's end, or
// that of the audio that goes beyond it without a pause. It goes by the rates that
// the files state.
func latestOffset(spec *record.Spec, legs []*legfile.Leg) time.Duration {
	end := spec.Span
	if spec.CutToSpan {
		return end
	}
	var files []window
	for _, l := range legs {
		for _, s := range l.Segments {
			rate := cmp.Or(s.Spec.SampleRateHz, s.Format.SampleRate)
			if at := max(s.Spec.Offset, 0); s.Frames > 0 && rate > 0 {
				files = append(files, window{at, at + audio.DurationOf(s.Frames, rate)})
			}
		}
	}
	slices.SortFunc(files, func(a, b window) int { return cmp.Compare(a.from, b.from) })
	for _, f := range files {
		if f.from <= end {
			end = max(end, f.to)
		}
	}
	return end
}

// beyond is how much audio the leg holds after the span's end.
func (l *timedLeg) beyond(span time.Duration) time.Duration {
	var held []window
	for _, s := range l.withAudio {
		if end := s.at + s.durationOf(s.Frames); end > span {
			held = append(held, window{max(s.at, span), end})
		}
	}
	var sum time.Duration
	for _, w := range unite(held, 0) {
		sum += w.to - w.from
	}
	return sum
}

// findBeyond tells of legs that go beyond the span, and whether the recording does.
func (c *timedCall) findBeyond() {
	if c.spec.Span == 0 {
		return
	}
	for _, l := range c.legs {
		beyond := l.beyond(c.spec.Span)
		c.longer = c.longer || !c.spec.CutToSpan && beyond >= minBeyond
		if beyond <= toldBeyond(c.spec.Span) {
			continue
		}
		what := "are kept"
		if c.spec.CutToSpan {
			what = "were cut off, as the job says"
		}
		beyond = beyond.Round(time.Millisecond)
		l.defects = append(l.defects, record.Defect{
			Code: record.DefectBeyondSpan, Leg: l.spec.Name, Count: beyond.Milliseconds(),
			Detail: fmt.Sprintf("%v of the leg lie beyond the call's span of %v, and %s", beyond, c.spec.Span, what),
		})
	}
}
