package routing

import (
	"fmt"

	"github.com/switchtape/switchtape/callmodel"
)

// MaxTenantNumbers bounds the entries of RuleSet.TenantNumbers together.
const MaxTenantNumbers = 1_000_000

// checkTenantNumbers checks whose numbers are whose. No number is two tenants'.
func (v *validation) checkTenantNumbers(of map[string][]string) {
	owner, count := map[string]string{}, 0
	for _, t := range sortedKeys(of) {
		p := "tenant_numbers." + t
		if !callmodel.ValidID(t) {
			v.fault(p, "the tenant's id must be 1 to 128 letters, digits, '.', '_' or '-', the first a letter or digit, without \"..\"")
		}
		if count += len(of[t]); len(of[t]) == 0 {
			v.fault(p, "is empty; give numbers, or leave the tenant out")
		}
		for i, s := range of[t] {
			at := fmt.Sprintf("%s[%d]", p, i)
			if number, prefix := listEntry(s); prefix {
				if why := badPrefix(number); why != "" {
					v.fault(at, "%q %s", s, why)
				}
			} else if !validNumber(s) {
				v.fault(at, "%q is neither E.164 with a plus, nor a short code, nor a prefix with a trailing star", s)
			}
			if first, ok := owner[s]; ok {
				v.fault(at, "%q is tenant %s's already", s, first)
				continue
			}
			owner[s] = t
		}
	}
	if count > MaxTenantNumbers {
		v.fault("tenant_numbers", "has %d entries, at most %d are taken", count, MaxTenantNumbers)
	}
}

// owners are the tenants of numbers.
type owners struct {
	numbers, prefixes map[string]callmodel.TenantID
	longest           int // bytes of a prefix
}

func newOwners(of map[string][]string) owners {
	o := owners{numbers: map[string]callmodel.TenantID{}, prefixes: map[string]callmodel.TenantID{}}
	for t, list := range of {
		for _, s := range list {
			if number, prefix := listEntry(s); prefix {
				o.prefixes[number] = callmodel.TenantID(t)
				o.longest = max(o.longest, len(number))
			} else {
				o.numbers[s] = callmodel.TenantID(t)
			}
		}
	}
	return o
}

// TenantOf is the tenant whose number it is by the set's TenantNumbers: that of the whole
// number, or else of its longest prefix; "" if it is nobody's. It allocates nothing.
func (r *Router) TenantOf(number string) callmodel.TenantID {
	if t, ok := r.owners.numbers[number]; ok {
		return t
	}
	for n := min(len(number), r.owners.longest); n > 0; n-- {
		if t, ok := r.owners.prefixes[number[:n]]; ok {
			return t
		}
	}
	return ""
}
