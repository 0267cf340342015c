package dialimport

import (
	"strconv"
	"strings"

	"github.com/switchtape/switchtape/callmodel/e164"
)

// numbering is how a source writes numbers: what stands before the country
// code, and nothing before short codes.
type numbering struct {
	access string
	short  bool // every short prefix may be of short codes
	mixed  bool // the access was counted out among several
}

// newNumbering returns the numbering of the option, or the one that the beginnings of
// the rules' prefixes show.
func newNumbering(o *Options, prefixes func(yield func(string) bool), report *Report) numbering {
	n := numbering{short: o.ShortCodes}
	if o.Access != nil {
		n.access = *o.Access
		return n
	}
	var counts [3]int
	forms := [...]string{"+", "00", ""}
	for p := range prefixes {
		switch {
		case p == "":
		case p[0] == '+':
			counts[0]++
		case strings.HasPrefix(p, "00"):
			counts[1]++
		case len(p) <= e164.MaxShortDigits && e164.Emergency("", p): // as it is dialled, whatever the others are
		default:
			counts[2]++
		}
	}
	if sum := counts[0] + counts[1] + counts[2]; sum > 0 {
		n.mixed = max(counts[0], counts[1], counts[2]) < sum
	} else {
		counts[2] = 1
	}
	most := 0
	for i := range forms {
		if counts[i] > counts[most] {
			most = i
		}
	}
	n.access = forms[most]
	if n.mixed {
		report.approximate(place{}, "numbers", "%d prefixes begin with a plus, %d with 00, and %d with neither: numbers are taken to "+
			"be written with %s before the country code, and a plus is one everywhere; say what stands there",
			counts[0], counts[1], counts[2], quotedOr(n.access, "nothing"))
		return n
	}
	report.remark(place{}, "numbers", "taken to be written with %s before the country code, as the rules' prefixes are; say so if it is otherwise",
		quotedOr(n.access, "nothing"))
	return n
}

func quotedOr(s, none string) string {
	if s == "" {
		return none
	}
	return strconv.Quote(s)
}

// callee returns a prefix of the source as a rule set writes it. everything: it is
// empty and takes every call. why is set when it can't be said.
func (n *numbering) callee(p string) (list []string, everything bool, why string) {
	if p == "" {
		return nil, true, ""
	}
	if !numeric(p) || p == "+" && n.access != "+" {
		return nil, false, "only digits can be routed, with a plus before them"
	}
	access := n.access
	if n.mixed && p[0] == '+' {
		access = "+"
	}
	if rest, ok := strings.CutPrefix(p, access); ok && (access != "" || p[0] != '+') {
		switch {
		case strings.HasPrefix(rest, "0"):
			why = "no country code begins with 0; if the source's numbers are national, or have another access code, say so"
		case len(rest) > e164.MaxDigits:
			why = "it is longer than any number"
		default:
			list = append(list, "+"+rest)
		}
	} else if strings.HasPrefix(n.access, p) {
		return nil, false, "it is a part of the access code " + n.access + "; give the rule that code, or an empty prefix"
	}
	international := n.access != "" && strings.HasPrefix(p, n.access)
	if e164.Digits(p) && len(p) <= e164.MaxShortDigits && !international && (n.access != "" || n.short || e164.Emergency("", p)) {
		list, why = append(list, p), ""
	}
	if len(list) == 0 && why == "" {
		why = "it neither begins with " + quotedOr(n.access, "a country code") + " nor is a short code"
	}
	return list, false, why
}

// number returns a whole number of the source as a rule set writes it.
func (n *numbering) number(s string) (string, bool) {
	if !numeric(s) || s == "" {
		return "", false
	}
	if rest, ok := strings.CutPrefix(s, n.access); ok && e164.Valid("+"+rest) {
		return "+" + rest, true
	}
	return s, e164.Short(s)
}

// onWire returns the form in which a gateway gets numbers, when the source
// strips digits of what it has and puts others before it. faults are what is
// not the same, for international numbers.
func (n *numbering) onWire(strip int, prepend string) (digits int, before string, stripPlus bool, faults []string) {
	kept := n.access[min(strip, len(n.access)):]
	digits, before = min(max(strip-len(n.access), 0), e164.MaxDigits), prepend+kept
	if i := strings.LastIndexByte(before, '+'); i > 0 {
		before = strings.ReplaceAll(before, "+", "")
		faults = append(faults, "a plus behind other digits can't be sent; it is left out")
	}
	if before == "+" && digits == 0 {
		return 0, "", false, faults // as it is
	}
	return digits, before, digits == 0 && before == "", faults
}
