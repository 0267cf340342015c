package rulefile

import (
	"bytes"
	"encoding"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/routing/internal/text"
)

// MaxFaults bounds the report about a file that is wrong everywhere.
const MaxFaults = 1000

// Limits of a rule file.
const (
	// MaxBytes is the largest file that is read.
	MaxBytes = 512 << 20
	maxDepth = 16
)

// LinesOf is the list of a file in lines of JSON: the first line is the object
// without it, and every line behind that is one of its items.
const LinesOf = "rules"

// Decode fills v, a pointer to a struct, from a file in YAML, JSON or lines of JSON
// (see [LinesOf]). The names of its fields are those of the json tags. It reports
// every fault with its line; the error is of text that is none of the three, or of
// too much text. The Lines keep data, which may not be changed while they are used.
//
// A field with the tag required has to be given; the tag says why.
//
// A time.Duration is a whole number of seconds, as the name of its field says.
//
// A struct may also be written as the value of one of its fields. Then inner,
// called with a pointer to the struct, returns a pointer to that field, and
// otherwise nil.
//
// A file of more than 64 KiB is parsed in parts of about as much, so that the
// memory beside v is small. Where that can't be done, because entries don't begin
// on lines of their own, at most 4 MiB are read.
func Decode(data []byte, v any, inner func(v any, n *yaml.Node) any) (*Lines, callmodel.FieldErrors, error) {
	lines, faults, _, err := decodeInParts(data, v, inner, nil, partBytes)
	return lines, faults, err
}

// Each takes the items of the file's list one after another, instead of the list's
// field.
type Each struct {
	List string // the name of the list
	// Item points to where every item is decoded to, into the zero value. What it
	// refers to is its own.
	Item any
	// Begin is told how many items follow when all else of the file is decoded, and
	// Take of each when it is decoded, by its number from 0. Lines know it by then.
	Begin func(count int, lines *Lines)
	Take  func(i int)
}

// DecodeEach is Decode that gives the items of a long list to each, so that there
// are never more of them than one. taken is false of a list that is short, or can't be
// divided: then v has it, and what each was given counts for nothing.
func DecodeEach(data []byte, v any, inner func(v any, n *yaml.Node) any, each *Each) (lines *Lines, faults callmodel.FieldErrors, taken bool, err error) {
	return decodeInParts(data, v, inner, each, partBytes)
}

func decodeInParts(data []byte, v any, inner func(v any, n *yaml.Node) any, each *Each, size int) (*Lines, callmodel.FieldErrors, bool, error) {
	if len(data) > MaxBytes {
		return nil, nil, false, callmodel.Errorf(callmodel.CodeTooLarge, "the rule file has %d bytes, at most %d are read", len(data), MaxBytes)
	}
	f, whole, err := open(data, size)
	if err != nil {
		return nil, nil, false, err
	}
	d := decoder{texts: newTexts(), format: f, lines: newLines(f), shapes: map[reflect.Type]shape{}, inner: inner, each: each, part: f.partSize()}
	rv := reflect.ValueOf(v).Elem()
	d.span(nil, whole, rv, 0)
	if d.err == nil {
		return d.lines, d.errs, d.took, nil
	}
	if callmodel.CodeOf(d.err) == callmodel.CodeTooLarge || whole.size() <= size {
		return nil, nil, false, d.err
	}
	if whole.size() > maxPart {
		return nil, nil, false, f.explain(d.err)
	}
	rv.SetZero()
	return decodeInParts(data, v, inner, nil, len(data))
}

// open tells the format.
func open(data []byte, size int) (format, span, error) {
	whole := span{end: len(data), line: 1}
	if bytes.HasPrefix(data, []byte("\xef\xbb\xbf")) {
		whole.start = 3
	}
	at := whole.start + len(data[whole.start:]) - len(bytes.TrimLeft(data[whole.start:], " \t\r\n"))
	switch {
	case at == len(data):
		return nil, whole, &callmodel.Error{Code: callmodel.CodeMalformed, Message: "the rule file is empty"}
	case data[at] == '{':
		return &jsonText{data: data, part: size, first: whole.start, rest: behind(data, at)}, whole, nil
	default:
		if len(data) <= maxPart && odd(data) {
			size = len(data)
		}
		return &yamlText{data: data, part: size}, whole, nil
	}
}

// decoder fills structs from a file and collects the faults.
type decoder struct {
	format format
	part   int // bytes
	lines  *Lines
	shapes map[reflect.Type]shape
	errs   callmodel.FieldErrors
	err    error // of a part that could not be parsed
	inner  func(v any, n *yaml.Node) any
	room   room       // of the part at hand
	paths  slab[path] // of the part or item at hand
	keys   []seenKey  // of the mappings that are open
	texts  texts
	each   *Each // nil: every list goes to its field
	later  *eachLater
	took   bool
}

