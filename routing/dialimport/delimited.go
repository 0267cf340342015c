package dialimport

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"
)

const delimiters = ",;\t|"

// errRecord is of one row: the next may be read.
var errRecord = errors.New("is not a row")

// delimited reads rows of delimited text, as RFC 4180 has it and more leniently:
// a quote within a field that doesn't begin with one is a quote.
type delimited struct {
	in    *bufio.Reader
	comma byte
	line  int // of what was read last
	buf   []byte
	ends  []int // of the fields in buf
	row   []string
}

func newDelimited(in *bufio.Reader, comma byte) *delimited { return &delimited{in: in, comma: comma} }

// next returns the next row that is not blank, and the line on which it begins.
// The row is valid until the next call. The error is io.EOF, one of the source, or
// wraps errRecord.
func (d *delimited) next() ([]string, int, error) {
	for {
		d.line++
		first := d.line
		err := d.record()
		if errors.Is(err, errRecord) {
			return nil, first, err
		}
		blank := len(d.ends) == 0 || len(d.ends) == 1 && strings.TrimSpace(string(d.buf)) == ""
		if err != nil && (blank || !errors.Is(err, io.EOF)) {
			return nil, first, err
		}
		if blank {
			continue
		}
		return d.split(), first, nil
	}
}

// split makes the fields, in one piece of memory.
func (d *delimited) split() []string {
	all, from := string(d.buf), 0
	d.row = d.row[:0]
	for _, end := range d.ends {
		d.row = append(d.row, fixText(all[from:end]))
		from = end
	}
	return d.row
}

func (d *delimited) record() error {
	d.buf, d.ends = d.buf[:0], d.ends[:0]
	quoted, begun, size := false, false, 0
	for {
		c, err := d.in.ReadByte()
		if err != nil {
			if size > 0 {
				d.ends = append(d.ends, len(d.buf))
			}
			if quoted && errors.Is(err, io.EOF) {
				return fmt.Errorf("%w: it ends within quotes", errRecord)
			}
			return err
		}
		if size++; size > maxRecord {
			return d.tooLong()
		}
		switch {
		case quoted && c == '"':
			if next, err := d.in.Peek(1); err == nil && next[0] == '"' {
				_, _ = d.in.Discard(1)
				d.buf = append(d.buf, c)
				continue
			}
			quoted = false
		case quoted:
			if c == '\n' {
				d.line++
			}
			d.buf = append(d.buf, c)
		case c == '"' && !begun:
			quoted, begun = true, true
		case c == d.comma:
			d.ends = append(d.ends, len(d.buf))
			begun = false
		case c == '\n':
			d.ends = append(d.ends, len(d.buf))
			return nil
		case c == '\r':
		default:
			if c != ' ' && c != '\t' {
				begun = true
			}
			d.buf = append(d.buf, c)
		}
	}
}

// tooLong skips to the end of the line.
func (d *delimited) tooLong() error {
	for {
		_, err := d.in.ReadSlice('\n')
		if !errors.Is(err, bufio.ErrBufferFull) {
			return fmt.Errorf("%w: it is longer than %d bytes; is a quote missing?", errRecord, maxRecord)
		}
	}
}

// sniff finds the delimiter and the line of the header: the pair whose fields
// score best. Without any that scores, ok is false.
func sniff(in *bufio.Reader, score func(fields []string) int) (comma byte, header int, ok bool) {
	const lines = 50
	sample, _ := in.Peek(sampleBytes)
	best := 0
	for _, c := range []byte(delimiters) {
		d := newDelimited(bufio.NewReader(strings.NewReader(string(sample))), c)
		for range lines {
			row, line, err := d.next()
			if err != nil {
				if errors.Is(err, errRecord) {
					continue
				}
				break
			}
			if n := score(row); n > best {
				best, comma, header, ok = n, c, line, true
			}
		}
	}
	return comma, header, ok
}
