package routing

import (
	"fmt"
	"slices"
	"strings"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/e164"
)

// Match is what a rule asks of a call. Every condition that is given must
// hold; a list holds if any of its values does.
type Match struct {
	To        NumberMatch           `json:"to,omitzero"`
	From      NumberMatch           `json:"from,omitzero"`
	Tenant    []callmodel.TenantID  `json:"tenant,omitempty"`
	Type      []callmodel.CallType  `json:"type,omitempty"`
	Direction []callmodel.Direction `json:"direction,omitempty"`
	// CallPriority bounds the call's own priority (0 to 9), both ends included.
	CallPriority *PriorityRange `json:"call_priority,omitempty"`
	When         *Windows       `json:"when,omitempty"`
}

// NumberMatch is a condition on a number. Prefixes and numbers start with a
// plus for E.164 ("+1212"); without one they match short codes as dialled.
type NumberMatch struct {
	Prefix []string `json:"prefix,omitempty"`
	Exact  []string `json:"exact,omitempty"`
}

// IsZero reports that the condition is not given.
func (m NumberMatch) IsZero() bool { return len(m.Prefix) == 0 && len(m.Exact) == 0 }

// PriorityRange bounds a call's priority.
type PriorityRange struct {
	Min int `json:"min"`
	Max int `json:"max"`
}

// Windows is when a rule holds.
type Windows struct {
	// TimeZone is an IANA name: "Europe/Berlin". Daylight saving is its own.
	TimeZone string `json:"timezone"`
	// Weekly lists times of the week: "mon-fri 08:00-18:00", "sat,sun 10:00-14:00",
	// "fri 22:00-02:00" (into the next day). The end is not included.
	Weekly []string `json:"weekly"`
}

func (v *validation) numbers(p string, m NumberMatch) {
	for i, s := range m.Prefix {
		if why := badPrefix(s); why != "" {
			v.fault(fmt.Sprintf("%s.prefix[%d]", p, i), "%q %s", s, why)
		}
	}
	for i, s := range m.Exact {
		if !e164.Valid(s) && !e164.Short(s) {
			v.fault(fmt.Sprintf("%s.exact[%d]", p, i), "%q is neither E.164 with a plus nor a short code", s)
		}
	}
}

func badPrefix(s string) string {
	digits := strings.TrimPrefix(s, "+")
	switch {
	case s == "":
		return "is empty; a rule for every callee says default: true instead"
	case s == "+":
		return ""
	case !e164.Digits(digits):
		return "must be digits, with a leading plus for international numbers"
	case s[0] == '+' && digits[0] == '0':
		return "starts with +0, which no country code does"
	case s[0] == '+' && len(digits) > e164.MaxDigits:
		return "is longer than any number"
	case s[0] != '+' && len(digits) > e164.MaxShortDigits:
		return "has no plus, and is too long for a short code; write international prefixes with a plus"
	}
	return ""
}

func (v *validation) conditions(p string, m *Match) {
	for i, t := range m.Tenant {
		if !callmodel.ValidID(string(t)) {
			v.fault(fmt.Sprintf("%s.tenant[%d]", p, i), "%q is not a tenant id", t)
		}
	}
	for i, t := range m.Type {
		if !slices.Contains(callmodel.CallTypes(), t) {
			v.fault(fmt.Sprintf("%s.type[%d]", p, i), "%q is not one of voice, video, fax, emergency", t)
		}
	}
	for i, d := range m.Direction {
		if directionBit(d) == 0 {
			v.fault(fmt.Sprintf("%s.direction[%d]", p, i), "%q is not one of inbound, outbound, internal", d)
		}
	}
	if c := m.CallPriority; c != nil {
		if c.Min < callmodel.MinPriority || c.Max > callmodel.MaxPriority || c.Min > c.Max {
			v.fault(p+".call_priority", "must be min ≤ max within %d to %d, is %d to %d",
				callmodel.MinPriority, callmodel.MaxPriority, c.Min, c.Max)
		}
	}
	if m.When != nil {
		v.windows(p+".when", m.When)
	}
}

func (v *validation) windows(p string, w *Windows) {
	if _, err := loadZone(w.TimeZone); err != nil {
		v.fault(p+".timezone", "%s", err)
	}
	if len(w.Weekly) == 0 {
		v.fault(p+".weekly", "is empty; give times like \"mon-fri 08:00-18:00\", or leave match.when out")
	}
	for i, s := range w.Weekly {
		var week weekBits
		if err := week.add(s); err != nil {
			v.fault(fmt.Sprintf("%s.weekly[%d]", p, i), "%s", err)
		}
	}
}

func (m *NumberMatch) holds(number string) bool {
	for _, p := range m.Prefix {
		if strings.HasPrefix(number, p) {
			return true
		}
	}
	return slices.Contains(m.Exact, number)
}

func typeBit(t callmodel.CallType) uint8 {
	switch t {
	case callmodel.TypeVoice:
		return 1
	case callmodel.TypeVideo:
		return 2
	case callmodel.TypeFax:
		return 4
	case callmodel.TypeEmergency:
		return 8
	}
	return 0
}

func directionBit(d callmodel.Direction) uint8 {
	switch d {
	case callmodel.Inbound:
		return 1
	case callmodel.Outbound:
		return 2
	case callmodel.Internal:
		return 4
	}
	return 0
}

// loss is the first condition of a rule that doesn't hold.
type loss uint8

const (
	lostNothing loss = iota
	lostTo
	lostType
	lostDirection
	lostCallPriority
	lostTenant
	lostFrom
	lostWindow
)

// lost checks the conditions of a rule whose callee prefix holds, cheapest first.
func (r *Router) lost(x *rule, req *callmodel.CallRequest) loss {
	switch {
	case x.exact && len(req.To) != len(x.to):
		return lostTo
	case x.types != 0 && x.types&typeBit(req.Type) == 0:
		return lostType
	case x.dirs != 0 && x.dirs&directionBit(req.Direction) == 0:
		return lostDirection
	case req.Priority < int(x.prioMin) || req.Priority > int(x.prioMax):
		return lostCallPriority
	case len(x.tenants) > 0 && !containsTenant(x.tenants, req.TenantID):
		return lostTenant
	case x.from != nil && !x.from.holds(req.From):
		return lostFrom
	case x.window >= 0 && !r.windows[x.window].contains(req.At):
		return lostWindow
	}
	return lostNothing
}

func containsTenant(list []callmodel.TenantID, t callmodel.TenantID) bool {
	return slices.Contains(list, t)
}