// span decodes the text of one value, in parts if it is long.
func (d *decoder) span(p *path, s span, rv reflect.Value, depth int) {
	if s.size() > d.part || d.format.inLines(s) {
		switch rv.Kind() {
		case reflect.Struct, reflect.Map:
			if parts, ok := d.format.entries(s); ok {
				d.entries(p, s, parts, rv, depth)
				return
			}
		case reflect.Slice:
			if parts, ok := d.format.items(s); ok {
				d.items(p, parts, rv, depth)
				return
			}
		default:
		}
	}
	if n := d.tree(p, 0, s, oneValue); n != nil {
		d.value(p, n, rv, depth)
	}
}

// tree parses a part and notes its place; nil if it can't be parsed.
func (d *decoder) tree(p *path, first int, s span, as form) *node {
	if d.err != nil {
		return nil
	}
	if s.size() > max(maxPart, d.part) {
		d.err = callmodel.Errorf(callmodel.CodeTooLarge, "the rule file has %d bytes from line %d on that can't be read one by one, at most %d: "+
			"begin each entry and each rule on a line of its own", s.size(), s.line, maxPart)
		return nil
	}
	d.room.clear()
	d.paths.clear()
	n, err := d.format.tree(s, as, &d.room)
	if err == nil && (as == someItems && len(n.Content) != s.n || as == someEntries && len(n.Content) != 2*s.n) {
		err = callmodel.Errorf(callmodel.CodeMalformed, "line %d: an entry or item does not begin on a line of its own", s.line)
	}
	if d.err = err; err != nil {
		return nil
	}
	if as == oneValue && p != nil {
		d.lines.keys[p.String()] = len(d.lines.places)
	}
	d.lines.places = append(d.lines.places, place{s, as, p.String(), first})
	return n
}

func (d *decoder) entries(p *path, whole span, parts []span, rv reflect.Value, depth int) {
	first := d.format.begins(whole)
	d.lines.heads[p.String()] = first
	if rv.Kind() == reflect.Map {
		rv.Set(reflect.MakeMap(rv.Type()))
	}
	keys := keys{d: d, in: p}
	for _, s := range parts {
		if s.value != nil {
			d.entry(&keys, &s, rv, depth)
			continue
		}
		n := d.tree(p, 0, s, someEntries)
		if n == nil {
			break
		}
		for i := 0; i+1 < len(n.Content); i += 2 {
			d.lines.keys[(&path{in: p, key: d.texts.own(n.Content[i].Value)}).String()] = len(d.lines.places) - 1
		}
		d.fields(&keys, n, rv, depth)
	}
	if d.err == nil {
		keys.missing(first, rv)
	}
	if p == nil && d.later != nil {
		d.takeEach(depth + 1)
	}
}

func (d *decoder) items(p *path, parts []span, rv reflect.Value, depth int) {
	count := countItems(parts)
	out := reflect.MakeSlice(rv.Type(), count, count)
	d.eachItem(p, parts, func(at *path, i int, item *node) {
		d.value(at, item, out.Index(i), depth+1)
	})
	if d.err == nil {
		rv.Set(out)
	}
}

func countItems(parts []span) int {
	count := 0
	for _, s := range parts {
		count += s.n
	}
	return count
}

// eachItem parses the parts of a list.
func (d *decoder) eachItem(p *path, parts []span, f func(at *path, i int, item *node)) {
	first := 0
	for _, s := range parts {
		n := d.tree(p, first, s, someItems)
		if n == nil {
			return
		}
		if first == 0 {
			d.lines.heads[p.String()] = n.Line
		}
		for i, item := range n.Content {
			d.paths.clear()
			f(d.path(path{in: p, index: first + i + 1}), first+i, item)
		}
		first += s.n
	}
}

func (d *decoder) fault(p *path, n *yaml.Node, format string, args ...any) {
	d.faultAt(p, n.Line, format, args...)
}

func (d *decoder) faultAt(p *path, line int, format string, args ...any) {
	if len(d.errs) < MaxFaults {
		d.errs = append(d.errs, callmodel.FieldError{Path: text.Bound(p.String()), Line: line, Message: fmt.Sprintf(format, args...)})
	}
}

func (d *decoder) value(p *path, n *yaml.Node, rv reflect.Value, depth int) {
	switch {
	case depth > maxDepth:
		d.fault(p, n, "is nested deeper than %d", maxDepth)
		return
	case n.Kind == yaml.AliasNode || n.Anchor != "":
		d.fault(p, n, "uses a YAML anchor or alias; write the value out")
		return
	case n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null":
		d.fault(p, n, "is empty; give %s or leave it out", wanted(rv.Type()))
		return
	}
	if rv.CanAddr() {
		v := rv.Addr().Interface()
		if t, ok := v.(encoding.TextUnmarshaler); ok {
			d.text(p, n, t)
			return
		}
		if field := d.inner(v, n); field != nil {
			d.value(p, n, reflect.ValueOf(field).Elem(), depth)
			return
		}
	}
	switch rv.Kind() {
	case reflect.Pointer:
		rv.Set(reflect.New(rv.Type().Elem()))
		d.value(p, n, rv.Elem(), depth)
	case reflect.Struct, reflect.Map:
		d.mapping(p, n, rv, depth)
	case reflect.Slice:
		d.list(p, n, rv, depth)
	default:
		d.scalar(p, n, rv)
	}
}

