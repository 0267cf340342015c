package callfile

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"sync"
)

// Options say how to read. The zero value works.
type Options struct {
	// Workers is how many goroutines parse and visit. 0 means GOMAXPROCS.
	Workers int
	// MaxLine is how many bytes a line may have. 0 means 65536.
	MaxLine int
	// MaxFaults is how many bad lines are listed; all are counted. 0 means 100.
	MaxFaults int
}

// Filled returns the options with their defaults.
func (o *Options) Filled() Options {
	out := Options{}
	if o != nil {
		out = *o
	}
	if out.Workers <= 0 {
		out.Workers = runtime.GOMAXPROCS(0)
	}
	out.MaxLine = min(max(cmp.Or(out.MaxLine, defaultLine), 1), blockBytes)
	out.MaxFaults = cmp.Or(out.MaxFaults, 100)
	return out
}

// Stats says what was read.
type Stats struct {
	Lines int `json:"lines"` // but for empty ones
	Calls int `json:"calls"`
	Bad   int `json:"bad"` // lines that are no calls
	// Faults are those of the first bad lines.
	Faults []Fault `json:"faults,omitempty"`
}

const blockBytes = 256 << 10

// block is whole lines of the file.
type block struct {
	text   string
	line   int    // the number of the first
	faulty string // of a line that is too long: what is wrong with it; there is no text then
}

// Each reads calls and passes them to visit in batches, in no order. Several
// goroutines call visit at once, each with its own number, from 0. The calls are
// valid only until visit returns, but their texts stay. The error is that of the
// reader or of the context.
func Each(ctx context.Context, r io.Reader, o *Options, visit func(worker int, calls []Call)) (Stats, error) {
	opts := o.Filled()
	blocks := make(chan block, opts.Workers)
	parts := make([]part, opts.Workers)
	var wg sync.WaitGroup
	for i := range parts {
		p := &parts[i]
		p.most, p.limit = opts.MaxFaults, opts.MaxLine
		wg.Go(func() {
			for b := range blocks {
				if calls := p.parse(b); len(calls) > 0 {
					visit(i, calls)
				}
			}
		})
	}
	err := split(ctx, r, opts.MaxLine, blocks)
	close(blocks)
	wg.Wait()
	var total Stats
	for i := range parts {
		s := &parts[i].stats
		total.Lines, total.Calls, total.Bad = total.Lines+s.Lines, total.Calls+s.Calls, total.Bad+s.Bad
		total.Faults = append(total.Faults, s.Faults...)
	}
	slices.SortFunc(total.Faults, func(a, b Fault) int { return cmp.Compare(a.Line, b.Line) })
	total.Faults = total.Faults[:min(len(total.Faults), opts.MaxFaults)]
	return total, err
}

// splitter cuts a text into blocks of whole lines.
type splitter struct {
	blocks  chan<- block
	maxLine int
	buf     []byte // from the beginning of a line on
	line    int    // its number
	tooLong bool   // it is, and is skipped to its end
}

func split(ctx context.Context, r io.Reader, maxLine int, blocks chan<- block) error {
	s := splitter{blocks: blocks, maxLine: maxLine, buf: make([]byte, 0, 2*blockBytes), line: 1}
	for mark := false; ; {
		n, err := r.Read(s.buf[len(s.buf) : len(s.buf)+blockBytes])
		s.buf = s.buf[:len(s.buf)+n]
		if err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("the calls could not be read after line %d: %w", s.line, err)
		}
		if !mark && len(s.buf) >= len(byteOrderMark) {
			mark = true
			s.buf = s.buf[:copy(s.buf, bytes.TrimPrefix(s.buf, []byte(byteOrderMark)))]
		}
		ended := err != nil
		if s.skip(ended) || len(s.buf) < blockBytes && !ended {
			continue
		}
		if err := s.cut(ctx, ended); err != nil || ended {
			return err
		}
	}
}

const byteOrderMark = "\xef\xbb\xbf"

// skip drops the rest of a line that is too long. It reports whether more of the
// line may follow.
func (s *splitter) skip(ended bool) bool {
	if !s.tooLong {
		return false
	}
	at := bytes.IndexByte(s.buf, '\n')
	if at < 0 {
		s.buf = s.buf[:0]
		return !ended
	}
	s.buf = s.buf[:copy(s.buf, s.buf[at+1:])]
	s.tooLong = false
	s.line++
	return false
}

// cut sends the whole lines, and at the end of the file what is left.
func (s *splitter) cut(ctx context.Context, ended bool) error {
	end := bytes.LastIndexByte(s.buf, '\n') + 1
	if ended {
		end = len(s.buf)
	}
	if end > 0 {
		text := string(s.buf[:end])
		if err := s.send(ctx, block{text: text, line: s.line}); err != nil {
			return err
		}
		s.line += strings.Count(text, "\n")
		s.buf = s.buf[:copy(s.buf, s.buf[end:])]
	}
	if len(s.buf) <= s.maxLine {
		return nil
	}
	s.tooLong, s.buf = true, s.buf[:0]
	return s.send(ctx, block{line: s.line, faulty: longLine(s.maxLine)})
}

func (s *splitter) send(ctx context.Context, b block) error {
	select {
	case s.blocks <- b:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func longLine(most int) string { return fmt.Sprintf("is longer than %d bytes", most) }

// part is what one goroutine has read.
type part struct {
	stats Stats
	calls []Call
	most  int
	limit int
}

func (p *part) fault(line int, message string) {
	p.stats.Bad++
	if len(p.stats.Faults) < p.most { // its blocks come in order
		p.stats.Faults = append(p.stats.Faults, Fault{line, message})
	}
}

// parse reads the calls of a block.
func (p *part) parse(b block) []Call {
	p.calls = p.calls[:0]
	if b.faulty != "" {
		p.stats.Lines++
		p.fault(b.line, b.faulty)
	}
	for number, text := b.line, b.text; text != ""; number++ {
		var line string
		line, text, _ = strings.Cut(text, "\n")
		line = strings.TrimRight(line, " \t\r")
		if line == "" {
			continue
		}
		p.stats.Lines++
		p.line(number, line)
	}
	p.stats.Calls += len(p.calls)
	return p.calls
}

func (p *part) line(number int, line string) {
	if len(line) > p.limit {
		p.fault(number, longLine(p.limit))
		return
	}
	p.calls = append(p.calls, Call{})
	c := &p.calls[len(p.calls)-1]
	if !scan(line, c) {
		var err error
		if *c, err = Decode([]byte(line)); err != nil {
			p.calls = p.calls[:len(p.calls)-1]
			p.fault(number, strings.Join(strings.Fields(err.Error()), " "))
			return
		}
	}
	c.Line = number
}
