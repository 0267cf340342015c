package dialimport

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
)

var sqlStart = regexp.MustCompile(`(?i)(^|[\s;/])(insert\s+(or\s+\w+\s+|ignore\s+)?into|replace\s+into|create\s+table|copy\s+["\w.]+\s*\()\s*`)

func looksLikeSQL(sample []byte) bool { return sqlStart.Match(sample) }

// maxColumns bounds the columns of a table.
const maxColumns = 256

// sqlDump reads the rows of a dump: INSERT and REPLACE as MySQL, PostgreSQL and
// SQLite write them, and PostgreSQL's COPY … FROM stdin. Columns that a
// statement doesn't name are taken from the CREATE TABLE before it.
type sqlDump struct {
	in      *bufio.Reader
	line    int
	escapes bool // MySQL's: a backslash escapes in every string
	columns map[string][]string
	wanted  func(table string) bool
	// row is given each row. Its values are good until it returns.
	row func(table string, columns, values []string, line int)
	bad func(table string, line int, err error)
	// usual is the columns of a table that nothing names, by how many there are.
	usual func(table string, n, line int) []string

	peeked *token
	buf    []byte
}

type tokenKind uint8

const (
	tokenEnd    tokenKind = iota
	tokenWord             // an identifier or a number, bare
	tokenName             // an identifier in quotes
	tokenString           // a text in quotes
	tokenSymbol           // one byte
)

type token struct {
	kind tokenKind
	text string
}

func (t token) is(word string) bool { return t.kind == tokenWord && strings.EqualFold(t.text, word) }

func (t token) symbol(c byte) bool { return t.kind == tokenSymbol && t.text[0] == c }

func (s *sqlDump) read() error {
	s.line = 1
	s.columns = map[string][]string{}
	for {
		t, err := s.next()
		if err == nil && t.kind != tokenEnd {
			err = s.statement(t)
		}
		switch {
		case errors.Is(err, errRecord):
			if err = s.skipStatement(); err != nil {
				return err
			}
		case err != nil:
			return err
		case t.kind == tokenEnd:
			return nil
		}
	}
}

func (s *sqlDump) statement(t token) error {
	switch {
	case t.symbol(';'):
		return nil
	case t.is("insert"), t.is("replace"):
		return s.insert()
	case t.is("copy"):
		return s.copyBlock()
	case t.is("create"):
		return s.create()
	}
	return s.skipStatement()
}

// skipStatement reads to the semicolon that ends the statement.
func (s *sqlDump) skipStatement() error {
	for {
		t, err := s.next()
		if errors.Is(err, errRecord) {
			continue
		}
		if err != nil || t.kind == tokenEnd || t.symbol(';') {
			return err
		}
	}
}

// table reads a name, of which the last part behind dots counts.
func (s *sqlDump) table() (string, error) {
	for {
		t, err := s.next()
		if err != nil {
			return "", err
		}
		if t.kind != tokenWord && t.kind != tokenName {
			return "", fmt.Errorf("%w: a table's name is missing", errRecord)
		}
		dot, err := s.peek()
		if err != nil {
			return "", err
		}
		if !dot.symbol('.') {
			return strings.ToLower(t.text), nil
		}
		s.peeked = nil
	}
}

func (s *sqlDump) insert() error {
	for { // INSERT [IGNORE | OR REPLACE …] INTO
		t, err := s.next()
		if err != nil || t.kind == tokenEnd || t.symbol(';') {
			return err
		}
		if t.is("into") {
			break
		}
	}
	table, err := s.table()
	if err != nil {
		return err
	}
	t, err := s.next()
	if err != nil {
		return err
	}
	columns := s.columns[table]
	if t.symbol('(') {
		if columns, err = s.names(); err != nil {
			return err
		}
		if t, err = s.next(); err != nil {
			return err
		}
	}
	for t.kind == tokenWord && !t.is("values") { // OVERRIDING SYSTEM VALUE
		if t, err = s.next(); err != nil {
			return err
		}
	}
	if !t.is("values") {
		return fmt.Errorf("%w: VALUES is missing", errRecord)
	}
	return s.values(table, columns)
}

// names reads a list of columns to its closing bracket.
func (s *sqlDump) names() ([]string, error) {
	var list []string
	for {
		t, err := s.next()
		switch {
		case err != nil:
			return nil, err
		case t.symbol(')'):
			return list, nil
		case t.symbol(','):
		case (t.kind == tokenWord || t.kind == tokenName) && len(list) < maxColumns:
			list = append(list, strings.ToLower(t.text))
		default:
			return nil, fmt.Errorf("%w: the list of columns is broken", errRecord)
		}
	}
}

