package users

import (
	"encoding/binary"
	"slices"
	"strings"
	"unique"

	"github.com/switchtape/switchtape/callmodel"
)

// Facts are what calls ask of a user, as a directory of a million keeps it: small, in
// few pieces, and read without allocating. They don't change; nil is no user.
type Facts struct {
	// What rules ask comes first, so that it is read from memory at once.
	region   string
	metadata unique.Handle[string] // keys and values, sorted by key, each behind its length; zero for none
	mode     uint8                 // place in RecordingModes plus one
	consent  uint8                 // place in Consents plus one
	forwards uint8                 // bits, by ForwardConditions
	bars     uint8                 // bits, by BarringClasses
	dnd      bool

	// Country is the country code of the user's region with its plus, "" if it isn't
	// known: numbers that begin otherwise are international.
	Country   string
	forbidden string // barred prefixes, each behind its length

	TenantID callmodel.TenantID
	ID       ID
	Version  int64
}

// FactsOf is what calls ask of the user, who is valid.
func FactsOf(u *User, country string) *Facts {
	p := &u.Preferences
	f := &Facts{TenantID: u.TenantID, ID: u.ID, Version: u.Version, Country: country, dnd: p.DoNotDisturb}
	f.region = p.Region
	f.mode = place(RecordingModes(), p.Recording)
	f.consent = place(Consents(), p.Consent)
	for _, w := range p.Forwarding {
		f.forwards |= bit(ForwardConditions(), w.When)
	}
	for _, c := range p.Barring.Classes {
		f.bars |= bit(BarringClasses(), c)
	}
	f.forbidden = packed(p.Barring.Prefixes)
	if len(u.Metadata) > 0 {
		keys := make([]string, 0, len(u.Metadata))
		for k := range u.Metadata {
			keys = append(keys, k)
		}
		slices.Sort(keys)
		pairs := make([]string, 0, 2*len(keys))
		for _, k := range keys {
			pairs = append(pairs, k, u.Metadata[k])
		}
		f.metadata = unique.Make(packed(pairs)) // many users have the same
	}
	return f
}

// place is the index of v in all plus one, 0 for none.
func place[S comparable](all []S, v S) uint8 { return uint8(slices.Index(all, v) + 1) }

func bit[S comparable](all []S, v S) uint8 {
	if i := slices.Index(all, v); i >= 0 {
		return 1 << i
	}
	return 0
}

// packed is the texts as one.
func packed(list []string) string {
	var b []byte
	for _, s := range list {
		b = append(binary.AppendUvarint(b, uint64(len(s))), s...)
	}
	return string(b)
}

// next cuts the first text off what packed made.
func next(list string) (first, rest string) {
	n := uint64(list[0])
	at := 1
	if n >= 0x80 { // no text has more than two bytes of length
		n = n&0x7f | uint64(list[1])<<7
		at = 2
	}
	return list[at : at+int(n)], list[at+int(n):]
}

// Region is the user's own region, "" if it has none.
func (f *Facts) Region() string {
	if f == nil {
		return ""
	}
	return f.region
}

// Recording is the mode, "" if the user doesn't say.
func (f *Facts) Recording() RecordingMode {
	switch {
	case f == nil:
	case f.mode == 1:
		return RecordAlways
	case f.mode == 2:
		return RecordNever
	case f.mode == 3:
		return RecordOnDemand
	}
	return ""
}

// Consent is the answer, "" if the user wasn't asked.
func (f *Facts) Consent() RecordingConsent {
	switch {
	case f == nil:
	case f.consent == 1:
		return ConsentGiven
	case f.consent == 2:
		return ConsentRefused
	}
	return ""
}

// DoNotDisturb reports whether the user takes no calls now.
func (f *Facts) DoNotDisturb() bool { return f != nil && f.dnd }

// Forwards reports whether the user has a forwarding on the condition.
func (f *Facts) Forwards(when ForwardWhen) bool {
	if f == nil {
		return false
	}
	switch when {
	case ForwardAlways:
		return f.forwards&1 != 0
	case ForwardBusy:
		return f.forwards&2 != 0
	case ForwardNoAnswer:
		return f.forwards&4 != 0
	case ForwardUnreachable:
		return f.forwards&8 != 0
	}
	return false
}

// Bars reports whether the user may not make calls of the class.
func (f *Facts) Bars(c BarringClass) bool {
	if f == nil {
		return false
	}
	switch c {
	case BarInternational:
		return f.bars&1 != 0
	case BarPremium:
		return f.bars&2 != 0
	}
	return false
}

// Barred reports whether the user may not call the number: by a prefix, or as an
// international one. Which numbers are premium the rules know.
func (f *Facts) Barred(to string) bool {
	if f == nil {
		return false
	}
	if f.bars&1 != 0 && f.Country != "" && strings.HasPrefix(to, "+") && !strings.HasPrefix(to, f.Country) {
		return true
	}
	for rest := f.forbidden; rest != ""; {
		var prefix string
		if prefix, rest = next(rest); strings.HasPrefix(to, prefix) {
			return true
		}
	}
	return false
}

// packedMetadata is the metadata as packed made it.
func (f *Facts) packedMetadata() string {
	if f.metadata == (unique.Handle[string]{}) {
		return ""
	}
	return f.metadata.Value()
}

// Metadata is the value of a key; false if there is none.
func (f *Facts) Metadata(key string) (string, bool) {
	if f == nil {
		return "", false
	}
	for rest := f.packedMetadata(); rest != ""; {
		var k, v string
		k, rest = next(rest)
		v, rest = next(rest)
		if k == key {
			return v, true
		}
	}
	return "", false
}

// AllMetadata is all of it, in a map of its own.
func (f *Facts) AllMetadata() map[string]string {
	m := map[string]string{}
	if f == nil {
		return m
	}
	for rest := f.packedMetadata(); rest != ""; {
		var k, v string
		k, rest = next(rest)
		v, rest = next(rest)
		m[k] = v
	}
	return m
}

// Records is whether a call between the users is to be recorded, by what they prefer;
// false for ok if they don't say. A user who refuses decides for both.
func Records(caller, callee *Facts) (yes, ok bool) {
	for _, f := range [2]*Facts{caller, callee} {
		if f.Recording() == RecordNever || f.Consent() == ConsentRefused {
			return false, true
		}
	}
	for _, f := range [2]*Facts{caller, callee} {
		switch f.Recording() {
		case RecordAlways:
			return true, true
		case RecordOnDemand:
			ok = true
		case RecordNever:
		}
	}
	return false, ok
}
