package routing

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/switchtape/switchtape/callmodel"
)

// Inspection is a rule file with all that is wrong with it.
type Inspection struct {
	// Rules is what could be read. It is complete, and fit to be used, only if
	// there are neither Faults nor Conflicts.
	Rules *RuleSet
	// Router is nil if there are Faults or Conflicts.
	Router *Router
	// Faults are those that [Parse] reports.
	Faults callmodel.FieldErrors
	// Conflicts are those that [Compile] reports: rules that are level in rank
	// and can match the same call. Rules that have faults are not looked at.
	Conflicts callmodel.FieldErrors
}

// Inspect reads a rule file as [Parse] and [Compile] do, and where they stop at
// the first kind of fault, it reports all of them. The error is of text that is
// neither YAML nor JSON, or too much of it.
func Inspect(data []byte) (*Inspection, error) {
	rs, faults, err := read(data)
	if err != nil {
		return nil, err
	}
	in := &Inspection{Rules: rs, Faults: faults}
	part, places, ok := rs.without(faults)
	if !ok || len(faults) >= maxFaults { // there may be more rules that have faults than are listed
		return in, nil
	}
	router, err := Compile(part)
	if err == nil {
		if len(faults) == 0 {
			in.Router = router
		}
		return in, nil
	}
	var found callmodel.FieldErrors
	if !errors.As(err, &found) {
		return nil, err
	}
	for i := range found {
		found[i].Path = renumbered(found[i].Path, places)
		found[i].Message = renumbered(found[i].Message, places)
		found[i].Line = lineOf(rs.lines, found[i].Path)
	}
	slices.SortStableFunc(found, func(a, b callmodel.FieldError) int { return a.Line - b.Line })
	in.Conflicts = found
	return in, nil
}

// without is the set without the rules that have faults, and where the others
// stood. It is not ok if a fault is of the set itself, or no rule is left.
func (rs *RuleSet) without(faults callmodel.FieldErrors) (part *RuleSet, places []int, ok bool) {
	if len(faults) == 0 {
		return rs, nil, true
	}
	bad := map[int]bool{}
	for _, f := range faults {
		i, isRule := RuleIndex(f.Path)
		if !isRule {
			return nil, nil, false
		}
		bad[i] = true
	}
	reduced := *rs
	reduced.Rules, reduced.lines = nil, nil
	for i := range rs.Rules {
		if !bad[i] {
			reduced.Rules = append(reduced.Rules, rs.Rules[i])
			places = append(places, i)
		}
	}
	return &reduced, places, len(places) > 0
}

// renumbered puts the places of the whole set for those of a part.
func renumbered(s string, places []int) string {
	if places == nil || !strings.Contains(s, "rules[") {
		return s
	}
	return regexp.MustCompile(`rules\[\d+\]`).ReplaceAllStringFunc(s, func(m string) string {
		if i, ok := RuleIndex(m); ok && i < len(places) {
			return fmt.Sprintf("rules[%d]", places[i])
		}
		return m
	})
}

// RuleIndex is the index of the rule that a path of a fault is in or below;
// false if it is of none.
func RuleIndex(path string) (int, bool) {
	rest, ok := strings.CutPrefix(path, "rules[")
	if !ok {
		return 0, false
	}
	number, _, ok := strings.Cut(rest, "]")
	i, err := strconv.Atoi(number)
	return i, ok && err == nil && i >= 0
}

// Line is the line of the file on which the path stands, or the nearest thing
// around it; 0 if the set was not read from a file. Paths are those of faults:
// "rules[3].match.to", "destinations.berlin".
func (rs *RuleSet) Line(path string) int { return lineOf(rs.lines, path) }

// WeekMinutes has a bit for every minute of the week on the wall clock, Monday
// 00:00 first: minute m is bit m%64 of word m/64.
type WeekMinutes [(minutesPerWeek + 63) / 64]uint64

// Week is the minutes of the weekly times alone. Times that are not valid are
// left out; [RuleSet.Validate] reports them.
func (w *Windows) Week() WeekMinutes {
	var week weekBits
	for _, s := range w.Weekly {
		_ = week.add(s) // validated
	}
	return WeekMinutes(week)
}

// OpensAfter reports whether the window is open at any time at or after t, as
// far as calendars are worked out, which is to the end of 2099. Weekly times
// come again for ever, whatever the exceptions. It says yes unless it is sure.
func (w *Windows) OpensAfter(t time.Time) bool { return w.OpensWithin(t, time.Time{}) }

// OpensWithin is OpensAfter for the time before until. A zero until is no end.
func (w *Windows) OpensWithin(t, until time.Time) bool {
	if len(w.Weekly) > 0 {
		return true
	}
	loc, err := loadZone(w.TimeZone)
	if err != nil || t.Unix() >= endOfCalendars {
		return true // not for this to report
	}
	z := newZone(loc)
	end := int64(endOfCalendars)
	if !until.IsZero() {
		end = min(end, until.Unix()+1) // a part of its second is before it
	}
	also, except := wallSpans(w.Also), wallSpans(w.Except)
	for i := 0; i+1 < len(also.bounds); i += 2 {
		// Clocks that are put back show a time again: by 3 hours at most since 1970.
		const back = 3 * 3600
		if z.local(t.Unix())-back < int64(also.bounds[i+1]) && int64(also.bounds[i]) < z.local(end)+back {
			return true
		}
	}
	var recur recurrences
	for _, r := range w.RRule {
		list, err := recur.expand(r, loc)
		if err != nil {
			return true
		}
		for _, span := range list {
			if int64(span[1]) > t.Unix() && int64(span[0]) < end && !except.hold(z, max(int64(span[0]), t.Unix()), int64(span[1])) {
				return true
			}
		}
	}
	return false
}

// hold reports whether the wall clock is within one of the spans all the time
// from one instant to another; it says no unless it is sure.
func (s *spans) hold(z *zone, from, to int64) bool {
	first, last := z.local(from), z.local(to-1)
	if last-first != to-1-from { // the clocks change meanwhile
		return false
	}
	for i := 0; i+1 < len(s.bounds); i += 2 {
		if int64(s.bounds[i]) <= first && last < int64(s.bounds[i+1]) {
			return true
		}
	}
	return false
}
