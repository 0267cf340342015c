// Package text holds what the messages of the vocabulary share.
package text

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Plain reports whether s is UTF-8 without control characters, and without those that change
// the direction of what stands around them (Unicode Standard Annex #9, section 2), by which
// a line of a log or a list would read as another.
func Plain(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool {
		return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == '\u2028' || r == '\u2029'
	})
}

// Clip keeps hostile input out of messages and logs at full length: of a string
// of more than 64 bytes the first 64, and an ellipsis.
func Clip(s string) string {
	const most = 64
	if len(s) <= most {
		return s
	}
	return s[:most] + "…"
}
