package routing

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/switchtape/switchtape/callmodel"
)

// Inspection is a rule file with everything that is wrong with it.
type Inspection struct {
	// Rules is what could be read. It is complete and fit for use only if there are
	// neither Faults nor Conflicts.
	Rules *RuleSet
	// Router is nil if there are Faults or Conflicts.
	Router *Router
	// Faults are what [Parse] reports.
	Faults callmodel.FieldErrors
	// Conflicts are what [Compile] reports: rules that are equal in rank and can
	// match the same call. Rules with faults are not compared.
	Conflicts callmodel.FieldErrors
}

// Inspect reads a rule file as [Parse] and [Compile] do. They stop at the first kind
// of fault; Inspect reports both kinds. The error is of text that is neither YAML
// nor JSON, or of too much text.
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
		found[i].Line = rs.Line(found[i].Path)
	}
	slices.SortStableFunc(found, func(a, b callmodel.FieldError) int { return a.Line - b.Line })
	in.Conflicts = found
	return in, nil
}

// without returns the set without the rules that have faults, and the places of the
// others. It is not ok if the set itself has a fault, or no rule is left.
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

// renumbered replaces the places of rules in a part by those in the whole set.
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

// RuleIndex returns the index of the rule to which the path of a fault belongs;
// false if it belongs to none.
func RuleIndex(path string) (int, bool) {
	rest, ok := strings.CutPrefix(path, "rules[")
	if !ok {
		return 0, false
	}
	number, _, ok := strings.Cut(rest, "]")
	i, err := strconv.Atoi(number)
	return i, ok && err == nil && i >= 0
}

// Written reports whether the file has something at the path itself, though it may mean
// nothing: an empty text. It is false of a set that was not read from a file.
func (rs *RuleSet) Written(path string) bool { return rs.lines != nil && rs.lines.Has(path) }

// Line returns the line of the file on which the path stands, or the nearest thing
// around it; 0 if the set was not read from a file. Paths are those of faults:
// "rules[3].match.to", "destinations.berlin".
func (rs *RuleSet) Line(path string) int { return rs.lines.Of(path) }
