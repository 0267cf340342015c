package dialimport

import (
	"fmt"
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
