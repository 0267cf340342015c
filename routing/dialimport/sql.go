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
	// row is called with each row. Its values are valid until it returns.
	row func(table string, columns, values []string, line int)
	bad func(table string, line int, err error)
	// usual is the columns of a table that nothing names, by how many there are.
	usual func(table string, n, line int) []string

	peeked *token
	buf    []byte
}

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

var errColumns = errors.New("its columns are not known: neither the statement nor a CREATE TABLE before it names them, and the usual " +
	"table has another number of them")

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

// skipRest reads to the end of the statement, which t may be.
func (s *sqlDump) skipRest(t token) error {
	if t.symbol(';') || t.kind == tokenEnd {
		return nil
	}
	return s.skipStatement()
}

func (s *sqlDump) end(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}
