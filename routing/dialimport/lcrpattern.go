package dialimport

import (
	"regexp"
	"strings"
)

// caller is a condition on a number: a prefix or the whole of it. The zero
// value is none.
type caller struct {
	prefixes []string
	whole    bool
}

// text returns a text that differs between different callers.
func (c caller) text() string {
	t := strings.Join(c.prefixes, ",")
	if c.whole {
		t += "!"
	}
	return t
}

// holds reports whether every number that is d is c too.
func (c caller) holds(d caller) bool {
	if len(c.prefixes) == 0 {
		return true
	}
	if len(d.prefixes) == 0 {
		return false
	}
	if c.whole {
		return d.whole && c.prefixes[0] == d.prefixes[0]
	}
	return strings.HasPrefix(d.prefixes[0], c.prefixes[0])
}

// A pattern that asks for a number's first digits, or all of them: "^sip:\+49",
// "^sips?:0049[0-9]*@", "^sip:4930123@.*$".
var numberURI = regexp.MustCompile(`^\^?sips?\??:((?:\\\+|\[\+\])?)([0-9]+)((?:\.[*+]|\[0-9\][*+]|\\d[*+])?)((?:@(?:\.[*+])?)?)(\$?)$`)

// uriPattern reads a regular expression over a SIP URI, if it is one that asks
// for a number.
func uriPattern(num *numbering, pattern string) (caller, bool) {
	m := numberURI.FindStringSubmatch(pattern)
	if m == nil {
		return caller{}, false
	}
	digits, rest, at, end := m[2], m[3], m[4], m[5]
	if m[1] != "" {
		digits = "+" + digits
	}
	switch {
	case strings.HasSuffix(rest, "+") && at == "" && end == "":
		return caller{}, false // at least one more symbol
	case strings.HasPrefix(rest, "[0-9]+"), strings.HasPrefix(rest, `\d+`), strings.HasPrefix(rest, ".+"):
		return caller{}, false
	case rest == "" && at == "" && end != "":
		return caller{}, false // a URI has more than a number
	case rest != "" && rest != ".*" && at == "" && end != "":
		return caller{}, false
	case rest == "" && at != "" && (end == "" || at != "@"): // no digits more
		number, ok := num.number(digits)
		return caller{prefixes: []string{number}, whole: true}, ok
	case at == "@" && end != "":
		return caller{}, false
	}
	list, everything, why := num.callee(digits)
	if why != "" || everything {
		return caller{}, false
	}
	return caller{prefixes: list[:1]}, true
}
