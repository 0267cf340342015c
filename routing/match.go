package routing

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/callmodel/e164"
	"github.com/switchtape/switchtape/routing/calendar"
	"github.com/switchtape/switchtape/routing/internal/predicate"
	"github.com/switchtape/switchtape/routing/internal/text"
)

// Match is what a rule asks of a call. Every condition that is given must hold. A
// list holds if any of its values does.
type Match struct {
	To        NumberMatch          `json:"to,omitzero"`
	From      NumberMatch          `json:"from,omitzero" unsaid:""`
	Tenant    []callmodel.TenantID `json:"tenant,omitempty" unsaid:""`
	Type      []calls.Type         `json:"type,omitempty" unsaid:""`
	Direction []calls.Direction    `json:"direction,omitempty" unsaid:""`
	// CallPriority bounds the call's own priority (0 to 9), both ends included.
	CallPriority *PriorityRange    `json:"call_priority,omitempty" unsaid:""`
	When         *calendar.Windows `json:"when,omitempty" unsaid:""`
	// Trunk lists the ids of the trunks by which the call may have come in.
	Trunk []string `json:"trunk,omitempty" unsaid:""`
	// Metadata gives the values that the call's metadata may have, by key:
	// {plan: [gold, platinum]}. Every key must have one of its values.
	Metadata        map[string][]string `json:"metadata,omitempty" unsaid:""`
	MetadataPresent []string            `json:"metadata_present,omitempty" unsaid:""` // every key must be there
	MetadataAbsent  []string            `json:"metadata_absent,omitempty" unsaid:""`  // no key may be there
	// CapabilitiesAny and CapabilitiesAll list codecs and other tags. The call must
	// offer one of the first and all of the second.
	CapabilitiesAny []string `json:"capabilities_any,omitempty" unsaid:""`
	CapabilitiesAll []string `json:"capabilities_all,omitempty" unsaid:""`
	// ValidFrom and ValidUntil are instants of RFC 3339; the end is not included.
	ValidFrom  string `json:"valid_from,omitempty" unsaid:""`
	ValidUntil string `json:"valid_until,omitempty" unsaid:""`
	// User and Callee are conditions on the users that call and are called.
	User   *UserMatch `json:"user,omitempty" unsaid:""`
	Callee *UserMatch `json:"callee,omitempty" unsaid:""`
	// Not holds conditions of which none may hold.
	Not *Exclusions `json:"not,omitempty" unsaid:""`
	// Expr is a predicate over the call: see the package comment.
	Expr string `json:"expr,omitempty" unsaid:""`
}

// NumberMatch is a condition on a number. Prefixes and numbers with a plus are E.164
// ("+1212"); without one they match short codes as dialled, and codes that begin with
// a star or a hash ("*21"). Its fields are
// alternatives: one of them must hold.
type NumberMatch struct {
	Prefix []string `json:"prefix,omitempty" unsaid:""`
	// Exact lists whole numbers; for callers "anonymous" is one who withholds theirs.
	Exact []string `json:"exact,omitempty" unsaid:""`
	// List names lists of the rule set. A rule matches and ranks by their entries
	// as if they were written here.
	List []string `json:"list,omitempty" unsaid:""`
	// Service names classes of callees: "emergency" is every emergency call, whatever
	// its number, and ranks above every number. It is for callees only.
	Service []string `json:"service,omitempty" unsaid:""`
}

// ServiceEmergency is the service class of emergency calls: those with the flag and
// those of the type.
const ServiceEmergency = "emergency"

// IsZero reports whether the condition is not given.
func (m NumberMatch) IsZero() bool {
	return len(m.Prefix) == 0 && len(m.Exact) == 0 && len(m.List) == 0 && len(m.Service) == 0
}

// anonymous reports whether callers who withhold their number are named.
func (m *NumberMatch) anonymous() bool { return slices.Contains(m.Exact, calls.AnonymousCaller) }

// PriorityRange bounds a call's priority.
type PriorityRange struct {
	Min int `json:"min"`
	Max int `json:"max"`
}

// Limits of a rule's conditions.
const (
	MaxMatchValues = 10_000 // in one list of a rule, prefixes and numbers apart
	MaxExprBytes   = predicate.MaxBytes
)