func (s *sqlDump) values(table string, columns []string) error {
	wanted := s.wanted(table)
	var row []string
	for comma := false; ; {
		t, err := s.next()
		if err != nil {
			return err
		}
		switch {
		case t.symbol('('):
		case t.symbol(','):
			comma = true
			continue
		case t.kind == tokenEnd && comma && wanted:
			s.bad(table, s.line, errors.New("the file ends within the statement: rows are missing"))
			return nil
		case t.kind == tokenEnd, t.symbol(';'):
			return nil
		default: // ON CONFLICT …
			return s.skipStatement()
		}
		comma = false
		line := s.line
		row, err = s.tuple(row[:0])
		if wanted && err == nil && columns == nil {
			columns = s.usual(table, len(row), line)
		}
		switch {
		case errors.Is(err, errRecord) && wanted:
			s.bad(table, line, fmt.Errorf("%w; nothing of the statement behind it is read", err))
			return err
		case err != nil:
			return err
		case !wanted:
		case columns == nil:
			s.bad(table, line, errColumns)
		case len(row) != len(columns):
			s.bad(table, line, fmt.Errorf("the row has %d values for %d columns", len(row), len(columns)))
		default:
			s.row(table, columns, row, line)
		}
	}
}

var errColumns = errors.New("its columns are not known: neither the statement nor a CREATE TABLE before it names them, and the usual table has another number of them")

// tuple reads values up to the closing bracket. NULL is "", and what is
// computed is kept as it is written.
func (s *sqlDump) tuple(row []string) ([]string, error) {
	value, depth, null := "", 0, false
	for {
		t, err := s.next()
		if err != nil {
			return row, err
		}
		switch {
		case t.kind == tokenEnd:
			return row, fmt.Errorf("%w: the file ends within a row", errRecord)
		case depth == 0 && (t.symbol(',') || t.symbol(')')):
			if len(row) == maxColumns {
				return row, fmt.Errorf("%w: it has more than %d values", errRecord, maxColumns)
			}
			row = append(row, fixText(value))
			value, null = "", false
			if t.symbol(')') {
				return row, nil
			}
		case t.symbol('('):
			depth++
		case t.symbol(')'):
			depth--
		case t.is("null") && value == "":
			null = true
		case value == "" && !null && (t.is("_utf8mb4") || t.is("_binary")): // of the text that follows
		case t.symbol(':') || null: // a cast: ::text
		case len(value)+len(t.text) > maxRecord:
			return row, fmt.Errorf("%w: a value is longer than %d bytes", errRecord, maxRecord)
		default:
			value += t.text
		}
	}
}

// create remembers the columns of CREATE TABLE.
func (s *sqlDump) create() error {
	t, err := s.next()
	if err != nil {
		return err
	}
	if !t.is("table") {
		return s.skipRest(t)
	}
	if t, err = s.peek(); err == nil && t.is("if") { // IF NOT EXISTS
		for range 3 {
			if _, err = s.next(); err != nil {
				return err
			}
		}
	}
	table, err := s.table()
	if err != nil {
		return err
	}
	if t, err = s.next(); err != nil {
		return err
	}
	if !t.symbol('(') {
		return s.skipRest(t)
	}
	var list []string
	for depth, first := 1, true; depth > 0; {
		if t, err = s.next(); err != nil || t.kind == tokenEnd {
			return err
		}
		switch {
		case t.symbol('('):
			depth++
		case t.symbol(')'):
			depth--
		case t.symbol(',') && depth == 1:
			first = true
			continue
		case first && depth == 1 && (t.kind == tokenName || t.kind == tokenWord && !constraint(t)) && len(list) < maxColumns:
			list = append(list, strings.ToLower(t.text))
		}
		first = false
	}
	if s.wanted(table) {
		s.columns[table] = list
	}
	return s.skipStatement()
}

// skipRest reads to the end of the statement, which t may be.
func (s *sqlDump) skipRest(t token) error {
	if t.symbol(';') || t.kind == tokenEnd {
		return nil
	}
	return s.skipStatement()
}

func constraint(t token) bool {
	for _, word := range [...]string{"primary", "unique", "key", "index", "constraint", "check", "foreign", "fulltext", "exclude"} {
		if t.is(word) {
			return true
		}
	}
	return false
}

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

func (s *sqlDump) end(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
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
