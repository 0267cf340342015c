package normalize

import (
	"strconv"
	"strings"
	"sync"

	"github.com/nyaruka/phonenumbers"

	"github.com/switchtape/switchtape/callmodel/e164"
)

// plain reports that raw is what it normalises to: E.164 as it is, of a length that its
// country has, and far too long for an emergency number behind any country's code. Most
// numbers that telephone servers send are, and are seen to be by their digits alone. What
// isn't plain is looked at in full, and may be right all the same.
func (n *Numbering) plain(raw string) bool {
	return e164.Valid(raw) && n.longerThanEmergency(raw) && possibleLength(raw[1:])
}

// maxCountryCode is the length of the longest country code.
const maxCountryCode = 3

// longerThanEmergency reports that s, a plus and digits, is no emergency number with
// anything before it that a plus may come with: it has more digits than the longest one
// has with a country's code.
func (n *Numbering) longerThanEmergency(s string) bool {
	most := e164.MaxEmergencyDigits
	if n != nil {
		for _, list := range n.Added {
			for _, number := range list {
				most = max(most, len(number)) // with its plus, if it has one: one more does no harm
			}
		}
	}
	return len(s)-1 > most+maxCountryCode
}

// possibleLength reports whether the digits begin with a country's code, and the rest has
// one of the lengths of that country's numbers. The digits of Mexican mobile numbers with
// the 1 that is given up are not.
func possibleLength(digits string) bool {
	for i := 1; i <= maxCountryCode; i++ {
		code, err := strconv.Atoi(digits[:i])
		if err != nil {
			return false
		}
		if lengths := possibleLengths()[code]; lengths != 0 {
			national := digits[i:]
			return lengths>>len(national)&1 != 0 && (code != mexico || len(national) != 11 || national[0] != '1')
		}
	}
	return false
}

// possibleLengths are the lengths of the national numbers of each country code, a bit for
// each number of digits; 0 of a code that no country has. They depend on the code alone:
// [impossible] looks at nothing but the length.
//
//nolint:gochecknoglobals // a table that is made once
var possibleLengths = sync.OnceValue(func() *[1000]uint32 {
	var table [1000]uint32
	for code := range phonenumbers.GetSupportedCallingCodes() {
		for n := 1; n <= e164.MaxDigits; n++ {
			if impossible(asWritten(int32(code), strings.Repeat("2", n))) == "" {
				table[code] |= 1 << n
			}
		}
	}
	return &table
})
