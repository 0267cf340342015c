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

// MaxCodeSymbols is the longest code with stars and hashes that a rule can name,
// as a whole or as a prefix.
const MaxCodeSymbols = 14

// Code reports whether s has the form of a code that is dialled with stars and
// hashes ("*21#", "#31#"): 2 to 32 of the digits, '*' and '#', the first no digit.
func Code(s string) bool {
	return len(s) >= 2 && len(s) <= 32 && BeginsCode(s)
}

// BeginsCode reports whether s is a star or a hash, and behind it nothing but
// digits, stars and hashes.
func BeginsCode(s string) bool {
	for i := range len(s) {
		if s[i] != '*' && s[i] != '#' && (i == 0 || s[i]-'0' > 9) {
			return false
		}
	}
	return s != ""
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
	return Listed(region, number)
}

// EmergencyTest reports whether number is the service URN of a test call to the emergency
// services, "urn:service:test.sos" with its subservices (RFC 6881 section 17): it takes
// the way of an emergency call, and is none.
func EmergencyTest(number string) bool {
	rest, ok := strings.CutPrefix(number, "urn:service:test.sos")
	return ok && (rest == "" || rest[0] == '.')
}

// Listed reports whether number is an emergency number of region by its
// numbering plan, or is dialled for help there all the same: see [InTable].
func Listed(region, number string) bool {
	return InTable(region, number) || search(furtherNumbers[:], region, number)
}

// furtherNumbers are emergency numbers that the table lacks, sorted. France's are
// those of ARCEP's decision 2019-0954; Japan's is the coast guard's, Indonesia's
// that of the search and rescue agency.
//
//nolint:gochecknoglobals // a table that nothing writes
var furtherNumbers = [...][2]string{
	{"FR", "114"},
	{"FR", "115"},
	{"FR", "119"},
	{"FR", "191"},
	{"FR", "196"},
	{"FR", "197"},
	{"ID", "115"},
	{"JP", "118"},
}

// InTable reports whether the numbering plan of region lists number as an
// emergency number.
func InTable(region, number string) bool { return search(emergencyNumbers[:], region, number) }

// MaxEmergencyDigits is the length of the longest emergency number of any region.
const MaxEmergencyDigits = 6

func search(table [][2]string, region, number string) bool {
	if len(number) > MaxEmergencyDigits || len(region) != 2 {
		return false
	}
	_, found := slices.BinarySearchFunc(table, [2]string{region, number}, func(e, want [2]string) int {
		if c := strings.Compare(e[0], want[0]); c != 0 {
			return c
		}
		return strings.Compare(e[1], want[1])
	})
	return found
}

// EmergencyNumbers returns the numbers for which [Emergency] holds in region, the
// service URNs aside, sorted.
func EmergencyNumbers(region string) []string {
	list := []string{"112", "911"}
	for _, table := range [2][][2]string{emergencyNumbers[:], furtherNumbers[:]} {
		for _, e := range table {
			if e[0] == region {
				list = append(list, e[1])
			}
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// EmergencyRegions returns the regions that have emergency numbers besides 112
// and 911, as ISO 3166-1 alpha-2, sorted.
func EmergencyRegions() []string {
	var list []string
	for _, e := range emergencyNumbers {
		if len(list) == 0 || list[len(list)-1] != e[0] {
			list = append(list, e[0])
		}
	}
	return list
}
