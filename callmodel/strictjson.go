package callmodel

import (
	"bytes"
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/switchtape/switchtape/callmodel/internal/text"
)

// maxJSONDepth bounds the nesting of an input: nothing in the vocabulary goes
// deeper than ten.
const maxJSONDepth = 32

// maxFieldErrors bounds the answer to an input that is wrong everywhere.
const maxFieldErrors = 100

// validator is a type that checks its own fields.
type validator interface{ Validate() error }

// DecodeJSON decodes the one JSON value in data into the struct that v points
// to, strictly: unknown fields, duplicate fields, wrong types and wrong case
// are faults. Where encoding/json stops at the first fault, DecodeJSON reports
// them all at once, each with its path, as [FieldErrors]; and when v has a
// Validate method, the faults that finds as well. Data that isn't one JSON
// value is a [CodeMalformed] error with its line and column.
//
// Field names are those of the json tags. v is in an undefined state after an error.
func DecodeJSON(data []byte, v any) error {
	if err := checkSyntax(data); err != nil {
		return err
	}
	rv := reflect.ValueOf(v)
	if rv.Kind() != reflect.Pointer || rv.IsNil() {
		return &Error{Code: CodeInternal, Message: "DecodeJSON needs a pointer"}
	}
	var d strictDecoder
	d.value("", data, rv.Elem())
	// A value that could not be read would be reported by Validate once more,
	// as missing; only paths without a fault of their own are added.
	if val, ok := v.(validator); ok {
		if err := val.Validate(); err != nil {
			var more FieldErrors
			if !errors.As(err, &more) {
				return err
			}
			d.merge(more)
		}
	}
	return d.errs.Err()
}

