package audio

import (
	"errors"
	"fmt"
	"io"
	"slices"

	goaudio "github.com/go-audio/audio"
)

// Segment is a stretch of audio on a timeline.
type Segment struct {
	Source Source
	// OffsetFrames is where on the timeline the source's first frame is. Frames
	// before the timeline's start or past its end are cut.
	OffsetFrames int64
}

// Timeline is the Source that [Place] makes.
type Timeline struct {
	format  goaudio.Format
	total   int64
	pos     int64
	err     error
	waiting []placed // by offset; not reached yet
	active  []*placed
	acc     []float32
	tmp     []float32
	overlap int64
}

type placed struct {
	src  Source
	next int64 // timeline position of the source's next frame
	done bool
}

// errFormat is the error of stages whose sources don't go together.
var errFormat = errors.New("audio: sources differ in format")

// Place puts segments on a timeline of totalFrames frames in format f. Where there
// is no segment, the timeline is silent; where segments overlap, they are summed
// and the frames are counted. Sources are read in the order of their offsets, and
// a source isn't read before the timeline reaches it. All must have the format f.
func Place(f *goaudio.Format, totalFrames int64, segments []Segment) (*Timeline, error) {
	t := &Timeline{format: *f, total: max(totalFrames, 0)}
	for i, s := range segments {
		if *s.Source.Format() != *f {
			return nil, fmt.Errorf("%w: segment %d is %+v, the timeline %+v", errFormat, i, *s.Source.Format(), *f)
		}
		t.waiting = append(t.waiting, placed{src: s.Source, next: s.OffsetFrames})
	}
	slices.SortStableFunc(t.waiting, func(a, b placed) int {
		switch {
		case a.next < b.next:
			return -1
		case a.next > b.next:
			return 1
		}
		return 0
	})
	t.active = make([]*placed, 0, len(t.waiting))
	return t, nil
}

// Format implements [Source].
func (t *Timeline) Format() *goaudio.Format { return &t.format }

// Frames implements [Sized]: the length of the timeline.
func (t *Timeline) Frames() int64 { return t.total }

// OverlapFrames is how many frames read so far hold more than one segment.
func (t *Timeline) OverlapFrames() int64 { return t.overlap }

// ReadFrames implements [Source].
func (t *Timeline) ReadFrames(dst []float32) (int, error) {
	if t.err != nil {
		return 0, t.err
	}
	ch := t.format.NumChannels
	n := int(min(int64(len(dst)/ch), t.total-t.pos))
	if n == 0 {
		if t.pos == t.total {
			t.err = io.EOF
		}
		return 0, t.err
	}
	dst = dst[:n*ch]
	t.activate(t.pos + int64(n))
	var err error
	switch len(t.active) {
	case 0:
		clear(dst)
	case 1:
		n, err = t.readOne(dst)
	default:
		n, err = t.readSum(dst)
	}
	t.active = slices.DeleteFunc(t.active, func(p *placed) bool { return p.done })
	t.pos += int64(n)
	if err != nil {
		t.err = err
		if n == 0 {
			return 0, err
		}
	}
	return n, nil
}

// activate moves the segments that begin before end to the active ones.
func (t *Timeline) activate(end int64) {
	for len(t.waiting) > 0 && t.waiting[0].next < end {
		t.active = append(t.active, &t.waiting[0])
		t.waiting = t.waiting[1:]
	}
}

// readOne reads the only segment of the block straight into it.
func (t *Timeline) readOne(dst []float32) (int, error) {
	ch := t.format.NumChannels
	p := t.active[0]
	if err := t.skipBefore(p); err != nil {
		return 0, err
	}
	from := int(p.next - t.pos)
	if p.done {
		from = 0
	}
	n := 0
	if !p.done {
		var err error
		n, err = ReadFull(p.src, dst[from*ch:])
		p.next += int64(n)
		if errors.Is(err, io.EOF) {
			p.done = true
		} else if err != nil {
			clear(dst[:from*ch])
			return from + n, err
		}
	}
	clear(dst[:from*ch])
	clear(dst[(from+n)*ch:])
	return len(dst) / ch, nil
}

// readSum sums the segments of the block. It works in acc, as a segment that
// fails makes the block shorter and dst must not be touched beyond that.
func (t *Timeline) readSum(dst []float32) (int, error) {
	ch := t.format.NumChannels
	good := len(dst) / ch
	var failed error
	for _, p := range t.active {
		if err := t.skipBefore(p); err != nil {
			return 0, err
		}
	}
	t.acc = grow(t.acc, len(dst))
	t.tmp = grow(t.tmp, len(dst))
	clear(t.acc)
	once, twice := 0, 0 // ends, in this block, of what one and what two segments cover
	for _, p := range t.active {
		if p.done {
			continue
		}
		from := int(p.next - t.pos)
		n, err := ReadFull(p.src, t.tmp[from*ch:])
		p.next += int64(n)
		for i, x := range t.tmp[from*ch : (from+n)*ch] {
			t.acc[from*ch+i] += x
		}
		if lo, hi := max(from, twice), min(from+n, once); hi > lo {
			t.overlap += int64(hi - lo)
			twice = hi
		}
		once = max(once, from+n)
		switch {
		case errors.Is(err, io.EOF):
			p.done = true
		case err != nil && from+n < good:
			good, failed = from+n, err
		}
	}
	copy(dst, t.acc[:good*ch])
	return good, failed
}

// skipBefore drops the frames that are before the timeline's start.
func (t *Timeline) skipBefore(p *placed) error {
	ch := int64(t.format.NumChannels)
	for p.next < 0 && !p.done {
		t.tmp = grow(t.tmp, int(min(-p.next, 1024)*ch))
		n, err := ReadFull(p.src, t.tmp)
		p.next += int64(n)
		if errors.Is(err, io.EOF) {
			p.done = true
		} else if err != nil {
			return err
		}
	}
	return nil
}
