package calendar

import (
	"fmt"
	"time"
)

// Reader checks and compiles the windows of one rule set. It loads each time zone
// once and expands each recurrence once. The zero value is ready. A Reader is for
// one goroutine.
type Reader struct {
	locations map[string]*time.Location
	zones     map[string]*zone
	expanded  map[recurrenceKey][][2]uint32
	starts    int // of all recurrences so far
	empty     int // recurrences that never come
}

// Check calls fault for everything that is wrong with the windows. The path is
// below them: "weekly[1]".
func (r *Reader) Check(w *Windows, fault func(path, message string)) {
	loc, err := r.location(w.TimeZone)
	if err != nil {
		fault("timezone", err.Error())
		loc = time.UTC
	}
	if len(w.Weekly)+len(w.RRule)+len(w.Also) == 0 {
		fault("weekly", "is empty; give times like \"mon-fri 08:00-18:00\", rrule or also, or leave match.when out")
	}
	each := func(field string, list []string, read func(string) error) {
		for i, s := range list {
			if err := read(s); err != nil {
				fault(fmt.Sprintf("%s[%d]", field, i), err.Error())
			}
		}
	}
	readDates := func(s string) error {
		_, err := dates(s)
		return err
	}
	each("weekly", w.Weekly, func(s string) error { return new(WeekMinutes).add(s) })
	each("except", w.Except, readDates)
	each("also", w.Also, readDates)
	for i, one := range w.RRule {
		if _, err := r.expand(one, loc); err != nil {
			fault(fmt.Sprintf("rrule[%d]", i), err.Error())
		}
	}
}

// Compile compiles windows in which [Reader.Check] finds no fault. It leaves out
// what has one.
func (r *Reader) Compile(w *Windows) *Window {
	loc, err := r.location(w.TimeZone)
	if err != nil {
		loc = time.UTC
	}
	out := &Window{zone: r.zone(loc), week: w.Week(), except: wallSpans(w.Except), also: wallSpans(w.Also)}
	var recur [][2]uint32
	for _, one := range w.RRule {
		list, _ := r.expand(one, loc) // a fault of the file
		recur = append(recur, list...)
	}
	out.recur = newSpans(recur)
	return out
}

func (r *Reader) location(name string) (*time.Location, error) {
	if loc, ok := r.locations[name]; ok {
		return loc, nil
	}
	loc, err := loadZone(name)
	if err != nil {
		return nil, err
	}
	if r.locations == nil {
		r.locations = map[string]*time.Location{}
	}
	r.locations[name] = loc
	return loc, nil
}

// zone returns the table of a location: equal locations share one.
func (r *Reader) zone(loc *time.Location) *zone {
	z := r.zones[loc.String()]
	if z == nil {
		if r.zones == nil {
			r.zones = map[string]*zone{}
		}
		z = newZone(loc)
		r.zones[loc.String()] = z
	}
	return z
}

// wallSpans returns the spans of dates on the wall clock.
func wallSpans(list []string) spans {
	var all [][2]uint32
	for _, s := range list {
		one, _ := dates(s) // a fault of the file
		all = append(all, one...)
	}
	return newSpans(all)
}
