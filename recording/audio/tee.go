package audio

import (
	"errors"

	goaudio "github.com/go-audio/audio"
)

// ErrTeeSkew is the error of a branch of [Tee] that ran further ahead of the
// slowest one than allowed.
var ErrTeeSkew = errors.New("audio: a branch of a tee is too far ahead of another")

// Tee reads s once and gives its frames to n branches. The branches are used by
// one goroutine, roughly in step. Tee keeps the frames that one branch has read and
// another has not; a branch that would make them more than maxSkewFrames fails with
// [ErrTeeSkew]. So make no branch that is never read. If n is 1, the only branch is
// s itself.
func Tee(s Source, n int, maxSkewFrames int) []Source {
	if n == 1 {
		return []Source{s}
	}
	t := &tee{src: s, max: maxSkewFrames, read: make([]int64, n)}
	out := make([]Source, n)
	for i := range out {
		out[i] = &teeBranch{tee: t, index: i}
	}
	return out
}

type tee struct {
	src   Source
	max   int
	buf   []float32 // frames from first on that some branch hasn't read
	first int64
	read  []int64 // by branch: its position
	err   error   // of src, reached at the end of buf
}

type teeBranch struct {
	tee   *tee
	index int
	err   error
}

func (b *teeBranch) Format() *goaudio.Format { return b.tee.src.Format() }

func (b *teeBranch) Frames() int64 { return framesOrUnknown(b.tee.src) }

func (b *teeBranch) ReadFrames(dst []float32) (int, error) {
	t := b.tee
	ch := t.src.Format().NumChannels
	want := len(dst) / ch
	if b.err != nil || want == 0 {
		return 0, b.err
	}
	pos := t.read[b.index]
	if err := t.fill(pos + int64(want)); err != nil {
		b.err = err
		return 0, err
	}
	at := int(pos-t.first) * ch
	n := min(want, (len(t.buf)-at)/ch)
	if n == 0 {
		b.err = t.err
		return 0, b.err
	}
	copy(dst, t.buf[at:at+n*ch])
	t.read[b.index] += int64(n)
	return n, nil
}

// fill reads on until the buffer reaches position end, the source ends or fails.
func (t *tee) fill(end int64) error {
	ch := t.src.Format().NumChannels
	have := t.first + int64(len(t.buf)/ch)
	if have >= end || t.err != nil {
		return nil //nolint:nilerr // branches meet it at the end of buf
	}
	slowest := t.read[0]
	for _, p := range t.read[1:] {
		slowest = min(slowest, p)
	}
	if end-slowest > int64(t.max) {
		return ErrTeeSkew
	}
	kept := copy(t.buf, t.buf[int(slowest-t.first)*ch:])
	t.first = slowest
	size := kept + int(end-have)*ch
	if cap(t.buf) < size {
		bigger := make([]float32, size, size+size/4)
		copy(bigger, t.buf[:kept])
		t.buf = bigger
	}
	var n int
	n, t.err = ReadFull(t.src, t.buf[kept:size])
	t.buf = t.buf[:kept+n*ch]
	return nil
}