// checkSyntax says where data stops being one JSON value of sane depth.
func checkSyntax(data []byte) error {
	if !utf8.Valid(data) {
		return &Error{Code: CodeMalformed, Message: "the input is not UTF-8 text"}
	}
	if plainSyntax(data) {
		return nil
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	depth, first := 0, true
	for {
		tok, err := dec.Token()
		if err != nil {
			switch {
			case errors.Is(err, io.EOF) && first:
				return &Error{Code: CodeMalformed, Message: "the input is empty; a JSON object is expected"}
			case errors.Is(err, io.EOF) && depth == 0:
				return nil
			case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
				return &Error{Code: CodeMalformed, Message: "the JSON ends too early, at " + position(data, int64(len(data)))}
			}
			var syntax *json.SyntaxError
			at := dec.InputOffset()
			if errors.As(err, &syntax) && syntax.Offset > at {
				at = syntax.Offset
			}
			return Errorf(CodeMalformed, "malformed JSON at %s: %w", position(data, at), err)
		}
		if !first && depth == 0 {
			return &Error{Code: CodeMalformed, Message: "more than one JSON value: data follows at " + position(data, dec.InputOffset())}
		}
		first = false
		if d, ok := tok.(json.Delim); ok {
			if d == '{' || d == '[' {
				depth++
			} else {
				depth--
			}
			if depth > maxJSONDepth {
				return &Error{Code: CodeMalformed, Message: fmt.Sprintf("the JSON is nested deeper than %d", maxJSONDepth)}
			}
		}
	}
}

func position(data []byte, offset int64) string {
	before := data[:min(int(offset), len(data))]
	line := 1 + bytes.Count(before, []byte("\n"))
	return fmt.Sprintf("line %d column %d", line, len(before)-bytes.LastIndexByte(before, '\n'))
}

// strictDecoder collects the faults of one DecodeJSON.
type strictDecoder struct{ errs FieldErrors }

func (d *strictDecoder) fault(path, format string, args ...any) {
	if len(d.errs) < maxFieldErrors {
		d.errs.Add(path, format, args...)
	}
}

func (d *strictDecoder) merge(more FieldErrors) {
	have := make(map[string]bool, len(d.errs))
	for _, f := range d.errs {
		have[f.Path] = true
	}
	for _, f := range more {
		if !have[f.Path] && len(d.errs) < maxFieldErrors {
			d.errs = append(d.errs, f)
		}
	}
}

func (d *strictDecoder) value(path string, raw []byte, rv reflect.Value) {
	raw = bytes.TrimSpace(raw)
	if bytes.Equal(raw, []byte("null")) {
		switch rv.Kind() {
		case reflect.Pointer, reflect.Slice, reflect.Map:
			rv.SetZero()
		default:
			d.fault(path, "must not be null; leave it out or give %s", kindName(rv.Type()))
		}
		return
	}
	if rv.Kind() == reflect.Pointer {
		rv.Set(reflect.New(rv.Type().Elem()))
		d.value(path, raw, rv.Elem())
		return
	}
	if d.unmarshaler(path, raw, rv) {
		return
	}
	switch rv.Kind() {
	case reflect.Struct:
		d.object(path, raw, rv)
	case reflect.Slice:
		if rv.Type().Elem().Kind() != reflect.Uint8 {
			d.array(path, raw, rv)
			return
		}
		d.scalar(path, raw, rv)
	case reflect.Map:
		d.mapping(path, raw, rv)
	default:
		d.scalar(path, raw, rv)
	}
}

// field is value for a struct's field: a duration is read in the unit of its name.
func (d *strictDecoder) field(path string, raw []byte, f reflect.StructField, rv reflect.Value) {
	unit := durationUnit(f)
	if unit == nil {
		d.value(path, raw, rv)
		return
	}
	v := reflect.New(unit).Elem()
	d.value(path, raw, v)
	rv.SetInt(v.Int())
}

// unmarshaler lets a type that reads itself do so. Structs with durations are
// read here, as they would read themselves less strictly.
func (d *strictDecoder) unmarshaler(path string, raw []byte, rv reflect.Value) bool {
	if !rv.CanAddr() || hasDurations(rv.Type()) {
		return false
	}
	p := rv.Addr().Interface()
	if _, isTime := p.(*time.Time); isTime {
		if json.Unmarshal(raw, p) != nil {
			d.fault(path, "%s is not a time; give RFC 3339, like \"2026-01-31T15:04:05Z\"", text.Clip(string(raw)))
		}
		return true
	}
	switch u := p.(type) {
	case json.Unmarshaler:
		if err := u.UnmarshalJSON(raw); err != nil {
			d.fault(path, "%s %s", text.Clip(string(raw)), err)
		}
		return true
	case encoding.TextUnmarshaler:
		if err := json.Unmarshal(raw, p); err != nil {
			d.fault(path, "%s is not %s", text.Clip(string(raw)), kindName(rv.Type()))
		}
		return true
	}
	return false
}

func (d *strictDecoder) scalar(path string, raw []byte, rv reflect.Value) {
	if rv.Kind() == reflect.String && raw[0] == '"' {
		rv.SetString(unquoted(raw))
		return
	}
	if json.Unmarshal(raw, rv.Addr().Interface()) != nil {
		d.fault(path, "is %s, must be %s", text.Clip(string(raw)), kindName(rv.Type()))
	}
}

func (d *strictDecoder) object(path string, raw []byte, rv reflect.Value) {
	if raw[0] != '{' {
		d.fault(path, "is %s, must be an object", text.Clip(string(raw)))
		return
	}
	fields := fieldsOf(rv.Type())
	seen := make(map[string]bool, len(fields))
	members(raw, func(key string, val []byte) {
		p := joinPath(path, key)
		i, known := fields[key]
		switch {
		case seen[key]:
			d.fault(p, "is given twice")
		case !known:
			d.fault(p, "is not a known field%s", suggest(key, fields))
		default:
			d.field(p, val, rv.Type().FieldByIndex(i), rv.FieldByIndex(i))
		}
		seen[key] = true
	})
}

func (d *strictDecoder) mapping(path string, raw []byte, rv reflect.Value) {
	if raw[0] != '{' {
		d.fault(path, "is %s, must be an object", text.Clip(string(raw)))
		return
	}
	m := reflect.MakeMap(rv.Type())
	members(raw, func(key string, val []byte) {
		p := path + "[" + strconv.Quote(text.Clip(key)) + "]"
		k := reflect.ValueOf(key).Convert(rv.Type().Key())
		if m.MapIndex(k).IsValid() {
			d.fault(p, "is given twice")
			return
		}
		elem := reflect.New(rv.Type().Elem()).Elem()
		d.value(p, val, elem)
		m.SetMapIndex(k, elem)
	})
	rv.Set(m)
}

func (d *strictDecoder) array(path string, raw []byte, rv reflect.Value) {
	if raw[0] != '[' {
		d.fault(path, "is %s, must be a list", text.Clip(string(raw)))
		return
	}
	out := reflect.MakeSlice(rv.Type(), 0, 0)
	members(raw, func(_ string, val []byte) {
		elem := reflect.New(rv.Type().Elem()).Elem()
		d.value(path+"["+strconv.Itoa(out.Len())+"]", val, elem)
		out = reflect.Append(out, elem)
	})
	rv.Set(out)
}

// knownFields has fieldsOf of the types that were decoded.
var knownFields sync.Map //nolint:gochecknoglobals // of types, which don't change

// fieldsOf are the indexes of a struct's fields by their names in JSON, those
// of embedded structs included.
func fieldsOf(t reflect.Type) map[string][]int {
	if m, ok := knownFields.Load(t); ok {
		return m.(map[string][]int) //nolint:forcetypeassert // nothing else is put there
	}
	m, _ := knownFields.LoadOrStore(t, findFields(t))
	return m.(map[string][]int) //nolint:forcetypeassert // as above
}

func findFields(t reflect.Type) map[string][]int {
	m := make(map[string][]int, t.NumField())
	for f := range t.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case f.Anonymous && name == "" && f.Type.Kind() == reflect.Struct:
			for inner, index := range findFields(f.Type) {
				m[inner] = append(slices.Clone(f.Index), index...)
			}
		case name != "" && name != "-":
			m[name] = f.Index
		}
	}
	return m
}

// suggest names the field that was probably meant: the same but for case,
// separators or a unit; or those that there are, in the order of the struct.
func suggest(key string, fields map[string][]int) string {
	fold := func(s string) string {
		s = strings.ToLower(strings.NewReplacer("_", "", "-", "").Replace(s))
		for _, unit := range []string{"khz", "kbps", "hz", "bps", "ms", "s"} {
			s = strings.TrimSuffix(s, unit)
		}
		return s
	}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if fold(name) == fold(key) {
			return "; did you mean " + name + "?"
		}
	}
	if len(fields) == 0 {
		return ""
	}
	names := slices.SortedFunc(maps.Keys(fields), func(a, b string) int { return slices.Compare(fields[a], fields[b]) })
	return "; the fields here are " + strings.Join(names, ", ")
}

func kindName(t reflect.Type) string {
	switch t.Kind() {
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "true or false"
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return "a whole number"
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return "a whole number of 0 or more"
	case reflect.Float32, reflect.Float64:
		return "a number"
	case reflect.Struct, reflect.Map:
		return "an object"
	case reflect.Slice, reflect.Array:
		return "a list"
	default:
		return "a " + t.Kind().String()
	}
}
