package wav

import (
	"io"
)

// tailSize is how much of a file's end is looked at for a trailing chunk when
// the header doesn't say where the audio ends.
const tailSize = 64 << 10

// bufSize is how much is read at a time. The buffer grows where more must be
// looked at ahead.
const bufSize = 64 << 10

// input is a buffered reader that can look ahead by what it has buffered, and
// skips by seeking where that is possible.
type input struct {
	r    io.Reader
	seek io.Seeker // nil: skip by reading
	size int64     // of the stream in bytes; -1 if it isn't known
	pos  int64     // of buf[lo] in the stream
	buf  []byte
	lo   int
	hi   int
	err  error // of r, once met; io.EOF at the end
}

func newInput(r io.Reader, size int64) *input {
	return &input{r: r, size: size, buf: make([]byte, bufSize)}
}

// peek returns the next n bytes without taking them, fewer only at the end of
// the stream or if it fails. n must be at most lookLimit.
func (in *input) peek(n int) []byte {
	if in.hi-in.lo < n && in.err == nil {
		in.fill(n)
	}
	return in.buf[in.lo:min(in.lo+n, in.hi)]
}

// fill reads until n bytes are buffered or the stream ends.
func (in *input) fill(n int) {
	if in.lo > 0 {
		in.hi = copy(in.buf, in.buf[in.lo:in.hi])
		in.lo = 0
	}
	if len(in.buf) < n {
		bigger := make([]byte, n)
		copy(bigger, in.buf[:in.hi])
		in.buf = bigger
	}
	for empty := 0; in.hi < n && in.err == nil; {
		k, err := in.r.Read(in.buf[in.hi:])
		in.hi += k
		in.err = err
		if k > 0 {
			empty = 0
		} else if empty++; empty == 100 && err == nil {
			in.err = io.ErrNoProgress
		}
	}
}

// take drops n bytes that were peeked at.
func (in *input) take(n int) {
	in.lo += n
	in.pos += int64(n)
}

// skip drops n bytes and returns how many there were.
func (in *input) skip(n int64) int64 {
	start := in.pos
	for n > 0 {
		if have := int64(in.hi - in.lo); have > 0 {
			k := min(have, n)
			in.take(int(k))
			n -= k
			continue
		}
		if in.seek != nil && in.size >= 0 && in.err == nil {
			k := min(n, in.size-in.pos)
			if k <= 0 {
				in.err = io.EOF
				break
			}
			if _, err := in.seek.Seek(k, io.SeekCurrent); err != nil {
				in.err = err
				break
			}
			in.pos += k
			n -= k
			continue
		}
		if len(in.peek(1)) == 0 {
			break
		}
	}
	return in.pos - start
}

// failed is the error of the stream, if it ended with another than io.EOF.
func (in *input) failed() error {
	if in.err == io.EOF { //nolint:errorlint // io.Reader's contract: EOF itself
		return nil
	}
	return in.err
}
