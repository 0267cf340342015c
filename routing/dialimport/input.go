package dialimport

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/switchtape/switchtape/callmodel"
)

// Source is one file to import.
type Source struct {
	Name string // as it is reported; its base name may tell which table it holds
	R    io.Reader
}

// tableSpec is a table that an importer reads.
type tableSpec struct {
	name string
	id   string // the column that names a row
	// needs are columns that tell a CSV of this table from the others.
	needs   []string
	columns []string
	// layouts are the columns in the order of the table as its programs create
	// it, of each version another number of them.
	layouts [][]string
}

func (t *tableSpec) layout(n int) []string {
	for _, l := range t.layouts {
		if len(l) == n {
			return l
		}
	}
	return nil
}

// row is one row of a table.
type row struct {
	place

	table  *tableSpec
	header *header
	values []string
}

// header is the columns of some rows.
type header struct {
	at map[string]int
}

func newHeader(columns []string) *header {
	h := &header{at: make(map[string]int, len(columns))}
	for i, c := range columns {
		if _, dup := h.at[c]; !dup && c != "" {
			h.at[c] = i
		}
	}
	return h
}

// get returns the value of a column; "" if it is NULL or the row has none.
func (r *row) get(column string) string {
	if i, ok := r.header.at[column]; ok && i < len(r.values) {
		return r.values[i]
	}
	return ""
}

func (r *row) has(column string) bool {
	_, ok := r.header.at[column]
	return ok
}

// input reads the tables of a source.
type input struct {
	tables []tableSpec
	report *Report
	take   func(r *row)
	seen   map[string]bool // the tables that there were
	plain  bool            // the values of CSV are what they are: null is a text
}

// maxTableRows bounds the rows that are held at once.
const maxTableRows = 20_000_000

func (in *input) read(sources []Source) error {
	if len(sources) == 0 {
		return &callmodel.Error{Code: callmodel.CodeMalformed, Message: "there is no file to import"}
	}
	in.seen = map[string]bool{}
	for i := range sources {
		if err := in.source(&sources[i]); err != nil {
			return err
		}
	}
	return nil
}

func (in *input) source(src *Source) error {
	text := newText(src.R)
	sample, err := text.Peek(sampleBytes)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, bufio.ErrBufferFull) {
		return fmt.Errorf("%s: %w", src.Name, err)
	}
	if looksLikeSQL(sample) {
		return in.sql(src, text)
	}
	return in.csv(src, text)
}

func (in *input) spec(table string) *tableSpec {
	for i := range in.tables {
		if in.tables[i].name == table {
			return &in.tables[i]
		}
	}
	return nil
}

// emit passes on one row, which the receiver may keep.
func (in *input) emit(spec *tableSpec, h *header, file string, line int, values []string) error {
	if in.report.Rows >= maxTableRows {
		return &callmodel.Error{Code: callmodel.CodeTooLarge, Message: fmt.Sprintf("%s: there are more than %d rows", file, maxTableRows)}
	}
	in.report.Rows++
	in.seen[spec.name] = true
	r := &row{place: place{file: file, line: line}, table: spec, header: h, values: values}
	r.row = strings.TrimSpace(spec.name + " " + r.get(spec.id))
	in.take(r)
	return nil
}

func (in *input) sql(src *Source, text *bufio.Reader) error {
	var failed error
	headers := map[string]*header{}
	dump := sqlDump{
		in:     text,
		wanted: func(table string) bool { return in.spec(table) != nil },
		row: func(table string, columns, values []string, line int) {
			key := table + "\x00" + strings.Join(columns, "\x00")
			h, ok := headers[key]
			if !ok {
				h = newHeader(columns)
				headers[key] = h
			}
			if failed == nil {
				failed = in.emit(in.spec(table), h, src.Name, line, slices.Clone(values))
			}
		},
		usual: func(table string, n, line int) []string {
			columns := in.spec(table).layout(n)
			if key := table + "\x00"; columns != nil && headers[key] == nil {
				headers[key] = newHeader(columns)
				in.report.remark(place{src.Name, line, table}, "columns", "they are not named; taken to be those of the usual table of %d: %s", n,
					strings.Join(columns, ", "))
			}
			return columns
		},
		bad: func(table string, line int, err error) {
			in.report.Rows++
			in.report.skip(place{src.Name, line, table}, "a row", "%s", err)
		},
	}
	if err := dump.read(); err != nil {
		return fmt.Errorf("%s: line %d: %w", src.Name, dump.line, err)
	}
	if len(in.seen) == 0 && in.report.Skipped.Count == 0 {
		return &callmodel.Error{Code: callmodel.CodeMalformed, Message: fmt.Sprintf("%s holds no rows of the tables %s", src.Name, in.names())}
	}
	return failed
}

func (in *input) names() string {
	names := make([]string, len(in.tables))
	for i := range in.tables {
		names[i] = in.tables[i].name
	}
	return strings.Join(names, ", ")
}

// score returns how many columns of the table a header names, 0 if it belongs to
// another table.
func (t *tableSpec) score(columns []string) int {
	for _, c := range t.needs {
		if !slices.Contains(columns, c) {
			return 0
		}
	}
	n := 0
	for _, c := range t.columns {
		if slices.Contains(columns, c) {
			n++
		}
	}
	return n
}

func columnNames(fields []string) []string {
	out := make([]string, len(fields))
	for i, f := range fields {
		out[i] = strings.ToLower(strings.Trim(f, "\"'` "))
	}
	return out
}

// find returns the table of a header. If the columns don't decide, the file's name
// does.
func (in *input) find(file string, fields []string) (*tableSpec, int) {
	columns, base := columnNames(fields), strings.ToLower(filepath.Base(file))
	var best *tableSpec
	most := 0
	for i := range in.tables {
		t := &in.tables[i]
		n := 2 * t.score(columns)
		if n > 0 && strings.Contains(base, t.name) {
			n++
		}
		if n > most {
			best, most = t, n
		}
	}
	return best, most
}

func (in *input) csv(src *Source, text *bufio.Reader) error {
	comma, headerLine, ok := sniff(text, func(fields []string) int {
		_, n := in.find(src.Name, fields)
		return n
	})
	if !ok {
		return &callmodel.Error{
			Code:    callmodel.CodeMalformed,
			Message: fmt.Sprintf("%s is neither an SQL dump nor a CSV whose first line names the columns of one of %s", src.Name, in.names()),
		}
	}
	d := newDelimited(text, comma)
	var h *header
	var spec *tableSpec
	for {
		fields, line, err := d.next()
		switch {
		case errors.Is(err, io.EOF):
			if spec != nil {
				in.seen[spec.name] = true // though it has no rows
			}
			return nil
		case errors.Is(err, errRecord):
			in.report.Rows++
			in.report.skip(place{src.Name, line, ""}, "a row", "%s", err)
			continue
		case err != nil:
			return fmt.Errorf("%s: line %d: %w", src.Name, line, err)
		case line < headerLine:
			in.report.remark(place{src.Name, line, ""}, fields[0], "it stands above the header")
			continue
		case line == headerLine:
			spec, _ = in.find(src.Name, fields)
			h = newHeader(columnNames(fields))
			continue
		}
		for i, f := range fields {
			if !in.plain && (f == `\N` || strings.EqualFold(f, "null")) {
				fields[i] = ""
			}
		}
		if err := in.emit(spec, h, src.Name, line, slices.Clone(fields)); err != nil {
			return err
		}
	}
}
