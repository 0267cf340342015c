package rulefile

import (
	"reflect"
	"strings"
)

// shape is what the tags of a struct say.
type shape []shapeField

type shapeField struct {
	index    int
	name     string
	unsaid   string
	hasZero  bool   // the tag unsaid is there
	required string // "" if it may be left out
}

// shape returns that of a struct. Reflection takes longer than what is read with it.
func (d *decoder) shape(t reflect.Type) shape {
	if s, ok := d.shapes[t]; ok {
		return s
	}
	s := shape{}
	for i := range t.NumField() {
		tag := t.Field(i).Tag
		name, _, _ := strings.Cut(tag.Get("json"), ",")
		if name == "" {
			continue
		}
		f := shapeField{index: i, name: name, required: tag.Get("required")}
		f.unsaid, f.hasZero = tag.Lookup("unsaid")
		s = append(s, f)
	}
	d.shapes[t] = s
	return s
}

// field is that with the name, nil if there is none.
func (s shape) field(name string) *shapeField {
	for i := range s {
		if s[i].name == name {
			return &s[i]
		}
	}
	return nil
}

func (s shape) names() string {
	var names []string
	for i := range s {
		names = append(names, s[i].name)
	}
	return strings.Join(names, ", ")
}
