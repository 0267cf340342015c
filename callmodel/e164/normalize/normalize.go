// Package normalize turns telephone numbers as people and telephone servers
// write them into the one form that calls are routed by. It knows the world's
// numbering plans through phonenumbers (12 µs and some 60 allocations a
// number), so it belongs at the edge, once a call; inside, numbers are E.164
// already and package e164 checks them for next to nothing.
//
//	"(202) 555-0123", US  ─┐
//	"tel:+1-202-555-0123" ─┼─▶ "+12025550123"
//	"sip:+12025550123@pbx" ┘
//	"112", DE ───────────────▶ "112", emergency
package normalize

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/nyaruka/phonenumbers"

	"github.com/switchtape/switchtape/callmodel/e164"
)

// Number is a number as calls are routed by it.
type Number struct {
	// Value is E.164 with a plus ("+12025550123"), or a short code as dialled
	// ("112", "611") or an emergency service URN.
	Value string
	// Emergency is true when it reaches the emergency services in the region.
	Emergency bool
	// Short is true for a national short code, which has no international form.
	Short bool
}

// maxRaw bounds what is looked at: no number with any decoration is longer.
const maxRaw = 128

// Error says why a string is not a telephone number that can be called.
type Error struct {
	Raw    string
	Region string
	Reason string
}

func (e *Error) Error() string {
	raw := e.Raw
	if len(raw) > 40 {
		raw = raw[:40] + "…"
	}
	s := fmt.Sprintf("%q is not a telephone number", raw)
	if e.Region != "" {
		s += " in " + e.Region
	}
	return s + ": " + e.Reason
}

// ValidRegion reports whether region is an ISO 3166-1 alpha-2 code, upper
// case, whose numbering plan is known.
func ValidRegion(region string) bool {
	return phonenumbers.GetCountryCodeForRegion(region) != 0
}

// Parse normalises raw. region is where it was dialled, for national numbers,
// short codes and emergency numbers; with "" only international numbers and
// the emergency numbers that hold everywhere are understood.
//
// The emergency check comes first and is forgiving, because general validation
// refuses 112 as too short: a number that reaches help is never refused.
// Otherwise the number's length must be possible in its country's plan;
// whether its range is allotted is not asked, since plans change faster than
// tables do. Failures are [*Error].
func Parse(raw, region string) (Number, error) {
	fail := func(reason string) (Number, error) {
		return Number{}, &Error{Raw: raw, Region: region, Reason: reason}
	}
	if len(raw) > maxRaw {
		return fail("it is longer than " + strconv.Itoa(maxRaw) + " characters")
	}
	if region != "" && !ValidRegion(region) {
		return fail("the region is not a known ISO 3166-1 code; give two capital letters")
	}
	s := bare(raw)
	if n, ok := emergency(s, region); ok {
		return n, nil
	}
	if s == "" {
		return fail("it is empty")
	}
	compact := strip(s)
	if e164.Short(compact) && region != "" {
		return Number{Value: compact, Short: true}, nil
	}
	if region == "" && !strings.HasPrefix(compact, "+") {
		return fail("it is national and no region is known; give the international form with a plus, or the region")
	}
	// Normal form is what normalises to itself. A few odd inputs take a second
	// pass ("000…" dialled in Australia sheds its zeros one at a time), and all
	// but those that are E.164 already are parsed once more to see it.
	value := compact
	for range maxPasses {
		next, reason := international(s, region)
		if reason != "" {
			return fail(reason)
		}
		if next == value {
			return Number{Value: value}, nil
		}
		value, s = next, next
	}
	return fail("it has no stable international form")
}

const maxPasses = 4

// international is s in E.164, or the reason why it has no such form.
func international(s, region string) (value, reason string) {
	parsed, err := phonenumbers.Parse(s, region)
	if err != nil {
		return "", err.Error()
	}
	if parsed.GetExtension() != "" {
		return "", "it has an extension; send the extension as metadata"
	}
	switch phonenumbers.IsPossibleNumberWithReason(parsed) {
	case phonenumbers.IS_POSSIBLE:
	case phonenumbers.TOO_SHORT:
		return "", "it is too short for its country"
	case phonenumbers.TOO_LONG:
		return "", "it is too long for its country"
	case phonenumbers.INVALID_COUNTRY_CODE:
		return "", "no country has its code"
	default:
		return "", "its length is not one of its country's"
	}
	value = phonenumbers.Format(parsed, phonenumbers.E164)
	if !e164.Valid(value) {
		return "", "its international form " + value + " is not E.164"
	}
	return value, ""
}

// bare takes the number out of a tel: or sip: URI (RFC 3966, RFC 3261 section 19.1).
func bare(raw string) string {
	s := strings.TrimSpace(raw)
	lower := strings.ToLower(s)
	switch {
	case strings.HasPrefix(lower, "urn:service:sos"):
		return lower
	case strings.HasPrefix(lower, "sip:"), strings.HasPrefix(lower, "sips:"):
		_, s, _ = strings.Cut(s, ":")
		s, _, _ = strings.Cut(s, "@")
		s, _, _ = strings.Cut(s, ";")
	case strings.HasPrefix(lower, "tel:"):
		s, _, _ = strings.Cut(s[len("tel:"):], ";")
	}
	return strings.TrimSpace(s)
}

// strip removes the punctuation that people group digits with.
func strip(s string) string {
	return strings.Map(func(r rune) rune {
		switch r {
		case ' ', '-', '.', '(', ')', '/', '\u00a0':
			return -1
		}
		return r
	}, s)
}

// emergency finds an emergency number in whatever form it comes: as dialled,
// with separators, or with the region's country code put before it by an eager
// telephone server ("+49112").
func emergency(s, region string) (Number, bool) {
	if strings.HasPrefix(s, "urn:") {
		return Number{Value: s, Emergency: true}, e164.Emergency(region, s)
	}
	compact := strip(s)
	if e164.Emergency(region, compact) {
		return Number{Value: compact, Emergency: true, Short: true}, true
	}
	digits, international := strings.CutPrefix(compact, "+")
	if !international {
		return Number{}, false
	}
	if region != "" {
		code := strconv.Itoa(phonenumbers.GetCountryCodeForRegion(region))
		if rest, ok := strings.CutPrefix(digits, code); ok && e164.Emergency(region, rest) {
			return Number{Value: rest, Emergency: true, Short: true}, true
		}
	}
	// Of another country's, or of one whose region isn't known, the code tells.
	for n := 1; n <= 3 && n < len(digits); n++ {
		code, err := strconv.Atoi(digits[:n])
		if err != nil {
			break
		}
		if there := phonenumbers.GetRegionCodeForCountryCode(code); there != "ZZ" && e164.InTable(there, digits[n:]) {
			return Number{Value: digits[n:], Emergency: true, Short: true}, true
		}
	}
	if e164.Emergency(region, digits) {
		return Number{Value: digits, Emergency: true, Short: true}, true
	}
	return Number{}, false
}