func (v *validation) checkNumbers(p string, m *NumberMatch) {
	for i, s := range m.Prefix {
		if why := badPrefix(s); why != "" {
			v.fault(fmt.Sprintf("%s.prefix[%d]", p, i), "%q %s", s, why)
		} else if strings.HasSuffix(p, ".from") && e164.BeginsCode(s) {
			v.fault(fmt.Sprintf("%s.prefix[%d]", p, i), "%q is a code, which calls nobody", s)
		}
	}
	for i, s := range m.Exact {
		if s == calls.AnonymousCaller && strings.HasSuffix(p, ".from") {
			continue
		}
		if !validNumber(s) {
			v.fault(fmt.Sprintf("%s.exact[%d]", p, i), "%q is neither E.164 with a plus nor a short code", s)
		} else if strings.HasSuffix(p, ".from") && e164.BeginsCode(s) {
			v.fault(fmt.Sprintf("%s.exact[%d]", p, i), "%q is a code, which calls nobody", s)
		}
	}
	for i, name := range m.List {
		if _, ok := v.rs.Lists[name]; !ok {
			v.fault(fmt.Sprintf("%s.list[%d]", p, i), "no list %q is defined; add it to lists at the top", name)
		} else if strings.HasSuffix(p, ".from") && onlyCodes(v.rs.Lists[name]) {
			v.fault(fmt.Sprintf("%s.list[%d]", p, i), "list %q holds nothing but codes, which call nobody", name)
		}
	}
	for i, s := range m.Service {
		switch at := fmt.Sprintf("%s.service[%d]", p, i); {
		case p != "match.to":
			v.fault(at, "only callees have a service class")
		case s != ServiceEmergency:
			v.fault(at, "%q is not a service class; the one there is is emergency", s)
		}
	}
}

// onlyCodes reports whether all entries of a list are codes with stars or hashes.
func onlyCodes(list []string) bool {
	return len(list) > 0 && !slices.ContainsFunc(list, func(s string) bool {
		number, _ := listEntry(s)
		return !e164.BeginsCode(number)
	})
}

func validNumber(s string) bool {
	return e164.Valid(s) || e164.Short(s) || e164.Code(s) && len(s) <= e164.MaxCodeSymbols
}

// badPrefix says what is wrong with a prefix, "" for nothing.
func badPrefix(s string) string {
	digits := strings.TrimPrefix(s, "+")
	switch {
	case e164.BeginsCode(s) && len(s) <= e164.MaxCodeSymbols:
		return ""
	case e164.BeginsCode(s):
		return fmt.Sprintf("is longer than the %d symbols that a rule can name of a code", e164.MaxCodeSymbols)
	case s == "":
		return "is empty; a rule for every callee says default: true instead"
	case s == "+":
		return ""
	case !e164.Digits(digits):
		return "must be digits, with a leading plus for international numbers, or a code that begins with a star or a hash"
	case s[0] == '+' && digits[0] == '0':
		return "starts with +0, which no country code does"
	case s[0] == '+' && len(digits) > e164.MaxDigits:
		return "is longer than any number"
	case s[0] != '+' && len(digits) > e164.MaxShortDigits:
		return "has no plus, and is too long for a short code; write international prefixes with a plus"
	}
	return ""
}

func (v *validation) checkConditions(m *Match) {
	for i, t := range m.Tenant {
		if !callmodel.ValidID(string(t)) {
			v.fault(fmt.Sprintf("match.tenant[%d]", i), "%q is not a tenant id", t)
		}
	}
	for i, t := range m.Type {
		if typeBit(t) == 0 {
			v.fault(fmt.Sprintf("match.type[%d]", i), "%q is not one of voice, video, fax, emergency", t)
		}
	}
	for i, d := range m.Direction {
		if directionBit(d) == 0 {
			v.fault(fmt.Sprintf("match.direction[%d]", i), "%q is not one of inbound, outbound, internal", d)
		}
	}
	if c := m.CallPriority; c != nil {
		if c.Min < calls.MinPriority || c.Max > calls.MaxPriority || c.Min > c.Max {
			v.fault("match.call_priority", "must be min ≤ max within %d to %d, is %d to %d",
				calls.MinPriority, calls.MaxPriority, c.Min, c.Max)
		}
	}
	v.checkIDs("match.trunk", "a trunk id", m.Trunk)
	v.checkIDs("match.capabilities_any", "a tag", m.CapabilitiesAny)
	v.checkIDs("match.capabilities_all", "a tag", m.CapabilitiesAll)
	if len(m.CapabilitiesAll) > calls.MaxCapabilities {
		v.fault("match.capabilities_all", "asks for %d tags, a call has at most %d", len(m.CapabilitiesAll), calls.MaxCapabilities)
	}
	v.checkMetadata(m)
	v.checkUser("match.user", m.User)
	v.checkUser("match.callee", m.Callee)
	v.checkValidity(m)
	if m.When != nil {
		v.checkWindows(m.When)
	}
	v.checkExclusions(m.Not)
	if m.Expr != "" {
		if _, err := v.predicates.Get(m.Expr); err != nil {
			v.fault("match.expr", "%s", err)
		}
	}
}

