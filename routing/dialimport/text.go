package dialimport

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// sampleBytes is how much of a source is looked at before it is read.
const sampleBytes = 64 << 10

// maxRecord bounds one row or one value of a source, in bytes.
const maxRecord = 1 << 20

// newText reads a source as UTF-8: with or without a byte order mark, from
// UTF-16 of either order too. Bytes that are not UTF-8 are left to [fixText].
func newText(r io.Reader) *bufio.Reader {
	in := bufio.NewReaderSize(r, sampleBytes)
	head, _ := in.Peek(4)
	switch {
	case bytes.HasPrefix(head, []byte("\xef\xbb\xbf")):
		_, _ = in.Discard(3)
	case bytes.HasPrefix(head, []byte("\xff\xfe")):
		_, _ = in.Discard(2)
		return bufio.NewReaderSize(&utf16Reader{in: in}, sampleBytes)
	case bytes.HasPrefix(head, []byte("\xfe\xff")):
		_, _ = in.Discard(2)
		return bufio.NewReaderSize(&utf16Reader{in: in, big: true}, sampleBytes)
	case len(head) == 4 && head[0] != 0 && head[1] == 0 && head[2] != 0 && head[3] == 0:
		return bufio.NewReaderSize(&utf16Reader{in: in}, sampleBytes)
	case len(head) == 4 && head[0] == 0 && head[1] != 0 && head[2] == 0 && head[3] != 0:
		return bufio.NewReaderSize(&utf16Reader{in: in, big: true}, sampleBytes)
	}
	return in
}

// utf16Reader turns UTF-16 into UTF-8. What is no symbol becomes U+FFFD.
type utf16Reader struct {
	in   *bufio.Reader
	big  bool
	rest []byte // of a symbol that did not fit
	err  error
}

func (u *utf16Reader) Read(p []byte) (int, error) {
	n := 0
	for n < len(p) {
		if len(u.rest) == 0 {
			if u.err != nil {
				break
			}
			var r rune
			if r, u.err = u.next(); u.err != nil {
				break
			}
			u.rest = utf8.AppendRune(u.rest[:0], r)
		}
		k := copy(p[n:], u.rest)
		u.rest = u.rest[k:]
		n += k
		if u.in.Buffered() == 0 && len(u.rest) == 0 {
			break // what there is, rather than waiting for more
		}
	}
	if n == 0 && u.err != nil && len(p) > 0 {
		return 0, u.err
	}
	return n, nil
}

func (u *utf16Reader) unit() (uint16, error) {
	a, err := u.in.ReadByte()
	if err != nil {
		return 0, err
	}
	b, err := u.in.ReadByte()
	if errors.Is(err, io.EOF) {
		return utf8.RuneError, nil // half a unit at the end
	}
	if u.big {
		a, b = b, a
	}
	return uint16(a) | uint16(b)<<8, err
}

func (u *utf16Reader) next() (rune, error) {
	v, err := u.unit()
	if err != nil || !utf16.IsSurrogate(rune(v)) {
		return rune(v), err
	}
	w, err := u.unit()
	if errors.Is(err, io.EOF) {
		return utf8.RuneError, nil
	}
	return utf16.DecodeRune(rune(v), rune(w)), err
}

// fixText returns the text with each byte that is not UTF-8 read as Latin-1, and
// without the spaces around it.
func fixText(s string) string {
	if !utf8.ValidString(s) {
		var b strings.Builder
		for i := 0; i < len(s); {
			r, n := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && n == 1 {
				r = rune(s[i])
			}
			b.WriteRune(r)
			i += n
		}
		s = b.String()
	}
	return strings.TrimSpace(strings.ReplaceAll(s, "\u00a0", " "))
}
