package contracttest

import (
	"encoding/json"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// trial is a value for a place, and what is to become of it.
type trial struct {
	what  string
	value any
	want  want
}

// want is how a request is to be answered.
type want int

const (
	asContract want = iota // in any way that the contract has
	taken                  // not refused for its form
	refused                // with a status of 400 to 499
)

// values are those to try at a place: boundaries, and what is beyond them.
func (d *document) values(schema object) []trial {
	kinds := types(schema)
	if kinds == nil {
		return nil
	}
	list := wrongTypes(kinds)
	if enum, has := schema["enum"].([]any); has {
		for _, v := range enum {
			list = append(list, trial{"the value " + strconv.Quote(text(v)), v, taken})
		}
		return append(list, trial{"none of the enumerated", "bogus", refused}, trial{"in capitals", "ENDED", refused})
	}
	for _, kind := range kinds {
		switch kind {
		case "string":
			list = append(list, texts(schema)...)
		case "integer", "number":
			list = append(list, numbers(schema, kind == "integer")...)
		case "boolean":
			list = append(list, trial{"true", true, taken}, trial{"false", false, taken}, trial{"a word", "true", refused})
		case "array":
			list = append(list, d.lists(schema)...)
		case "object":
			list = append(list, d.pairs(schema)...)
		case "null":
			list = append(list, trial{"null", nil, taken})
		}
	}
	return list
}

// wrongTypes are values of the types that a place doesn't take.
func wrongTypes(kinds []string) []trial {
	var list []trial
	for _, v := range []struct {
		kind  string
		value any
	}{
		{"null", nil},
		{"boolean", true},
		{"number", 1.5},
		{"string", "x"},
		{"array", []any{}},
		{"object", object{}},
	} {
		if slices.Contains(kinds, v.kind) {
			continue
		}
		list = append(list, trial{"of the type " + v.kind, v.value, refused})
	}
	return list
}

// quoted is a JSON string with the text as it is.
func quoted(text string) json.RawMessage { return json.RawMessage(`"` + text + `"`) }

func texts(schema object) []trial {
	list := []trial{
		{"the NUL character", "a\x00b", asContract},
		{"half of a surrogate pair", quoted(`\ud800`), asContract},
		{"not UTF-8", quoted("\xff\xfe"), refused},
		{"markup", `<script>alert("1")</script>`, asContract},
		{"SQL", `'; DROP TABLE calls; --`, asContract},
		{"right to left", "\u202e\u2066x", asContract},
	}
	if pattern, has := schema["pattern"].(string); has {
		like := regexp.MustCompile(pattern)
		for _, i := range []int{0, 3, 4} {
			if value, _ := list[i].value.(string); !like.MatchString(value) {
				list[i].want = refused
			}
		}
		if !like.MatchString(" ../ ") {
			list = append(list, trial{"against the pattern", " ../ ", refused})
		}
	}
	if schema["format"] == "date-time" {
		list = append(list, trial{"a time", "2026-03-02T12:00:00Z", taken},
			trial{"a time elsewhere", "2026-03-02T13:00:00.123456789+01:00", taken},
			trial{"a date", "2026-03-02", refused}, trial{"the month 13", "2026-13-02T12:00:00Z", refused},
			trial{"a word", "yesterday", refused}, trial{"nothing", "", refused})
	}
	if most, has := number(schema["maxLength"]); has {
		list = append(list, trial{"the longest", strings.Repeat("a", int(most)), taken}, trial{"longer than the longest", strings.Repeat("a", int(most)+1), refused})
	}
	if least, _ := number(schema["minLength"]); least > 0 {
		list = append(list, trial{"nothing", "", refused})
	}
	return list
}

func numbers(schema object, whole bool) []trial {
	list := []trial{
		{"more than any number", json.RawMessage("1e999"), refused},
		{"digits in a text", json.RawMessage(`"12x"`), refused},
	}
	if whole {
		list = append(list, trial{"more than 64 bits", json.RawMessage("99999999999999999999"), refused})
	}
	if least, has := schema["minimum"]; has {
		list = append(list, trial{"the least", least, taken}, trial{"less than the least", exact(least, -1), refused})
	}
	if most, has := schema["maximum"]; has {
		list = append(list, trial{"the most", most, taken}, trial{"more than the most", exact(most, 1), refused})
	}
	return list
}

func (d *document) lists(schema object) []trial {
	var list []trial
	one := d.sample(d.sub(schema, "items"))
	if most, has := number(schema["maxItems"]); has {
		list = append(list, trial{"more items than the most", slices.Repeat([]any{one}, int(most)+1), refused})
	}
	if least, _ := number(schema["minItems"]); least > 0 {
		list = append(list, trial{"no items", []any{}, refused})
	} else {
		list = append(list, trial{"no items", []any{}, taken})
	}
	return append(list, trial{"an item that is null", []any{nil}, refused}, trial{"a list in the list", []any{[]any{one}}, refused})
}

func (d *document) pairs(schema object) []trial {
	if most, has := number(schema["maxProperties"]); has {
		full := object{}
		for i := range int(most) + 1 {
			full[strings.Repeat("k", i+1)] = d.sample(d.sub(schema, "additionalProperties"))
		}
		return []trial{{"more pairs than the most", full, refused}}
	}
	return nil
}
