package mp3

import "math"

// info is what an Info frame says of the stream that it begins.
type info struct {
	gapless        bool  // it has a LAME tag
	delay, padding int64 // frames of audio that the encoder put before and behind, if gapless
	announced      int64 // frames of the stream; -1 if it doesn't say
}

// trim is what is given of a stream's audio: all but what its encoder put before and behind
// it. Of streams that are joined each has its own.
//
//	decoded: │ filter bank, delay │ audio … │ padding │ filter bank, delay │ audio of the next …
//	                                        from      to
type trim struct {
	samples  int64 // frames of audio in a frame of the stream
	tail     int64 // of the stream before, which the filter bank holds still: given first
	skip     int64 // left out then
	from, to int64 // the padding; nowhere, if the stream doesn't tell
	decoded  int64 // frames of audio so far
	streams  int   // begun so far
}

// take is what is given of the frame that the feed has just read: of its stream, and
// before that of the stream in front of it.
func (t *trim) take(f *feed) (tail, own span) {
	if t.streams != f.streams {
		t.begin(&f.info, f.first.samples())
		t.streams = f.streams
	}
	return t.next()
}

// begin begins a stream, behind the one before if there is one.
func (t *trim) begin(i *info, samples int) {
	tail := int64(0)
	if t.decoded == t.to && t.to > 0 {
		tail = max(0, t.from-t.to)
	}
	*t = trim{samples: int64(samples), from: math.MaxInt64, to: math.MaxInt64}
	if !i.gapless {
		return
	}
	before := i.delay + synthesisDelay
	t.tail = min(tail, before)
	t.skip = before - t.tail
	// An Info frame by which the audio ends before it begins is wrong about its frames.
	if to := i.announced * t.samples; i.announced >= 0 && to+synthesisDelay-i.padding >= before {
		t.from, t.to = to+synthesisDelay-i.padding, to
	}
}

// span is a range of a frame's audio.
type span struct{ from, to int64 }

func (s span) length() int64 { return s.to - s.from }

// next is what is given of the stream's next frame: what comes first is the end of the
// stream before. What is behind the padding, though the Info frame doesn't know of it, is
// given.
func (t *trim) next() (tail, own span) {
	tail.to = min(t.tail, t.samples)
	t.tail -= tail.to
	own = span{tail.to, t.samples}
	skipped := min(t.skip, own.length())
	t.skip -= skipped
	own.from += skipped
	if t.decoded < t.to {
		own.to = max(own.from, min(own.to, t.from-t.decoded))
	}
	t.decoded += t.samples
	return tail, own
}
