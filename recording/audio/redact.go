package audio

import (
	"math"
	"slices"

	goaudio "github.com/go-audio/audio"

	"github.com/switchtape/switchtape/recording/internal/exactmath"
)

// Redaction is a range of a source that [Redact] replaces: the frames from
// FromFrame up to, and without, ToFrame.
type Redaction struct {
	FromFrame, ToFrame int64
	Tone               bool // replaced by a tone; else by silence
}

const (
	redactFadeSeconds = 0.005
	redactToneHz      = 1000
	redactTonePeak    = 0.1 // of a sine at -20 dBFS
)

// Redact replaces ranges of a source, in all its channels, by silence or by a
// tone of 1 kHz at -20 dBFS (a quarter of the rate if that is below 4 kHz).
//
// No sample of a range gets through. The audio before it fades out, and the audio
// after it fades in, by raised cosines of 5 ms outside the range; a tone fades
// within the range. Samples that are further than 5 ms from a range pass
// bit-exactly. Ranges that overlap or touch are one, with a tone if one of them has
// a tone. Ranges may come in any order. Those that are empty, or lie before the
// source's first frame or past its last, do nothing. Without ranges, s itself is
// returned.
func Redact(s Source, ranges []Redaction) Source {
	united := unite(ranges)
	if len(united) == 0 {
		return s
	}
	rate := s.Format().SampleRate
	r := &redactor{
		src: s, channels: s.Format().NumChannels, ranges: united,
		rate: int64(rate), hz: int64(min(redactToneHz, rate/4)),
		fade: make([]float32, max(int(math.Round(redactFadeSeconds*float64(rate))), 1)),
	}
	for d := range r.fade {
		y := exactmath.SinPi(float64(d+1) / float64(2*(len(r.fade)+1)))
		r.fade[d] = float32(float64(y * y))
	}
	return r
}

// unite sorts the ranges and joins those that meet.
func unite(ranges []Redaction) []Redaction {
	var out []Redaction
	for _, r := range slices.SortedFunc(slices.Values(ranges), func(a, b Redaction) int {
		switch {
		case a.FromFrame < b.FromFrame:
			return -1
		case a.FromFrame > b.FromFrame:
			return 1
		}
		return 0
	}) {
		r.FromFrame = max(r.FromFrame, 0)
		if r.ToFrame <= r.FromFrame {
			continue
		}
		if n := len(out); n > 0 && r.FromFrame <= out[n-1].ToFrame {
			last := &out[n-1]
			last.ToFrame, last.Tone = max(last.ToFrame, r.ToFrame), last.Tone || r.Tone
			continue
		}
		out = append(out, r)
	}
	return out
}

type redactor struct {
	src      Source
	channels int
	rate, hz int64
	fade     []float32   // the gain at d+1 frames from a range's edge
	ranges   []Redaction // in order, apart from each other
	next     int         // the first range that may still matter
	pos      int64
}

func (r *redactor) Format() *goaudio.Format { return r.src.Format() }

func (r *redactor) Frames() int64 { return framesOrUnknown(r.src) }

func (r *redactor) ReadFrames(dst []float32) (int, error) {
	n, err := r.src.ReadFrames(dst)
	if n > 0 {
		r.apply(dst[:n*r.channels], r.pos+int64(n))
		r.pos += int64(n)
	}
	return n, err
}

// apply redacts the frames from pos to end.
func (r *redactor) apply(block []float32, end int64) {
	fade := int64(len(r.fade))
	for r.next < len(r.ranges) && r.pos-r.ranges[r.next].ToFrame >= fade {
		r.next++
	}
	for i := r.next; i < len(r.ranges) && r.ranges[i].FromFrame-fade < end; i++ {
		one := &r.ranges[i]
		before, after := int64(0), end // where the neighbours' ranges are
		if i > 0 {
			before = r.ranges[i-1].ToFrame
		}
		if i+1 < len(r.ranges) {
			after = r.ranges[i+1].FromFrame
		}
		for f := max(one.FromFrame-fade, before, r.pos); f < min(one.FromFrame, end); f++ {
			r.scale(block, f, r.fade[one.FromFrame-1-f])
		}
		r.replace(block, one, max(one.FromFrame, r.pos), min(one.ToFrame, end))
		for f := max(one.ToFrame, r.pos); f < min(after, end) && f-one.ToFrame < fade; f++ {
			r.scale(block, f, r.fade[f-one.ToFrame])
		}
	}
}

// frame is frame f of the block that begins at pos.
func (r *redactor) frame(block []float32, f int64) []float32 {
	at := int(f-r.pos) * r.channels
	return block[at : at+r.channels]
}

func (r *redactor) scale(block []float32, f int64, gain float32) {
	x := r.frame(block, f)
	for c := range x {
		x[c] *= gain
	}
}

// replace fills the part of a range from frame from to frame to.
func (r *redactor) replace(block []float32, one *Redaction, from, to int64) {
	if from >= to {
		return
	}
	if !one.Tone {
		clear(block[int(from-r.pos)*r.channels : int(to-r.pos)*r.channels])
		return
	}
	for f := from; f < to; f++ {
		y := float32(redactTonePeak * exactmath.SinPi(2*float64(f*r.hz%r.rate)/float64(r.rate)))
		if d := f - one.FromFrame; d < int64(len(r.fade)) {
			y *= r.fade[d]
		}
		if d := one.ToFrame - 1 - f; d < int64(len(r.fade)) {
			y *= r.fade[d]
		}
		x := r.frame(block, f)
		for c := range x {
			x[c] = y
		}
	}
}