// when checks each different window once.
func (v *validation) checkWindows(w *calendar.Windows) {
	v.buf = w.AppendKey(v.buf[:0])
	if v.windows[string(v.buf)] {
		return
	}
	key, before := string(v.buf), len(v.errs)
	v.checkWindowsAt("match.when.", w)
	v.windows[key] = len(v.errs) == before && before < maxFaults
}

// checkWindowsAt checks times, or the name of the calendar that has them.
func (v *validation) checkWindowsAt(p string, w *calendar.Windows) {
	if w.Calendar == "" {
		v.calendar.Check(w, func(path, message string) { v.fault(p+path, "%s", message) })
		return
	}
	if _, ok := v.rs.Calendars[w.Calendar]; !ok {
		v.fault(p+"calendar", "no calendar %q is defined; add it to calendars at the top", w.Calendar)
	}
	if w.TimeZone != "" || len(w.Weekly)+len(w.RRule)+len(w.Except)+len(w.Also) > 0 {
		v.fault(p+"calendar", "has the times of the calendar; leave the others out")
	}
}

func (v *validation) checkIDs(p, what string, list []string) {
	if len(list) > MaxMatchValues {
		v.fault(p, "has %d values, at most %d are allowed", len(list), MaxMatchValues)
	}
	for i, s := range list {
		if !callmodel.ValidID(s) {
			v.fault(fmt.Sprintf("%s[%d]", p, i), "%q is not %s: 1 to 128 letters, digits, '.', '_' or '-', the first a letter or "+
				"digit, without \"..\"", s, what)
		}
	}
}

func (v *validation) checkMetadata(m *Match) {
	if len(m.Metadata) == 0 && len(m.MetadataPresent) == 0 && len(m.MetadataAbsent) == 0 {
		return
	}
	key := func(p, k string) {
		if k == "" || len(k) > calls.MaxMetadataKey {
			v.fault(p, "the key %q must be 1 to %d bytes", text.Clip(k), calls.MaxMetadataKey)
		}
	}
	for _, k := range sortedKeys(m.Metadata) {
		p := "match.metadata." + k
		key(p, k)
		if len(m.Metadata[k]) == 0 || len(m.Metadata[k]) > MaxMatchValues {
			v.fault(p, "must have 1 to %d values, has %d; metadata_present asks for a key with any value", MaxMatchValues, len(m.Metadata[k]))
		}
		for i, s := range m.Metadata[k] {
			if len(s) > calls.MaxMetadataValue {
				v.fault(fmt.Sprintf("%s[%d]", p, i), "is longer than %d bytes, so no call has it", calls.MaxMetadataValue)
			}
		}
	}
	for i, k := range m.MetadataPresent {
		key(fmt.Sprintf("match.metadata_present[%d]", i), k)
	}
	for i, k := range m.MetadataAbsent {
		p := fmt.Sprintf("match.metadata_absent[%d]", i)
		key(p, k)
		if _, asked := m.Metadata[k]; asked || slices.Contains(m.MetadataPresent, k) {
			v.fault(p, "%q must be there by another condition of this rule, so it would never match", k)
		}
	}
	if n := len(m.Metadata) + len(m.MetadataPresent); n > 2*calls.MaxMetadata {
		v.fault("match.metadata", "asks for %d keys, a call has at most %d", n, calls.MaxMetadata)
	}
}

func (v *validation) checkValidity(m *Match) {
	from, fromErr := instant(m.ValidFrom)
	if fromErr != nil {
		v.fault("match.valid_from", "%s", fromErr)
	}
	until, untilErr := instant(m.ValidUntil)
	if untilErr != nil {
		v.fault("match.valid_until", "%s", untilErr)
	}
	if m.ValidFrom != "" && m.ValidUntil != "" && fromErr == nil && untilErr == nil && !from.Before(until) {
		v.fault("match.valid_until", "must be after valid_from, or the rule never holds")
	}
}

// instant reads a time of RFC 3339. "" is the zero time.
func instant(s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return t, fmt.Errorf("%q is not an instant like 2026-01-31T15:04:05Z or 2026-01-31T16:04:05+01:00", text.Clip(s))
	}
	return t, nil
}

// typeBit returns the bit of a type in kind.types, 0 for an unknown type.
func typeBit(t calls.Type) uint8 {
	switch t {
	case calls.TypeVoice:
		return 1
	case calls.TypeVideo:
		return 2
	case calls.TypeFax:
		return 4
	case calls.TypeEmergency:
		return 8
	}
	return 0
}

// directionBit returns the bit of a direction in kind.dirs, 0 for an unknown one.
func directionBit(d calls.Direction) uint8 {
	switch d {
	case calls.Inbound:
		return 1
	case calls.Outbound:
		return 2
	case calls.Internal:
		return 4
	}
	return 0
}
