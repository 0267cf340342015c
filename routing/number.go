package routing

import (
	"strings"

	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/callmodel/e164"
)

const maxRewritten = 32 // symbols of a number that is written in a rule set

// checkNumberForm checks how a number is rewritten.
func (v *validation) checkNumberForm(p string, strip int, prepend string, stripPlus bool) {
	if stripPlus && (strip != 0 || prepend != "") {
		v.fault(p+".strip_plus", "says nothing beside strip or prepend, which take the plus away already; leave it out")
	}
	if strip < 0 || strip > e164.MaxDigits {
		v.fault(p+".strip", "must be 0 to %d digits, is %d", e164.MaxDigits, strip)
	}
	if !dialable(prepend) || len(prepend) > 16 {
		v.fault(p+".prepend", "%q must be at most 16 of the digits, '*' and '#', with an optional leading '+'", prepend)
	}
}

func (v *validation) checkWholeNumber(p, number string) {
	if !Dialable(number) {
		v.fault(p, "%q must be 1 to %d of the digits, '*' and '#', with an optional leading '+'", number, maxRewritten)
	}
}

// Dialable reports whether a number can be sent to a destination as it is: 1 to
// 32 of the digits, '*' and '#', with an optional leading '+'.
func Dialable(number string) bool {
	return number != "" && number != "+" && len(number) <= maxRewritten && dialable(number)
}

func dialable(s string) bool {
	return strings.Trim(strings.TrimPrefix(s, "+"), "0123456789*#") == ""
}

// numberForm is how a destination wants a number.
type numberForm struct {
	strip     int
	prepend   string
	stripPlus bool // of a number that is not rewritten
	replace   string
}

// of returns the number in that form. It allocates only if the result is no part of
// the number: a "+" that is put back where it stood costs nothing.
func (f *numberForm) of(number string) string {
	if f.replace != "" {
		return f.replace
	}
	if f.strip == 0 && f.prepend == "" {
		if f.stripPlus && strings.HasPrefix(number, "+") && e164.Digits(number[1:]) {
			return number[1:]
		}
		return number
	}
	digits := strings.TrimPrefix(number, "+")
	if !e164.Digits(digits) {
		return number // a URN or a name has no digits to rewrite
	}
	kept := len(digits) - min(f.strip, len(digits))
	if start := len(number) - kept - len(f.prepend); start >= 0 && number[start:start+len(f.prepend)] == f.prepend {
		return number[start:]
	}
	return f.prepend + number[len(number)-kept:]
}

// calleeForm is how a destination wants the callee's number. An emergency number
// is sent as it was dialled, unless the destination says that it rewrites them.
type calleeForm struct {
	numberForm

	emergency bool
}

// of returns the number to send for the call. Without a rewriting nothing is asked.
func (f *calleeForm) of(req *calls.Request) string {
	if f.numberForm == (numberForm{}) || !f.emergency && (emergencyCall(req) || e164.Emergency("", req.To)) {
		return req.To
	}
	return f.numberForm.of(req.To)
}

// callerForm is what a destination learns of the caller.
type callerForm struct {
	policy CallerPolicy
	form   numberForm
	pool   []string
}

// of returns the number to give as the caller's, and whether it may be shown.
func (f *callerForm) of(req *calls.Request, draw uint64) (string, calls.Privacy) {
	privacy := calls.PrivacyNone
	if req.From == calls.AnonymousCaller {
		privacy = calls.PrivacyID
	}
	switch {
	case f.policy == CallerReplace:
		return f.pool[mix(draw^poolSalt)%uint64(len(f.pool))], privacy
	case f.policy == CallerWithhold && !emergencyCall(req):
		return calls.AnonymousCaller, calls.PrivacyID
	}
	if req.FromAsGiven {
		return req.From, privacy
	}
	return f.form.of(req.From), privacy
}
