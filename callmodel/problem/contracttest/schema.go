package contracttest

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
)

// object is a part of an OpenAPI file, or a JSON object.
type object = map[string]any

// absent is what [document.set] puts where nothing is to be.
type absent struct{}

// document is an OpenAPI file, from which values are made.
type document struct{ root object }

// resolve is the schema, or whatever it refers to.
func (d *document) resolve(schema object) object {
	for {
		ref, is := schema["$ref"].(string)
		if !is {
			return schema
		}
		at := any(d.root)
		for name := range strings.SplitSeq(strings.TrimPrefix(ref, "#/"), "/") {
			at = child(at, name)
		}
		schema, _ = at.(object)
	}
}

func child(v any, name string) any {
	m, _ := v.(object)
	return m[name]
}

// sub is the schema under a keyword.
func (d *document) sub(schema object, keyword string) object {
	m, _ := schema[keyword].(object)
	return d.resolve(m)
}

// property is the schema of a property, or of any if the object's are free.
func (d *document) property(schema object, name string) object {
	if p, is := child(schema["properties"], name).(object); is {
		return d.resolve(p)
	}
	return d.sub(schema, "additionalProperties")
}

// types are those that the schema takes, all of them if it doesn't say.
func types(schema object) []string {
	switch t := schema["type"].(type) {
	case string:
		return []string{t}
	case []any:
		var list []string
		for _, one := range t {
			if s, is := one.(string); is {
				list = append(list, s)
			}
		}
		return list
	}
	return nil
}

// sample is a value that the schema takes: its example where it has one.
func (d *document) sample(schema object) any {
	if e, has := schema["example"]; has {
		return e
	}
	if list, _ := schema["examples"].([]any); len(list) > 0 {
		return list[0]
	}
	if list, _ := schema["enum"].([]any); len(list) > 0 {
		for _, v := range list {
			if v != "" {
				return v
			}
		}
	}
	kinds := types(schema)
	switch {
	case slices.Contains(kinds, "object"):
		m := object{}
		required, _ := schema["required"].([]any)
		for _, name := range required {
			if s, is := name.(string); is {
				m[s] = d.sample(d.property(schema, s))
			}
		}
		return m
	case slices.Contains(kinds, "array"):
		return []any{d.sample(d.sub(schema, "items"))}
	case slices.Contains(kinds, "boolean"):
		return true
	case slices.Contains(kinds, "integer"), slices.Contains(kinds, "number"):
		if least, is := number(schema["minimum"]); is {
			return least
		}
		return 1
	case schema["format"] == "date-time":
		return "2026-03-02T12:00:00Z"
	}
	return "x"
}

// number is the value of a keyword.
func number(v any) (float64, bool) {
	switch n := v.(type) {
	case int:
		return float64(n), true
	case float64:
		return n, true
	}
	return 0, false
}

// exact is the number, plus more, as it is written.
func exact(v any, more int) any {
	switch n := v.(type) {
	case int:
		return n + more
	case float64:
		return n + float64(more)
	}
	return v
}

// place is somewhere in a value: a property, an item ("[]") or a pair.
type place struct {
	path     []string
	schema   object
	required bool
}

func (p *place) String() string { return strings.Join(p.path, ".") }

// maxDepth bounds how deep places are.
const maxDepth = 8

// places lists those below the schema, in order.
func (d *document) places(schema object, path []string) []place {
	if len(path) >= maxDepth {
		return nil
	}
	var list []place
	add := func(name string, of object, required bool) {
		at := append(slices.Clone(path), name)
		list = append(list, place{at, of, required})
		list = append(list, d.places(of, at)...)
	}
	properties, _ := schema["properties"].(object)
	required, _ := schema["required"].([]any)
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		add(name, d.property(schema, name), slices.Contains(required, any(name)))
	}
	if items, has := schema["items"].(object); has {
		add("[]", d.resolve(items), false)
	}
	if of, has := schema["additionalProperties"].(object); has {
		add("key", d.resolve(of), false)
	}
	return list
}

// set is the value with v at the path below; what leads there is made where it isn't.
func (d *document) set(value any, schema object, path []string, v any) any {
	if len(path) == 0 {
		return v
	}
	if value == nil {
		value = d.sample(schema)
	}
	if path[0] == "[]" {
		of := d.sub(schema, "items")
		list, _ := value.([]any)
		list = slices.Clone(list)
		if len(list) == 0 {
			list = []any{d.sample(of)}
		}
		list[0] = d.set(list[0], of, path[1:], v)
		return list
	}
	m, _ := value.(object)
	m = maps.Clone(m)
	if m == nil {
		m = object{}
	}
	m[path[0]] = d.set(m[path[0]], d.property(schema, path[0]), path[1:], v)
	if _, gone := m[path[0]].(absent); gone {
		delete(m, path[0])
	}
	return m
}

// at is what the value has at the path, made where it isn't.
func (d *document) at(value any, schema object, path []string) any {
	for _, name := range path {
		if value == nil {
			value = d.sample(schema)
		}
		if name == "[]" {
			list, _ := value.([]any)
			schema, value = d.sub(schema, "items"), nil
			if len(list) > 0 {
				value = list[0]
			}
			continue
		}
		schema, value = d.property(schema, name), child(value, name)
	}
	if value == nil {
		return d.sample(schema)
	}
	return value
}

// encode is v as JSON.
func encode(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		return []byte(err.Error()) // a request that no test expects
	}
	return b
}
