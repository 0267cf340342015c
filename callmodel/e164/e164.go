// Package e164 is the syntax of telephone numbers: a check of E.164's form and
// the table of the world's emergency numbers. It imports only the standard
// library and allocates nothing, so it can stand on a call's hot path.
//
// Turning what people dial into E.164 needs the numbering plans of every
// country: that is the leaf package normalize.
package e164

//go:generate go run ./internal/gen -o emergency_gen.go

import (
	"slices"
	"strings"
)

// The length of an E.164 number in digits, without the plus. The most is that
// of ITU-T E.164 section 6.2.1; the least is that of the shortest national
// plans in use with their country code.
const (
	MinDigits = 7
	MaxDigits = 15
)

// Valid reports whether s has the form of an international number: a plus, a
// first digit that is not zero, and 7 to 15 digits in all.
func Valid(s string) bool {
	if len(s) < 1+MinDigits || len(s) > 1+MaxDigits || s[0] != '+' || s[1] == '0' {
		return false
	}
	return Digits(s[1:])
}

// Digits reports whether s is one or more ASCII digits.
func Digits(s string) bool {
	if s == "" {
		return false
	}
	for i := range len(s) {
		if s[i]-'0' > 9 {
			return false
		}
	}
	return true
}

// MaxShortDigits is the longest national short code (emergency, service) that
// is routed as dialled.
const MaxShortDigits = 6

// Short reports whether s has the form of a national short code: 2 to 6 digits.
func Short(s string) bool {
	return len(s) >= 2 && len(s) <= MaxShortDigits && Digits(s)
}

// Emergency reports whether number, as dialled, reaches the emergency services
// in region (ISO 3166-1 alpha-2, upper case; "" if it isn't known). 112 and
// 911 do everywhere, as handsets treat them (3GPP TS 22.101 section 10.1.1),
// and so does the service URN of RFC 5031, "urn:service:sos" with its
// subservices.
func Emergency(region, number string) bool {
	if number == "112" || number == "911" {
		return true
	}
	if rest, ok := strings.CutPrefix(number, "urn:service:sos"); ok {
		return rest == "" || rest[0] == '.'
	}
	return InTable(region, number)
}

// InTable reports whether the numbering plan of region lists number as an
// emergency number.
func InTable(region, number string) bool {
	_, found := slices.BinarySearchFunc(emergencyNumbers[:], [2]string{region, number}, func(e, want [2]string) int {
		if c := strings.Compare(e[0], want[0]); c != 0 {
			return c
		}
		return strings.Compare(e[1], want[1])
	})
	return found
}