// text hands what is written to a type that reads itself.
func (d *decoder) text(p *path, n *yaml.Node, to encoding.TextUnmarshaler) {
	if _, isTime := to.(*time.Time); isTime && (n.Kind != yaml.ScalarNode || to.UnmarshalText([]byte(n.Value)) != nil) {
		d.fault(p, n, "is %q, must be a time like 2026-01-31T15:04:05Z, with its zone", text.Clip(n.Value))
		return
	}
	if n.Kind != yaml.ScalarNode {
		d.fault(p, n, "must be one value, not a list or a mapping")
		return
	}
	if err := to.UnmarshalText([]byte(n.Value)); err != nil {
		d.fault(p, n, "%q %s", text.Clip(n.Value), err)
	}
}

// unsaid refuses a written value that Go can't tell from a field that was left
// out, where leaving it out means something else: a weight of 0 is not the default
// of 1, and no tenant is not every tenant. Such fields have the tag unsaid. The tag
// says what to write instead; for conditions it may be empty.
func (d *decoder) unsaid(p *path, n *yaml.Node, kind reflect.Kind, hint string) bool {
	if hint == "" {
		hint = "which would be no condition at all; give a value, or leave it out"
	}
	switch {
	case n.Kind == yaml.AliasNode, n.Anchor != "", n.ShortTag() == "!!null":
		return false // value refuses them
	case n.Kind == yaml.ScalarNode && n.Value == "" && kind == reflect.String, n.Kind != yaml.ScalarNode && len(n.Content) == 0:
		d.fault(p, n, "is empty, %s", hint)
	case n.ShortTag() == "!!int" && strings.Trim(n.Value, "+-0") == "":
		d.fault(p, n, "is 0: %s", hint)
	default:
		return false
	}
	return true
}

func (d *decoder) list(p *path, n *yaml.Node, rv reflect.Value, depth int) {
	items := n.Content
	if n.Kind != yaml.SequenceNode {
		items = []*yaml.Node{n} // a list of one may be written as the one
	}
	rv.SetZero()
	rv.Grow(len(items))
	rv.SetLen(len(items))
	if len(items) == 0 {
		rv.Set(reflect.MakeSlice(rv.Type(), 0, 0)) // it was written, and is not nil
	}
	for i, item := range items {
		d.value(d.path(path{in: p, index: i + 1}), item, rv.Index(i), depth+1)
	}
}

// path keeps a path until the next item or part.
func (d *decoder) path(p path) *path {
	kept := &d.paths.take(1)[0]
	*kept = p
	return kept
}

func (d *decoder) scalar(p *path, n *yaml.Node, rv reflect.Value) {
	if n.Kind != yaml.ScalarNode {
		d.fault(p, n, "must be %s", wanted(rv.Type()))
		return
	}
	ok := false
	switch rv.Kind() {
	case reflect.String:
		// +1212 and 0800 are numbers to YAML, and 1:30 to some readers of it;
		// here what is written is what is meant.
		if tag := n.ShortTag(); tag == "!!str" || tag == "!!int" || tag == "!!float" || tag == "!!timestamp" {
			rv.SetString(d.texts.own(n.Value))
			ok = true
		}
	case reflect.Int:
		if i, err := strconv.ParseInt(n.Value, 10, 32); err == nil && n.ShortTag() == "!!int" {
			rv.SetInt(i)
			ok = true
		}
	case reflect.Int64: // a time.Duration, which files give in whole seconds
		if i, err := strconv.ParseInt(n.Value, 10, 32); err == nil && n.ShortTag() == "!!int" {
			rv.SetInt(i * int64(time.Second))
			ok = true
		}
	case reflect.Bool:
		if b, err := strconv.ParseBool(n.Value); err == nil && n.ShortTag() == "!!bool" {
			rv.SetBool(b)
			ok = true
		}
	default: // no field has another kind
	}
	if !ok {
		d.fault(p, n, "is %q, must be %s", text.Clip(n.Value), wanted(rv.Type()))
	}
}

func wanted(t reflect.Type) string {
	switch t.Kind() {
	case reflect.String:
		return "text"
	case reflect.Int, reflect.Int64:
		return "a whole number"
	case reflect.Bool:
		return "true or false"
	case reflect.Slice:
		return "a list"
	default:
		return "a mapping"
	}
}
