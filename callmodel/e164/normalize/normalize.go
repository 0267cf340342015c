// Package normalize turns telephone numbers as people and telephone servers
// write them into the one form that calls are routed by. It knows the world's
// numbering plans through phonenumbers (12 µs and some 60 allocations a
// number, next to nothing for one that is E.164 already), so it belongs at the edge, once a call; inside, numbers are E.164
// already and package e164 checks them for next to nothing.
//
//	"(202) 555-0123", US  ─┐
//	"tel:+1-202-555-0123" ─┼─▶ "+12025550123"
//	"sip:+12025550123@pbx" ┘
//	"112", DE ───────────────▶ "112", emergency
//	"+12025550123p9" ────────▶ "+12025550123", "p9" to be sent after the answer
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
	// ("112", "611", "*21#") or the service URN of an emergency call or of a test call.
	Value string
	// Emergency is true when it reaches the emergency services in the region.
	Emergency bool
	// Short is true for a national short code or a code with stars and hashes,
	// which has no international form.
	Short bool
	// PostDial is what stood behind the number to be sent after the answer, with
	// its pauses and waits: "p9", ",,1#". "" for nothing.
	PostDial string
	// Params are the parameters that stood behind it and don't belong to the number
	// itself, each with its semicolon, as they were written: "ext", "isub", and those
	// of number portability (RFC 4694), ";npdi;rn=+12025550100;cic=+16789".
	Params string
}

// maxRaw bounds a number without its URI: none with any decoration is longer.
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
		raw = strings.ToValidUTF8(raw[:40], "") + "…"
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

// CountryCode is that of the region, with its plus: "+49" of "DE". "" if the region's
// numbering plan isn't known. Regions may share one.
func CountryCode(region string) string {
	if code := phonenumbers.GetCountryCodeForRegion(region); code != 0 {
		return "+" + strconv.Itoa(code)
	}
	return ""
}

// Parse is [Numbering.Parse] without anything that an operator knows.
func Parse(raw, region string) (Number, error) { return (*Numbering)(nil).Parse(raw, region) }

// Parse normalises raw. region is where it was dialled, for national numbers,
// short codes and emergency numbers; with "" only international numbers, codes with
// stars and hashes and the emergency numbers that hold everywhere are understood.
//
// The emergency check comes first and is forgiving, because general validation
// refuses 112 as too short: a number that reaches help is never refused.
// Otherwise the number's length must be possible in its country's plan;
// whether its range is allotted is not asked, since plans change faster than
// tables do. Failures are [*Error].
//
// The digits behind a plus are taken as they are. A number that would be right
// without some of them is refused, and the reason says which that is. The one
// exception is the 1 of Mexican mobile numbers, which the country gave up in 2019.
func (n *Numbering) Parse(raw, region string) (Number, error) {
	fail := func(reason string) (Number, error) {
		return Number{}, &Error{Raw: raw, Region: region, Reason: reason}
	}
	if n.plain(raw) && (region == "" || ValidRegion(region)) {
		return Number{Value: raw}, nil
	}
	return n.parse(raw, region, fail)
}

// parse is Parse of what may be anything.
func (n *Numbering) parse(raw, region string, fail func(reason string) (Number, error)) (Number, error) {
	if number, ok := n.Emergency(raw, region); ok {
		return number, nil
	}
	d := read(raw)
	if len(d.number) > maxRaw || len(raw) > maxDialled {
		return fail("it is longer than " + strconv.Itoa(maxRaw) + " characters")
	}
	if region != "" && !ValidRegion(region) {
		return fail("the region is not a known ISO 3166-1 code; give two capital letters")
	}
	if d.number == "" {
		return fail("it is empty")
	}
	if e164.EmergencyTest(d.number) {
		return Number{Value: d.number}, nil
	}
	if d.number[0] == '-' {
		return fail("it begins with a minus")
	}
	out := Number{PostDial: d.postDial, Params: d.params}
	compact := strip(d.number)
	if digits := strings.TrimSuffix(compact, "#"); e164.Digits(strings.TrimPrefix(digits, "+")) {
		compact, d.number = digits, strings.TrimSuffix(d.number, "#") // the hash ends the dialling
	}
	if d.context != "" && e164.Digits(compact) {
		compact = d.context + compact
		d.number = compact
	}
	if e164.Code(compact) {
		out.Value, out.Short = compact, true
		return out, nil
	}
	if e164.Short(compact) && region != "" && !fullNumber(compact, region) {
		out.Value, out.Short = compact, true
		return out, nil
	}
	var reason string
	if out.Value, reason = stable(d.number, compact, region); reason != "" {
		return fail(reason)
	}
	return out, nil
}

