package rulefile

import (
	"reflect"
	"slices"

	"go.yaml.in/yaml/v3"
)

// keys takes the entries of a mapping, each key once.
type keys struct {
	d    *decoder
	in   *path
	few  []seenKey      // most mappings have few
	many map[string]int // the line of the key, of a long one
}

type seenKey struct {
	key  string
	line int
}

const fewKeys = 16

// first is the line on which the key was before, 0 if it wasn't.
func (k *keys) first(key string) int {
	if k.many != nil {
		return k.many[key]
	}
	for i := range k.few {
		if k.few[i].key == key {
			return k.few[i].line
		}
	}
	return 0
}

// take notes a key, and reports one that was there before.
func (k *keys) take(key string, line int) bool {
	if first := k.first(key); first > 0 {
		k.d.faultAt(&path{in: k.in, key: key}, line, "is given on line %d already", first)
		return false
	}
	if k.many == nil && len(k.few) < fewKeys {
		k.few = append(k.few, seenKey{key, line})
		return true
	}
	if k.many == nil {
		k.many = make(map[string]int, 4*fewKeys)
		for _, s := range k.few {
			k.many[s.key] = s.line
		}
	}
	k.many[key] = line
	return true
}

// missing reports the fields of a struct that have to be given and aren't.
func (k *keys) missing(line int, rv reflect.Value) {
	if rv.Kind() != reflect.Struct {
		return
	}
	for _, f := range k.d.shape(rv.Type()) {
		if f.required != "" && k.first(f.name) == 0 {
			k.d.faultAt(&path{in: k.in, key: f.name}, line, "is missing; %s", f.required)
		}
	}
}

// entry decodes an entry whose text is a part of its own.
func (d *decoder) entry(k *keys, s *span, rv reflect.Value, depth int) {
	p := path{in: k.in, key: s.key}
	if !k.take(s.key, s.at) {
		d.unread(&p, s)
		return
	}
	if rv.Kind() == reflect.Map {
		elem := reflect.New(rv.Type().Elem()).Elem()
		d.span(&p, *s.value, elem, depth+1)
		rv.SetMapIndex(reflect.ValueOf(s.key), elem)
		return
	}
	f := d.shape(rv.Type()).field(s.key)
	switch {
	case f == nil:
		d.unknown(&p, s.at, rv.Type())
		d.unread(&p, s)
	case f.hasZero: // none is long
		if n := d.tree(&p, 0, *s.value, oneValue); n != nil && !d.unsaid(&p, n, rv.Field(f.index).Kind(), f.unsaid) {
			d.value(&p, n, rv.Field(f.index), depth+1)
		}
	case d.putOff(&p, s):
	default:
		d.span(&p, *s.value, rv.Field(f.index), depth+1)
	}
}

// unread parses a value that goes nowhere: text that can't be parsed is told before
// any other fault.
func (d *decoder) unread(p *path, s *span) {
	if s.value.size() <= maxPart {
		d.tree(p, 0, *s.value, oneValue)
	}
}

// fields decodes the entries of a mapping into a struct or a map.
func (d *decoder) fields(keys *keys, n *node, rv reflect.Value, depth int) {
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, val := n.Content[i], n.Content[i+1]
		if k.Kind != yaml.ScalarNode || k.Tag == "!!merge" {
			d.fault(keys.in, k, "has a key that is not a plain name")
			continue
		}
		if !keys.take(k.Value, k.Line) {
			continue
		}
		p := d.path(path{in: keys.in, key: k.Value})
		if rv.Kind() == reflect.Map {
			elem := reflect.New(rv.Type().Elem()).Elem()
			d.value(p, val, elem, depth+1)
			rv.SetMapIndex(reflect.ValueOf(d.texts.own(k.Value)), elem)
			continue
		}
		f := d.shape(rv.Type()).field(k.Value)
		switch {
		case f == nil:
			d.unknown(p, k.Line, rv.Type())
		case f.hasZero && d.unsaid(p, val, rv.Field(f.index).Kind(), f.unsaid):
		default:
			d.value(p, val, rv.Field(f.index), depth+1)
		}
	}
}

// mapping decodes a mapping into a struct or a map.
func (d *decoder) mapping(p *path, n *yaml.Node, rv reflect.Value, depth int) {
	if rv.Kind() == reflect.Map {
		rv.Set(reflect.MakeMap(rv.Type()))
	}
	if n.Kind != yaml.MappingNode {
		d.fault(p, n, "must be a mapping of names to values")
		return
	}
	// The keys of the mappings in this one stand behind its own, which are fewer than
	// there is room for.
	since := len(d.keys)
	d.keys = slices.Grow(d.keys, fewKeys)[:since+fewKeys]
	k := keys{d: d, in: p, few: d.keys[since : since : since+fewKeys]}
	d.fields(&k, n, rv, depth)
	k.missing(n.Line, rv)
	d.keys = d.keys[:since]
}

func (d *decoder) unknown(p *path, line int, t reflect.Type) {
	d.faultAt(p, line, "is not a known field; the fields here are %s", d.shape(t).names())
}
