package normalize

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/nyaruka/phonenumbers"

	"github.com/switchtape/switchtape/callmodel/e164"
)

// Numbering is what an operator knows of the numbers that are dialled, and the
// world's plans don't. The zero value knows nothing, and so does nil. It must not
// be changed while it is used.
type Numbering struct {
	// Added are emergency numbers besides those of package e164, as dialled or in
	// E.164, by region in ISO 3166-1 alpha-2; "" for everywhere.
	Added map[string][]string
	// Removed are numbers that don't reach the emergency services, 112 and 911
	// included, by region; "" for everywhere.
	Removed map[string][]string
	// OutsidePrefixes are dialled for an outside line: an emergency number is
	// recognised behind each of them, too ("9": 9911). 1 to 4 digits each.
	OutsidePrefixes []string
}

// Validate reports every fault at once.
func (n *Numbering) Validate() error {
	var faults []error
	for _, list := range [2]map[string][]string{n.Added, n.Removed} {
		for _, region := range slices.Sorted(maps.Keys(list)) {
			if region != "" && !ValidRegion(region) {
				faults = append(faults, fmt.Errorf("%q is not a known ISO 3166-1 code; give two capital letters", region))
			}
			for _, number := range list[region] {
				if !e164.Valid(number) && (!e164.Digits(number) || len(number) < 2 || len(number) > e164.MaxDigits) {
					faults = append(faults, fmt.Errorf("%q is no emergency number: give 2 to %d digits, or E.164 with a plus", number, e164.MaxDigits))
				}
			}
		}
	}
	for _, p := range n.OutsidePrefixes {
		if !e164.Digits(p) || len(p) > maxOutsidePrefix {
			faults = append(faults, fmt.Errorf("%q is no prefix for an outside line: give 1 to %d digits", p, maxOutsidePrefix))
		}
	}
	return errors.Join(faults...)
}

const maxOutsidePrefix = 4

// EmergencyNumbers returns the emergency numbers of region, sorted: those of
// [e164.EmergencyNumbers] and what is added and removed.
func (n *Numbering) EmergencyNumbers(region string) []string {
	list := e164.EmergencyNumbers(region)
	if n != nil {
		list = slices.Concat(list, n.Added[region], n.Added[""])
		list = slices.DeleteFunc(list, func(number string) bool { return !n.isEmergency(region, number) })
		slices.Sort(list)
	}
	return slices.Compact(list)
}

// Emergency finds an emergency number in whatever form it comes, and reports
// whether there is one: as dialled, with separators, in the digits of any script,
// in a URI, with a code before it that hides or shows the caller, behind a prefix
// for an outside line, ended with a hash, or with a country's code put before it
// by an eager telephone server.
//
// It is one if it is in any of the regions, unless it is removed in the first of
// them that is not "": give the one where it was dialled first. Regions that are not known count
// as "", where 112 and 911 are known, and numbers with a country's code.
func (n *Numbering) Emergency(raw string, regions ...string) (Number, bool) {
	if e164.Valid(raw) && n.longerThanEmergency(raw) {
		return Number{}, false
	}
	d := read(raw)
	home := ""
	for _, region := range regions {
		if home == "" && ValidRegion(region) {
			home = region
		}
	}
	for _, region := range regions {
		if !ValidRegion(region) {
			region = ""
		}
		if number, ok := n.emergency(&d, region); ok && !n.removed(home, number.Value) {
			return number, true
		}
	}
	return Number{}, false
}

// isEmergency is e164.Emergency as the operator knows it.
func (n *Numbering) isEmergency(region, number string) bool {
	if n.removed(region, number) {
		return false
	}
	return e164.Emergency(region, number) || n.added(region, number)
}

// listed is e164.Listed as the operator knows it.
func (n *Numbering) listed(region, number string) bool {
	return !n.removed(region, number) && (e164.Listed(region, number) || n.added(region, number))
}

func (n *Numbering) removed(region, number string) bool {
	return n != nil && (slices.Contains(n.Removed[region], number) || slices.Contains(n.Removed[""], number))
}

func (n *Numbering) added(region, number string) bool {
	return n != nil && (slices.Contains(n.Added[region], number) || slices.Contains(n.Added[""], number))
}

