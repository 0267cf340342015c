package routing

import (
	"fmt"
	"strings"

	"github.com/switchtape/switchtape/callmodel"
)

// MaxListEntries bounds one number list of a rule set.
const MaxListEntries = 10_000_000

// listEntry reads an entry of a number list: "+1212*" is a prefix, "+12125550100"
// a number.
func listEntry(s string) (number string, prefix bool) { return strings.CutSuffix(s, "*") }

func (v *validation) list(name string, entries []string) {
	p := "lists." + name
	if !callmodel.ValidID(name) {
		v.fault(p, "the name must be 1 to 128 letters, digits, '.', '_' or '-', the first a letter or digit, without \"..\"")
	}
	if len(entries) == 0 || len(entries) > MaxListEntries {
		v.fault(p, "must have 1 to %d entries, has %d", MaxListEntries, len(entries))
	}
	for i, s := range entries {
		number, prefix := listEntry(s)
		switch {
		case prefix:
			if why := badPrefix(number); why != "" {
				v.fault(fmt.Sprintf("%s[%d]", p, i), "%q %s", s, why)
			}
		case !validNumber(s):
			v.fault(fmt.Sprintf("%s[%d]", p, i), "%q is neither E.164 with a plus, nor a short code, nor a prefix with a trailing star", s)
		}
	}
}