// fullNumber reports whether a few digits are a whole number of the region, as some
// countries have them, and not a short code.
func fullNumber(digits, region string) bool {
	parsed, err := phonenumbers.Parse(digits, region)
	return err == nil && phonenumbers.IsValidNumberForRegion(parsed, region) && e164.Valid(phonenumbers.Format(parsed, phonenumbers.E164))
}

// stable is the number's normal form, which is what normalises to itself, or the
// reason why it has none. A few odd inputs take a second pass ("000…" dialled in
// Australia sheds its zeros one at a time), and all but those that are E.164
// already are parsed once more to see it.
func stable(s, compact, region string) (value, reason string) {
	if region == "" && !strings.HasPrefix(compact, "+") {
		return "", "it is national and no region is known; give the international form with a plus, or the region"
	}
	value = compact
	for range maxPasses {
		next, reason := international(s, region)
		if reason != "" {
			return "", reason
		}
		if next == value {
			return value, ""
		}
		value, s = next, next
	}
	return "", "it has no stable international form"
}

const maxPasses = 4

// international is s in E.164, or the reason why it has no such form.
func international(s, region string) (value, reason string) {
	compact := strip(s)
	if strings.HasPrefix(compact, "+") {
		return withPlus(compact)
	}
	parsed, err := phonenumbers.ParseAndKeepRawInput(s, region)
	if err != nil {
		return "", err.Error()
	}
	if parsed.GetExtension() != "" {
		return "", "it has an extension; send the extension as metadata"
	}
	if reason := impossible(parsed); reason != "" {
		return "", reason
	}
	value = phonenumbers.Format(parsed, phonenumbers.E164)
	switch parsed.GetCountryCodeSource() {
	case phonenumbers.PhoneNumber_FROM_NUMBER_WITH_IDD, phonenumbers.PhoneNumber_FROM_NUMBER_WITHOUT_PLUS_SIGN:
		// It has its country's code, and then its digits are those behind a plus.
		for _, p := range internationalPrefixes(region) {
			if rest, ok := strings.CutPrefix(compact, p); ok {
				return withPlus("+" + rest)
			}
		}
		if !strings.HasSuffix(compact, value[1:]) && e164.Digits(compact) {
			return "", "some of its digits don't belong to it; without them it is " + value
		}
	default:
	}
	if !e164.Valid(value) {
		return "", "its international form " + value + " is not E.164"
	}
	return value, ""
}

// withPlus is the number whose digits, all of them, stand behind the plus.
func withPlus(compact string) (value, reason string) {
	digits := compact[1:]
	if phonenumbers.IsAlphaNumber(compact) {
		digits = phonenumbers.ConvertAlphaCharactersInNumber(digits)
	}
	if !e164.Digits(digits) {
		return "", "it holds more than digits behind its plus"
	}
	parsed, err := phonenumbers.Parse("+"+digits, "")
	if err != nil {
		return "", err.Error()
	}
	national, ok := strings.CutPrefix(digits, strconv.Itoa(int(parsed.GetCountryCode())))
	if !ok {
		return "", "no country has its code"
	}
	if parsed.GetCountryCode() == mexico && len(national) == 11 && national[0] == '1' {
		national = national[1:]
		digits = strconv.Itoa(mexico) + national
	}
	if reason := impossible(asWritten(parsed.GetCountryCode(), national)); reason != "" {
		if other := phonenumbers.Format(parsed, phonenumbers.E164); other != "+"+digits && impossible(parsed) == "" {
			reason += "; without a digit that is not dialled from abroad it is " + other
		}
		return "", reason
	}
	if value = "+" + digits; !e164.Valid(value) {
		return "", "it is not E.164"
	}
	return value, ""
}

const mexico = 52

// asWritten is the number with these national digits, none of them left out.
func asWritten(code int32, national string) *phonenumbers.PhoneNumber {
	n := &phonenumbers.PhoneNumber{CountryCode: &code}
	significant, _ := strconv.ParseUint(national, 10, 64) // at most 17 digits
	n.NationalNumber = &significant
	if zeros := int32(min(len(national)-len(strings.TrimLeft(national, "0")), max(len(national)-1, 0))); zeros > 0 {
		leading := true
		n.ItalianLeadingZero, n.NumberOfLeadingZeros = &leading, &zeros
	}
	return n
}

// impossible is the reason why no such number can be, "" if it can.
func impossible(parsed *phonenumbers.PhoneNumber) string {
	switch phonenumbers.IsPossibleNumberWithReason(parsed) {
	case phonenumbers.IS_POSSIBLE:
		return ""
	case phonenumbers.TOO_SHORT:
		return "it is too short for its country"
	case phonenumbers.TOO_LONG:
		return "it is too long for its country"
	case phonenumbers.INVALID_COUNTRY_CODE:
		return "no country has its code"
	default:
		return "its length is not one of its country's"
	}
}