func (n *Numbering) emergency(d *dialled, region string) (Number, bool) {
	out := Number{Emergency: true, Short: true, PostDial: d.postDial, Params: d.params}
	if strings.HasPrefix(d.number, "urn:") {
		return Number{Value: d.number, Emergency: true}, n.isEmergency(region, d.number)
	}
	compact := strip(d.number)
	var ok bool
	if out.Value, ok = n.within(compact, region, maxDecorations); ok {
		out.Short = !strings.HasPrefix(out.Value, "+")
		return out, true
	}
	if d.context != "" {
		if out.Value, ok = n.within(d.context+compact, region, 1); ok {
			return out, true
		}
	}
	// A pause behind the prefix for an outside line is no end of the number: "9,911".
	if d.postDial != "" && n != nil && slices.Contains(n.OutsidePrefixes, compact) {
		if out.Value, ok = n.within(strip(strings.TrimLeft(d.postDial, "pPwW,;")), region, maxDecorations); ok {
			out.PostDial = ""
			return out, true
		}
	}
	return Number{}, false
}

// maxDecorations bounds how many things may be put around a number.
const maxDecorations = 4

// within is the emergency number in s, which may have something put around it.
func (n *Numbering) within(s, region string, depth int) (string, bool) {
	if n.isEmergency(region, s) {
		return s, true
	}
	if depth == 0 || len(s) < 3 {
		return "", false
	}
	if rest, ok := strings.CutSuffix(s, "#"); ok { // ends the dialling
		if number, ok := n.within(rest, region, depth-1); ok {
			return number, true
		}
	}
	for _, code := range callerCodes(region) {
		if rest, ok := strings.CutPrefix(s, code); ok {
			if number, ok := n.within(rest, region, depth-1); ok {
				return number, true
			}
		}
	}
	if n != nil {
		for _, p := range n.OutsidePrefixes {
			if rest, ok := strings.CutPrefix(s, p); ok {
				if number, ok := n.within(rest, region, depth-1); ok {
					return number, true
				}
			}
		}
	}
	for _, p := range internationalPrefixes(region) {
		if rest, ok := strings.CutPrefix(s, p); ok {
			if number, ok := n.abroad(rest, region); ok {
				return number, true
			}
		}
	}
	return "", false
}

// abroad is the emergency number in the digits behind a plus, or behind what is
// dialled for it.
func (n *Numbering) abroad(digits, region string) (string, bool) {
	if region != "" {
		code := strconv.Itoa(phonenumbers.GetCountryCodeForRegion(region))
		if rest, ok := strings.CutPrefix(digits, code); ok && n.isEmergency(region, rest) {
			return rest, true
		}
	}
	// Of another country's, or of one whose region isn't known, the code tells.
	for i := 1; i <= 3 && i < len(digits); i++ {
		code, err := strconv.Atoi(digits[:i])
		if err != nil {
			break
		}
		for _, there := range phonenumbers.GetRegionCodesForCountryCode(code) {
			if n.listed(there, digits[i:]) {
				return digits[i:], true
			}
		}
	}
	return digits, n.isEmergency(region, digits)
}

// callerCodes are dialled before a number to hide or show the caller, or to keep
// waiting calls out: those of mobile networks (3GPP TS 22.030 annex B), those of
// North America, and the region's own.
func callerCodes(region string) []string {
	list := append(make([]string, 0, 12), "*31#", "#31#", "*31*", "*31", "#31", "*67#", "*67", "*82", "*70")
	switch region {
	case "AU":
		return append(list, "1831", "1832")
	case "ES":
		return append(list, "067")
	case "FR":
		return append(list, "3651")
	case "GB", "GG", "IE", "IM", "JE":
		return append(list, "1470", "141", "142")
	case "HK":
		return append(list, "133")
	case "IL":
		return append(list, "*43")
	case "JP":
		return append(list, "184", "186")
	case "NZ":
		return append(list, "0197", "0196")
	}
	return list
}

// internationalPrefixes are what is dialled in the region for a plus, and the plus.
// The ITU's 00 is understood everywhere.
func internationalPrefixes(region string) []string {
	switch region {
	case "":
		return []string{"+", "00", "011"}
	case "AU", "CC", "CX":
		return []string{"+", "0011", "00"}
	case "JP":
		return []string{"+", "010", "00"}
	case "BY", "KZ", "RU", "TJ", "TM":
		return []string{"+", "810", "00"}
	case "KE", "TZ", "UG":
		return []string{"+", "000", "00"}
	case "CO", "NG":
		return []string{"+", "009", "00"}
	case "GY", "HK", "ID", "KH", "KR", "MN", "SG", "TH":
		return []string{"+", "001", "00"}
	case "TW":
		return []string{"+", "002", "00"}
	case "CU":
		return []string{"+", "119", "00"}
	}
	if phonenumbers.IsNANPACountry(region) {
		return []string{"+", "011", "00"}
	}
	return []string{"+", "00"}
}
