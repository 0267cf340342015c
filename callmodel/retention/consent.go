package retention

import (
	"slices"

	"github.com/switchtape/switchtape/callmodel"
)

// Consent is what the parties of a call said when they were asked whether it may be recorded.
type Consent string

// The answers; "" is ConsentUnknown.
const (
	ConsentGiven   Consent = "given"
	ConsentDenied  Consent = "denied"  // by a party at least: nothing of it is kept
	ConsentUnknown Consent = "unknown" // nobody was asked, or nobody told
)

// Consents lists every answer.
func Consents() []Consent { return []Consent{ConsentGiven, ConsentDenied, ConsentUnknown} }

// CheckConsent adds the fault of an answer that is given and is none.
func CheckConsent(e *callmodel.FieldErrors, path string, c Consent) {
	if c != "" && !slices.Contains(Consents(), c) {
		e.Add(path, "is not one of given, denied, unknown")
	}
}
