package dialimport

import (
	"fmt"
	"slices"
	"strings"
)

// MaxNotes is how many notes of a kind a report lists. It counts them all.
const MaxNotes = 1000

// Note is one part of a source that was not imported exactly.
type Note struct {
	File string `json:"file,omitempty"` // "": it is of the whole source
	Line int    `json:"line,omitempty"` // the first is 1
	Row  string `json:"row,omitempty"`  // table and id: "dr_rules 17"
	What string `json:"what"`           // "priority 5000"
	Why  string `json:"why"`
	// Change is which of [PriceChanges] it is; "" of notes of other lists.
	Change PriceChange `json:"change,omitempty"`
}

// PriceChange is a way in which prices come out other than the source has them. An
// import fails for each that [Options.Accept] doesn't name.
type PriceChange string

// The changes of prices.
const (
	DuplicateRates   PriceChange = "duplicates" // a code has two rates from the same time; the last holds
	DisconnectCharge PriceChange = "disconnect" // a price at the call's end is added to that of its beginning
	TwoStepRates     PriceChange = "two-step"   // a rate that changes within a call; the one of later steps holds throughout
	OtherSteps       PriceChange = "steps"      // two columns say other steps; the one of a single step holds
	RoundedRates     PriceChange = "rounding"   // more than 8 decimals
	OverlappingRates PriceChange = "overlaps"   // a rate ends before its end date since another begins
	UnclearDates     PriceChange = "dates"      // a date has its month first, where others are read with the day first
	UnusedColumns    PriceChange = "columns"    // a column that speaks of a price is not used
	CallerRates      PriceChange = "caller"     // a rate that depends on the caller is taken for every caller
)

// PriceChanges lists the changes of prices that [Options.Accept] may name.
func PriceChanges() []PriceChange {
	return []PriceChange{
		DuplicateRates, DisconnectCharge, TwoStepRates, OtherSteps, RoundedRates, OverlappingRates, UnclearDates, UnusedColumns, CallerRates,
	}
}

// PriceError says that an import would change prices in ways that nobody accepted.
type PriceError struct {
	Changes []PriceChange // sorted
}

// Error names the changes and how to accept them.
func (e *PriceError) Error() string {
	list := make([]string, len(e.Changes))
	for i, c := range e.Changes {
		list[i] = string(c)
	}
	return "prices would not be those of the source: " + strings.Join(list, ", ") +
		"; the report lists each. Mend the source, map columns otherwise, or accept these changes by their names"
}

// String returns the note on one line.
func (n Note) String() string {
	s := n.File
	if n.Line > 0 {
		s += fmt.Sprintf(":%d", n.Line)
	}
	for _, part := range [...]string{n.Row, n.What, n.Why} {
		switch {
		case part == "":
		case s == "":
			s = part
		default:
			s += ": " + part
		}
	}
	return s
}

// Notes is a list that is bounded, with a count that is not.
type Notes struct {
	Count int    `json:"count"`
	List  []Note `json:"list,omitempty"` // the first [MaxNotes]
}

func (n *Notes) add(note Note) {
	n.Count++
	if len(n.List) < MaxNotes {
		n.List = append(n.List, note)
	}
}

// Report says what became of the rows of a source, or of the parts of a rule
// set that was exported.
type Report struct {
	Rows      int `json:"rows"`      // that were read, headers and foreign tables apart
	Converted int `json:"converted"` // of them
	// Skipped is what was lost: without it calls may go another way.
	Skipped Notes `json:"skipped"`
	// Approximated is what came over nearly as it was.
	Approximated Notes `json:"approximated"`
	// Prices is what would cost other than in the source.
	Prices Notes `json:"prices"`
	// PriceChanges counts Prices by their kind.
	PriceChanges map[PriceChange]int `json:"price_changes,omitempty"`
	// Remarks are what no decision depends on, and what was assumed.
	Remarks Notes `json:"remarks"`
}

// Lossless reports that nothing was skipped.
func (r *Report) Lossless() bool { return r.Skipped.Count == 0 }

// place is where a row stands, to be reported.
type place struct {
	file string
	line int
	row  string
}

func (p place) note(what, why string, args ...any) Note {
	if len(args) > 0 {
		why = fmt.Sprintf(why, args...)
	}
	return Note{File: p.file, Line: p.line, Row: p.row, What: short(what), Why: why}
}

func (r *Report) skip(p place, what, why string, args ...any) {
	r.Skipped.add(p.note(what, why, args...))
}

func (r *Report) approximate(p place, what, why string, args ...any) {
	r.Approximated.add(p.note(what, why, args...))
}

// price notes that a price is not what the source has.
func (r *Report) price(change PriceChange, p place, what, why string, args ...any) {
	n := p.note(what, why, args...)
	n.Change = change
	r.Prices.add(n)
	if r.PriceChanges == nil {
		r.PriceChanges = map[PriceChange]int{}
	}
	r.PriceChanges[change]++
}

// refused returns the error of the changes of prices that aren't accepted.
func (r *Report) refused(accepted []PriceChange) error {
	var list []PriceChange
	for change := range r.PriceChanges {
		if !slices.Contains(accepted, change) {
			list = append(list, change)
		}
	}
	if list == nil {
		return nil
	}
	slices.Sort(list)
	return &PriceError{Changes: list}
}

func (r *Report) remark(p place, what, why string, args ...any) {
	r.Remarks.add(p.note(what, why, args...))
}

// short bounds what is quoted from a source.
func short(s string) string {
	const most = 80
	if len(s) <= most {
		return s
	}
	cut := most
	for cut > 0 && s[cut]&0xC0 == 0x80 { // not within a symbol of UTF-8
		cut--
	}
	return s[:cut] + "…"
}
