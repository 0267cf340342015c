package callmodel

import (
	"strings"

	"github.com/switchtape/switchtape/callmodel/internal/text"
)

// MaxHostSoftware bounds the name and the version of a telephone server's software, in bytes.
const MaxHostSoftware = 64

// ValidateHostSoftware reports, as [FieldErrors], why the text can't be
// the name and the version of a telephone server's software: at most MaxHostSoftware bytes of
// printable ASCII, without a space at its ends. "" is none.
func ValidateHostSoftware(software string) error {
	var e FieldErrors
	odd := func(r rune) bool { return r < ' ' || r > '~' }
	if len(software) > MaxHostSoftware || strings.ContainsFunc(software, odd) || strings.TrimSpace(software) != software {
		e.Add("host_software", `%q is not a name and a version in at most %d printable ASCII characters, like "Asterisk 20.9.1"`, text.Clip(software), MaxHostSoftware)
	}
	return e.Err()
}
