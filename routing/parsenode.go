package routing

import (
	"encoding"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/switchtape/switchtape/callmodel"
)

// nodeDecoder fills structs from a tree and collects the faults. Its field
// names are the json tags'.
type nodeDecoder struct {
	lines map[string]int // of lists' items and named things, for later faults
	errs  callmodel.FieldErrors
}

func (d *nodeDecoder) fault(path string, n *yaml.Node, format string, args ...any) {
	if len(d.errs) < maxFaults {
		d.errs = append(d.errs, callmodel.FieldError{Path: path, Line: n.Line, Message: fmt.Sprintf(format, args...)})
	}
}

func (d *nodeDecoder) value(path string, n *yaml.Node, rv reflect.Value, depth int) {
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
		switch t := rv.Addr().Interface().(type) {
		case encoding.TextUnmarshaler:
			d.text(path, n, t)
			return
		case shorthand:
			if short := t.short(n); short != nil {
				d.value(path, n, reflect.ValueOf(short).Elem(), depth)
				return
			}
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

// shorthand is a struct that may be written as one of its fields' value alone.
type shorthand interface {
	// short points at the field that n is the value of; nil if n is the struct.
	short(n *yaml.Node) any
}

// text lets a type that reads itself do so, from what is written.
func (d *nodeDecoder) text(path string, n *yaml.Node, to encoding.TextUnmarshaler) {
	if _, isTime := to.(*time.Time); isTime && (n.Kind != yaml.ScalarNode || to.UnmarshalText([]byte(n.Value)) != nil) {
		d.fault(path, n, "is %q, must be a time like 2026-01-31T15:04:05Z, with its zone", short(n.Value))
		return
	}
	if n.Kind != yaml.ScalarNode {
		d.fault(path, n, "must be one value, not a list or a mapping")
		return
	}
	if err := to.UnmarshalText([]byte(n.Value)); err != nil {
		d.fault(path, n, "%q %s", short(n.Value), err)
	}
}

// pairs visits the entries of a mapping, each key once.
func (d *nodeDecoder) pairs(path string, n *yaml.Node, f func(key, path string, val *yaml.Node)) {
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

func (d *nodeDecoder) object(path string, n *yaml.Node, rv reflect.Value, depth int) {
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

// unsaid faults a value that would be taken as if the field were not there,
// where that means something else: a weight of 0 is not the default of 1, and
// no tenant is not every tenant. Such fields have the tag unsaid, with what to
// do instead; conditions need say nothing more.
func (d *nodeDecoder) unsaid(path string, n *yaml.Node, kind reflect.Kind, hint string) bool {
	if hint == "" {
		hint = "which would be no condition at all; give a value, or leave it out"
	}
	switch {
	case n.Kind == yaml.AliasNode, n.Anchor != "", n.ShortTag() == "!!null":
		return false // refused as what they are
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

func (d *nodeDecoder) mapping(path string, n *yaml.Node, rv reflect.Value, depth int) {
	m := reflect.MakeMap(rv.Type())
	d.pairs(path, n, func(key, p string, val *yaml.Node) {
		elem := reflect.New(rv.Type().Elem()).Elem()
		d.value(p, val, elem, depth+1)
		m.SetMapIndex(reflect.ValueOf(key), elem)
	})
	rv.Set(m)
}

func (d *nodeDecoder) list(path string, n *yaml.Node, rv reflect.Value, depth int) {
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

func (d *nodeDecoder) scalar(path string, n *yaml.Node, rv reflect.Value) {
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
	case reflect.Bool:
		if b, err := strconv.ParseBool(n.Value); err == nil && n.ShortTag() == "!!bool" {
			rv.SetBool(b)
			ok = true
		}
	default: // no field has another kind
	}
	if !ok {
		d.fault(path, n, "is %q, must be %s", short(n.Value), wanted(rv.Type()))
	}
}

func short(s string) string {
	if len(s) > 40 {
		return s[:40] + "…"
	}
	return s
}

func wanted(t reflect.Type) string {
	switch t.Kind() {
	case reflect.String:
		return "text"
	case reflect.Int:
		return "a whole number"
	case reflect.Bool:
		return "true or false"
	case reflect.Slice:
		return "a list"
	default:
		return "a mapping"
	}
}
