package rulefile

import (
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

// Lines says on which line of the file each path stands: "rules[3].match.to". It
// has paths of every mapping and of every item of a list.
type Lines map[string]int

// Of returns the line of the path, or of the nearest thing around it; 0 if there
// is none.
func (l Lines) Of(path string) int {
	for path != "" {
		if n, ok := l[path]; ok {
			return n
		}
		i := strings.LastIndexAny(path, ".[")
		if i < 0 {
			break
		}
		path = path[:i]
	}
	return 0
}

// Decode fills v, a pointer to a struct, from a file in YAML or JSON. The names of
// its fields are those of the json tags. It reports every fault with its line; the
// error is of text that is neither YAML nor JSON, or of too much text.
//
// A time.Duration is a whole number of seconds, as the name of its field says.
//
// A struct may also be written as the value of one of its fields. Then inner,
// called with a pointer to the struct, returns a pointer to that field, and
// otherwise nil.
func Decode(data []byte, v any, inner func(v any, n *yaml.Node) any) (Lines, callmodel.FieldErrors, error) {
	root, err := parseTree(data)
	if err != nil {
		return nil, nil, err
	}
	d := decoder{lines: Lines{}, inner: inner}
	d.value("", root, reflect.ValueOf(v).Elem(), 0)
	return d.lines, d.errs, nil
}

// decoder fills structs from a tree and collects the faults.
type decoder struct {
	lines Lines
	errs  callmodel.FieldErrors
	inner func(v any, n *yaml.Node) any
}

func (d *decoder) fault(path string, n *yaml.Node, format string, args ...any) {
	if len(d.errs) < MaxFaults {
		d.errs = append(d.errs, callmodel.FieldError{Path: path, Line: n.Line, Message: fmt.Sprintf(format, args...)})
	}
}

func (d *decoder) value(path string, n *yaml.Node, rv reflect.Value, depth int) {
	d.lines[path] = n.Line
	switch {
	case depth > maxDepth:
		d.fault(path, n, "is nested deeper than %d", maxDepth)
		return
	case n.Kind == yaml.AliasNode || n.Anchor != "":
		d.fault(path, n, "uses a YAML anchor or alias; write the value out")
		return
	case n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null":
		d.fault(path, n, "is empty; give %s or leave it out", wanted(rv.Type()))
		return
	}
	if rv.CanAddr() {
		v := rv.Addr().Interface()
		if t, ok := v.(encoding.TextUnmarshaler); ok {
			d.text(path, n, t)
			return
		}
		if field := d.inner(v, n); field != nil {
			d.value(path, n, reflect.ValueOf(field).Elem(), depth)
			return
		}
	}
	switch rv.Kind() {
	case reflect.Pointer:
		rv.Set(reflect.New(rv.Type().Elem()))
		d.value(path, n, rv.Elem(), depth)
	case reflect.Struct:
		d.object(path, n, rv, depth)
	case reflect.Map:
		d.mapping(path, n, rv, depth)
	case reflect.Slice:
		d.list(path, n, rv, depth)
	default:
		d.scalar(path, n, rv)
	}
}

// text hands what is written to a type that reads itself.
func (d *decoder) text(path string, n *yaml.Node, to encoding.TextUnmarshaler) {
	if _, isTime := to.(*time.Time); isTime && (n.Kind != yaml.ScalarNode || to.UnmarshalText([]byte(n.Value)) != nil) {
		d.fault(path, n, "is %q, must be a time like 2026-01-31T15:04:05Z, with its zone", text.Clip(n.Value))
		return
	}
	if n.Kind != yaml.ScalarNode {
		d.fault(path, n, "must be one value, not a list or a mapping")
		return
	}
	if err := to.UnmarshalText([]byte(n.Value)); err != nil {
		d.fault(path, n, "%q %s", text.Clip(n.Value), err)
	}
}

// pairs visits the entries of a mapping, each key once.
func (d *decoder) pairs(path string, n *yaml.Node, f func(key, path string, val *yaml.Node)) {
	if n.Kind != yaml.MappingNode {
		d.fault(path, n, "must be a mapping of names to values")
		return
	}
	seen := make(map[string]int, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, val := n.Content[i], n.Content[i+1]
		p := strings.TrimPrefix(path+"."+k.Value, ".")
		switch first, dup := seen[k.Value]; {
		case k.Kind != yaml.ScalarNode || k.Tag == "!!merge":
			d.fault(path, k, "has a key that is not a plain name")
		case dup:
			d.fault(p, k, "is given on line %d already", first)
		default:
			seen[k.Value] = k.Line
			f(k.Value, p, val)
		}
	}
}

func (d *decoder) object(path string, n *yaml.Node, rv reflect.Value, depth int) {
	t := rv.Type()
	d.pairs(path, n, func(key, p string, val *yaml.Node) {
		for i := range t.NumField() {
			name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
			if name == key && name != "" {
				if hint, ok := t.Field(i).Tag.Lookup("unsaid"); ok && d.unsaid(p, val, rv.Field(i).Kind(), hint) {
					return
				}
				d.value(p, val, rv.Field(i), depth+1)
				return
			}
		}
		d.fault(p, val, "is not a known field; the fields here are %s", strings.Join(fieldNames(t), ", "))
	})
}

// unsaid refuses a written value that Go can't tell from a field that was left
// out, where leaving it out means something else: a weight of 0 is not the default
// of 1, and no tenant is not every tenant. Such fields have the tag unsaid. The tag
// says what to write instead; for conditions it may be empty.
func (d *decoder) unsaid(path string, n *yaml.Node, kind reflect.Kind, hint string) bool {
	if hint == "" {
		hint = "which would be no condition at all; give a value, or leave it out"
	}
	switch {
	case n.Kind == yaml.AliasNode, n.Anchor != "", n.ShortTag() == "!!null":
		return false // value refuses them
	case n.Kind == yaml.ScalarNode && n.Value == "" && kind == reflect.String, n.Kind != yaml.ScalarNode && len(n.Content) == 0:
		d.fault(path, n, "is empty, %s", hint)
	case n.ShortTag() == "!!int" && strings.Trim(n.Value, "+-0") == "":
		d.fault(path, n, "is 0: %s", hint)
	default:
		return false
	}
	d.lines[path] = n.Line
	return true
}

func fieldNames(t reflect.Type) []string {
	var names []string
	for field := range t.Fields() {
		if name, _, _ := strings.Cut(field.Tag.Get("json"), ","); name != "" {
			names = append(names, name)
		}
	}
	return names
}

func (d *decoder) mapping(path string, n *yaml.Node, rv reflect.Value, depth int) {
	m := reflect.MakeMap(rv.Type())
	d.pairs(path, n, func(key, p string, val *yaml.Node) {
		elem := reflect.New(rv.Type().Elem()).Elem()
		d.value(p, val, elem, depth+1)
		m.SetMapIndex(reflect.ValueOf(key), elem)
	})
	rv.Set(m)
}

func (d *decoder) list(path string, n *yaml.Node, rv reflect.Value, depth int) {
	items := n.Content
	if n.Kind != yaml.SequenceNode {
		items = []*yaml.Node{n} // a list of one may be written as the one
	}
	out := reflect.MakeSlice(rv.Type(), len(items), len(items))
	for i, item := range items {
		d.value(path+"["+strconv.Itoa(i)+"]", item, out.Index(i), depth+1)
	}
	rv.Set(out)
}

func (d *decoder) scalar(path string, n *yaml.Node, rv reflect.Value) {
	if n.Kind != yaml.ScalarNode {
		d.fault(path, n, "must be %s", wanted(rv.Type()))
		return
	}
	ok := false
	switch rv.Kind() {
	case reflect.String:
		// +1212 and 0800 are numbers to YAML, and 1:30 to some readers of it;
		// here what is written is what is meant.
		if tag := n.ShortTag(); tag == "!!str" || tag == "!!int" || tag == "!!float" || tag == "!!timestamp" {
			rv.SetString(n.Value)
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
		d.fault(path, n, "is %q, must be %s", text.Clip(n.Value), wanted(rv.Type()))
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
