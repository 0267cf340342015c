package callmodel

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Go code holds spans and offsets as time.Duration; JSON says them in the unit
// that ends the field's name: offset_ms, total_seconds. A struct with such
// fields writes and reads itself by two methods of one line each:
//
//	func (p Pause) MarshalJSON() ([]byte, error)   { return callmodel.MarshalDurations(p) }
//	func (p *Pause) UnmarshalJSON(b []byte) error  { return callmodel.UnmarshalDurations(b, p) }
//
// A struct that embeds such a struct needs the two methods as well: else it has
// those of the embedded one, which know nothing of the other fields.

// MarshalDurations writes the struct v as encoding/json would without its own
// MarshalJSON, but its time.Duration fields as numbers of the unit that their
// JSON name ends with: "_ms", with a fraction down to the nanosecond, or
// "_seconds". Other durations, and fields of v's fields, are written as usual.
func MarshalDurations(v any) ([]byte, error) {
	from := reflect.ValueOf(v)
	if from.Kind() == reflect.Pointer {
		from = from.Elem()
	}
	plain, err := plainOf(from.Type())
	if err != nil {
		return nil, err
	}
	to := reflect.New(plain.t).Elem()
	for i, at := range plain.fields {
		to.Field(i).Set(from.FieldByIndex(at).Convert(to.Field(i).Type()))
	}
	return json.Marshal(to.Interface())
}

// UnmarshalDurations reads what [MarshalDurations] writes into the struct that v
// points to. As with encoding/json, fields that data doesn't name stay as they
// are. [DecodeJSON] doesn't need it: it reads durations by itself, strictly.
func UnmarshalDurations(data []byte, v any) error {
	to := reflect.ValueOf(v).Elem()
	plain, err := plainOf(to.Type())
	if err != nil {
		return err
	}
	from := reflect.New(plain.t)
	for i, at := range plain.fields {
		f := from.Elem().Field(i)
		f.Set(to.FieldByIndex(at).Convert(f.Type()))
	}
	if err := json.Unmarshal(data, from.Interface()); err != nil {
		return err
	}
	for i, at := range plain.fields {
		f := to.FieldByIndex(at)
		f.Set(from.Elem().Field(i).Convert(f.Type()))
	}
	return nil
}

// plainTypes holds what plainOf made: a program has a dozen such types.
var plainTypes sync.Map //nolint:gochecknoglobals // a cache; what it holds follows from the types alone

// plainType is a struct type like another, without methods, whose durations are
// of types that JSON knows by their unit. fields are where its fields stand in
// the other: those of embedded structs are its own.
type plainType struct {
	t      reflect.Type
	fields [][]int
}

func plainOf(t reflect.Type) (*plainType, error) {
	if known, ok := plainTypes.Load(t); ok {
		if plain, ok := known.(*plainType); ok {
			return plain, nil
		}
	}
	if t.Kind() != reflect.Struct {
		return nil, fmt.Errorf("callmodel: %s is not a struct", t)
	}
	plain := &plainType{}
	var fields []reflect.StructField
	for _, f := range reflect.VisibleFields(t) {
		embedded := f.Anonymous && f.Type.Kind() == reflect.Struct && f.Tag.Get("json") == ""
		hidden := len(f.Index) > 1 && !inEmbedded(t, f.Index)
		if embedded || hidden {
			continue // its fields are visible themselves
		}
		if !f.IsExported() || f.Anonymous {
			return nil, fmt.Errorf("callmodel: field %s of %s can't be written as JSON; export it, and give it a name", f.Name, t)
		}
		if unit := durationUnit(f); unit != nil {
			f.Type = unit
		}
		fields = append(fields, reflect.StructField{Name: f.Name, Type: f.Type, Tag: f.Tag})
		plain.fields = append(plain.fields, f.Index)
	}
	plain.t = reflect.StructOf(fields)
	plainTypes.Store(t, plain)
	return plain, nil
}

// inEmbedded reports whether a field of t is reached by embedded structs alone.
func inEmbedded(t reflect.Type, index []int) bool {
	for n := 1; n < len(index); n++ {
		outer := t.FieldByIndex(index[:n])
		if outer.Type.Kind() != reflect.Struct || outer.Tag.Get("json") != "" {
			return false
		}
	}
	return true
}

// durationUnit is the type that reads and writes the field in the unit of its
// JSON name; nil for fields that are no duration with a unit.
func durationUnit(f reflect.StructField) reflect.Type {
	if f.Type != reflect.TypeFor[time.Duration]() {
		return nil
	}
	name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
	switch {
	case strings.HasSuffix(name, "_ms"):
		return reflect.TypeFor[millis]()
	case strings.HasSuffix(name, "_seconds"):
		return reflect.TypeFor[seconds]()
	}
	return nil
}

// hasDurations reports whether the struct type, or a struct embedded in it, has
// fields that durationUnit knows.
func hasDurations(t reflect.Type) bool {
	if t.Kind() != reflect.Struct {
		return false
	}
	for f := range t.Fields() {
		if durationUnit(f) != nil || f.Anonymous && hasDurations(f.Type) {
			return true
		}
	}
	return false
}

// maxDuration bounds spans and offsets to 30 days, far beyond any call, so that
// frame counts can't overflow.
const maxDuration = 30 * 24 * time.Hour

type (
	millis  time.Duration // a number of milliseconds in JSON
	seconds time.Duration // a number of seconds in JSON
)

func (m millis) MarshalJSON() ([]byte, error) {
	return marshalIn(time.Millisecond, time.Duration(m)), nil
}

func (s seconds) MarshalJSON() ([]byte, error) { return marshalIn(time.Second, time.Duration(s)), nil }

func (m *millis) UnmarshalJSON(b []byte) error {
	return unmarshalIn(time.Millisecond, "milliseconds", b, (*time.Duration)(m))
}

func (s *seconds) UnmarshalJSON(b []byte) error {
	return unmarshalIn(time.Second, "seconds", b, (*time.Duration)(s))
}

// marshalIn writes the number of units, exactly.
func marshalIn(unit, d time.Duration) []byte {
	if d%unit == 0 {
		return strconv.AppendInt(nil, int64(d/unit), 10)
	}
	return strconv.AppendFloat(nil, float64(d)/float64(unit), 'f', -1, 64)
}

// unmarshalIn reads a number of units within ±30 days.
func unmarshalIn(unit time.Duration, name string, b []byte, d *time.Duration) error {
	f, err := strconv.ParseFloat(string(b), 64)
	if err != nil || math.IsNaN(f) {
		return errors.New("must be a number of " + name)
	}
	ns := math.Round(f * float64(unit))
	if math.Abs(ns) > float64(maxDuration) {
		return errors.New("must be within 30 days, in " + name)
	}
	*d = time.Duration(ns)
	return nil
}
