// Package pbx is the vocabulary of telephone servers: of what writes the legs of a call.
package pbx

import (
	"strings"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/internal/text"
)

// MaxSoftware bounds the name and the version of a telephone server's software, in bytes.
const MaxSoftware = 64

// ValidateSoftware reports, as [callmodel.FieldErrors] of the field, why the text can't be
// the name and the version of a telephone server's software: at most MaxSoftware bytes of
// printable ASCII, without a space at its ends. "" is none.
func ValidateSoftware(field, software string) error {
	var e callmodel.FieldErrors
	odd := func(r rune) bool { return r < ' ' || r > '~' }
	if len(software) > MaxSoftware || strings.ContainsFunc(software, odd) || strings.TrimSpace(software) != software {
		e.Add(field, `%q is not a name and a version in at most %d printable ASCII characters, like "Asterisk 20.9.1"`, text.Clip(software), MaxSoftware)
	}
	return e.Err()
}
