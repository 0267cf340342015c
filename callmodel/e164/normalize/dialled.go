package normalize

import (
	"net/url"
	"strings"
	"unicode"
)

// dialled is what a string says that names a telephone number.
type dialled struct {
	number   string // the number with its separators, or a service URN in lower case
	context  string // the phone-context of a tel URI, if it is a number's beginning
	postDial string
	params   string
}

// maxDialled bounds what is looked at, in bytes.
const maxDialled = 4096

// read takes the number out of a tel: or sip: URI (RFC 3966, RFC 3261 section
// 19.1), which may stand in angle brackets behind a name, and parts it from what
// is not the number: digits to send after the answer, and parameters.
func read(raw string) dialled {
	s := strings.TrimSpace(fold(raw[:min(len(raw), maxDialled)]))
	if _, rest, ok := strings.Cut(s, "<"); ok {
		s, _, _ = strings.Cut(rest, ">")
		s = strings.TrimSpace(s)
	}
	scheme, rest, _ := strings.Cut(s, ":")
	switch strings.ToLower(scheme) {
	case "urn":
		return dialled{number: strings.ToLower(s)}
	case "sip", "sips":
		user, _, hasHost := strings.Cut(rest, "@")
		if !hasHost {
			user, _, _ = strings.Cut(user, "?")
		}
		s, rest, _ = strings.Cut(user, ";")
		s, _, _ = strings.Cut(s, ":") // a password, or the port where there is no user
		s, rest = unescaped(s), ";"+rest
	case "tel":
		s, rest, _ = strings.Cut(rest, ";")
		s, rest = unescaped(s), ";"+rest
	default:
		rest = ""
		if i := strings.IndexByte(s, ';'); i >= 0 && !tones(s[i:]) {
			s, rest = s[:i], s[i:]
		}
	}
	d := dialled{}
	s, d.postDial = cutPostDial(strings.TrimSpace(s))
	d.number = strings.TrimSpace(s)
	d.readParams(rest)
	return d
}

// unescaped decodes "%2B49", as URIs may write any character.
func unescaped(s string) string {
	if plain, err := url.PathUnescape(s); err == nil {
		return fold(plain)
	}
	return s
}

// readParams sorts the parameters of a tel URI, which a sip URI may have in its
// user part: RFC 3966 section 3, RFC 4694 (number portability).
func (d *dialled) readParams(s string) {
	var kept strings.Builder
	for p := range strings.SplitSeq(s, ";") {
		p = strings.TrimSpace(p)
		name, value, _ := strings.Cut(p, "=")
		switch strings.ToLower(name) {
		case "phone-context":
			if digits := strip(value); strings.HasPrefix(digits, "+") {
				d.context = digits
			}
		case "postd":
			d.postDial += value
		case "ext", "isub", "npdi", "rn", "rn-context", "cic", "cic-context":
			kept.WriteString(";" + p)
		}
	}
	d.params = kept.String()
}

// cutPostDial parts a number from the digits to send after the answer. They begin
// with a pause or a wait: "+4930123456p9", "+4930123456,,1#".
func cutPostDial(s string) (number, postDial string) {
	for i := range len(s) {
		if i > 0 && pause(s[i]) && tones(s[i:]) {
			return s[:i], strings.ReplaceAll(s[i:], " ", "")
		}
	}
	return s, ""
}

func pause(c byte) bool { return strings.IndexByte("pPwW,;", c) >= 0 }

// tones reports whether s is pauses and the digits of DTMF, and nothing else.
func tones(s string) bool { return strings.Trim(s, "0123456789*#ABCDpPwW,; -.") == "" }

// fold writes s in ASCII as far as it stands for something there: the digits of
// every script, full-width signs, spaces and dashes. Characters that are not seen,
// like marks of direction and of byte order, are left out.
func fold(s string) string {
	plain := true
	for i := range len(s) {
		plain = plain && s[i] >= ' ' && s[i] < 0x7f
	}
	if plain {
		return s
	}
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 0xff01 && r <= 0xff5e: // full-width forms of ASCII
			return r - 0xff01 + '!'
		case r < 0x80 && r >= ' ' && r != 0x7f:
			return r
		case unicode.IsSpace(r), unicode.Is(unicode.Zs, r):
			return ' '
		case unicode.Is(unicode.Pd, r), r == '\u2212':
			return '-'
		case unicode.IsControl(r), unicode.Is(unicode.Cf, r):
			return -1
		}
		return digit(r)
	}, s)
}

// digit is the ASCII digit that r stands for, else r. The digits of a script
// follow each other from its 0 on (Unicode section 4.6).
func digit(r rune) rune {
	for _, x := range unicode.Nd.R16 {
		if r >= rune(x.Lo) && r <= rune(x.Hi) {
			return '0' + (r-rune(x.Lo))%10
		}
	}
	for _, x := range unicode.Nd.R32 {
		if r >= rune(x.Lo) && r <= rune(x.Hi) {
			return '0' + (r-rune(x.Lo))%10
		}
	}
	return r
}

// strip removes the punctuation that people group digits with, and a zero in
// brackets behind a country code, which is not dialled from abroad: "+44 (0)20".
func strip(s string) string {
	if strings.HasPrefix(s, "+") {
		s = strings.Replace(s, "(0)", "", 1)
	}
	return strings.Map(func(r rune) rune {
		switch r {
		case ' ', '-', '.', '(', ')', '/':
			return -1
		}
		return r
	}, s)
}
