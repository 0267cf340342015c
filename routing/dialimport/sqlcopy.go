package dialimport

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"
)

// copyBlock reads COPY table (columns) FROM stdin; and the lines behind it.
func (s *sqlDump) copyBlock() error {
	table, err := s.table()
	if err != nil {
		return err
	}
	columns := s.columns[table]
	for {
		t, err := s.next()
		if err != nil {
			return err
		}
		switch {
		case t.symbol('('):
			if columns, err = s.names(); err != nil {
				return err
			}
			continue
		case t.kind == tokenEnd, t.symbol(';'):
			return nil
		case !t.is("stdin"):
			continue
		}
		break
	}
	if err := s.skipStatement(); err != nil {
		return err
	}
	if _, err := s.in.ReadSlice('\n'); err == nil || errors.Is(err, bufio.ErrBufferFull) { // the rest of the statement's line
		return s.copyRows(table, columns)
	} else if !errors.Is(err, io.EOF) {
		return err
	}
	return nil
}

func (s *sqlDump) copyRows(table string, columns []string) error {
	wanted := s.wanted(table)
	var row []string
	for {
		s.line++
		line, err := s.copyLine()
		if errors.Is(err, errRecord) {
			s.bad(table, s.line, err)
			continue
		}
		if line == `\.` {
			return s.end(err)
		}
		if err != nil && wanted {
			s.bad(table, s.line, errors.New("the file ends before the line \\. that ends the rows: some are missing, or a part of this"))
		}
		if err != nil && line == "" {
			return s.end(err)
		}
		if wanted && err == nil {
			row = row[:0]
			for field := range strings.SplitSeq(line, "\t") {
				row = append(row, fixText(copyValue(field)))
			}
			if columns == nil {
				columns = s.usual(table, len(row), s.line)
			}
			switch {
			case columns == nil:
				s.bad(table, s.line, errColumns)
			case len(row) == len(columns):
				s.row(table, columns, row, s.line)
			default:
				s.bad(table, s.line, fmt.Errorf("the row has %d values for %d columns", len(row), len(columns)))
			}
		}
		if err != nil {
			return s.end(err)
		}
	}
}

func (s *sqlDump) copyLine() (string, error) {
	s.buf = s.buf[:0]
	for {
		part, err := s.in.ReadSlice('\n')
		if len(s.buf)+len(part) <= maxRecord+1 {
			s.buf = append(s.buf, part...)
		} else if err == nil {
			return "", fmt.Errorf("%w: it is longer than %d bytes", errRecord, maxRecord)
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		return strings.TrimRight(string(s.buf), "\r\n"), err
	}
}

// copyValue undoes the escapes of COPY's text format. NULL, \N, is "".
func copyValue(s string) string {
	if s == `\N` {
		return ""
	}
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			i++
			b.WriteByte(escaped(s[i]))
			continue
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

func escaped(c byte) byte {
	switch c {
	case 'n':
		return '\n'
	case 't':
		return '\t'
	case 'r':
		return '\r'
	case 'b':
		return '\b'
	case '0':
		return 0
	}
	return c
}
