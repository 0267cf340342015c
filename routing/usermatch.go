package routing

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/callmodel/users"
	"github.com/switchtape/switchtape/routing/internal/text"
)

// UserMatch is a condition on the user of one party of a call: see package users. Every
// condition but exists: false asks for a user that is there, and every one that is given
// must hold. No rule with such a condition takes emergency calls.
type UserMatch struct {
	Exists    *bool                    `json:"exists,omitempty"`
	ID        []users.ID               `json:"id,omitempty" unsaid:""`
	Region    []string                 `json:"region,omitempty" unsaid:""`
	Recording []users.RecordingMode    `json:"recording,omitempty" unsaid:""`
	Consent   []users.RecordingConsent `json:"consent,omitempty" unsaid:""`
	DND       *bool                    `json:"dnd,omitempty"` // do not disturb
	// Barred says whether the user may not call the number that the call is to, by its
	// prefixes or as an international one.
	Barred *bool `json:"barred,omitempty"`
	// Barring lists classes of calls of which the user may not make one, whatever this
	// call is: which numbers are premium the rule says by match.to.
	Barring []users.BarringClass `json:"barring,omitempty" unsaid:""`
	// Forwarding lists conditions of which the user has a forwarding on one.
	Forwarding []users.ForwardWhen `json:"forwarding,omitempty" unsaid:""`
	// Metadata gives the values that the user's metadata may have, by key.
	Metadata map[string][]string `json:"metadata,omitempty" unsaid:""`
}

// isZero reports whether the condition asks for nothing.
func (m *UserMatch) isZero() bool {
	return m.Exists == nil && m.DND == nil && m.Barred == nil && len(m.ID) == 0 && len(m.Region) == 0 && len(m.Recording) == 0 &&
		len(m.Consent) == 0 && len(m.Barring) == 0 && len(m.Forwarding) == 0 && len(m.Metadata) == 0
}

// asksMore reports whether it asks for more than whether there is a user.
func (m *UserMatch) asksMore() bool {
	rest := *m
	rest.Exists = nil
	return !rest.isZero()
}

func (v *validation) checkUser(p string, m *UserMatch) {
	switch {
	case m == nil:
		return
	case m.isZero():
		v.fault(p, "asks for nothing; give exists: true for any user, or leave it out")
	case m.Exists != nil && !*m.Exists && m.asksMore():
		v.fault(p+".exists", "is false, and other conditions ask for a user that is there, so it would never hold")
	}
	for i, id := range m.ID {
		if !callmodel.ValidID(string(id)) {
			v.fault(fmt.Sprintf("%s.id[%d]", p, i), "%q is not a user's id", text.Clip(string(id)))
		}
	}
	for i, s := range m.Region {
		if len(s) != 2 || s[0] < 'A' || s[0] > 'Z' || s[1] < 'A' || s[1] > 'Z' {
			v.fault(fmt.Sprintf("%s.region[%d]", p, i), "%q is not an ISO 3166-1 code; give two capital letters, like DE", text.Clip(s))
		}
	}
	oneOfEach(v, p+".recording", m.Recording, users.RecordingModes())
	oneOfEach(v, p+".consent", m.Consent, users.Consents())
	oneOfEach(v, p+".barring", m.Barring, users.BarringClasses())
	oneOfEach(v, p+".forwarding", m.Forwarding, users.ForwardConditions())
	if m.Barred != nil && p != "match.user" {
		v.fault(p+".barred", "is for the user who calls; give it below user")
	}
	for _, k := range sortedKeys(m.Metadata) {
		at := p + ".metadata." + k
		if k == "" || len(k) > callmodel.MaxMetadataKey {
			v.fault(at, "the key %q must be 1 to %d bytes", text.Clip(k), callmodel.MaxMetadataKey)
		}
		if len(m.Metadata[k]) == 0 || len(m.Metadata[k]) > MaxMatchValues {
			v.fault(at, "must have 1 to %d values, has %d", MaxMatchValues, len(m.Metadata[k]))
		}
		for i, s := range m.Metadata[k] {
			if len(s) > callmodel.MaxMetadataValue {
				v.fault(fmt.Sprintf("%s[%d]", at, i), "is longer than %d bytes, so no user has it", callmodel.MaxMetadataValue)
			}
		}
	}
}

func oneOfEach[S ~string](v *validation, p string, list, all []S) {
	for i, s := range list {
		if !slices.Contains(all, s) {
			v.fault(fmt.Sprintf("%s[%d]", p, i), "%q is not one of %s", text.Clip(string(s)), describeList(asStrings(all)))
		}
	}
}

func asStrings[S ~string](list []S) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = string(s)
	}
	return out
}

// userTerm is a compiled UserMatch.
type userTerm struct {
	ids        []users.ID
	regions    []string
	recording  []users.RecordingMode
	consent    []users.RecordingConsent
	barring    []users.BarringClass
	forwarding []users.ForwardWhen
	metadata   []metadataTerm
	none       bool // it asks for no user
	dnd        truth
	barred     truth
}

// truth is what a condition asks of something that is true or false.
type truth uint8

const (
	either truth = iota
	isTrue
	isFalse
)

func truthOf(b *bool) truth {
	switch {
	case b == nil:
		return either
	case *b:
		return isTrue
	}
	return isFalse
}

func (t truth) holds(b bool) bool { return t == either || (t == isTrue) == b }

func newUserTerm(m *UserMatch) *userTerm {
	if m == nil {
		return nil
	}
	t := &userTerm{
		ids: sortedUnique(m.ID), regions: unique(m.Region), recording: sortedUnique(m.Recording), consent: sortedUnique(m.Consent),
		barring: m.Barring, forwarding: m.Forwarding, none: truthOf(m.Exists) == isFalse, dnd: truthOf(m.DND), barred: truthOf(m.Barred),
	}
	for _, k := range sortedKeys(m.Metadata) {
		t.metadata = append(t.metadata, metadataTerm{key: k, values: unique(m.Metadata[k])})
	}
	return t
}

func sortedUnique[S ~string](list []S) []S {
	list = slices.Clone(list)
	slices.Sort(list)
	return slices.Compact(list)
}

// userField is a condition on a user.
type userField uint8

const (
	userHolds userField = iota
	userExists
	userID
	userRegion
	userRecording
	userConsent
	userDND
	userBarred
	userBarring
	userForwarding
	userMetadata
)

// lost returns the first condition that doesn't hold of the user f, who is nil for
// nobody, of a call to a number.
func (t *userTerm) lost(f *users.Facts, to string) userField {
	switch {
	case t.none != (f == nil):
		return userExists
	case t.none:
		return userHolds
	case len(t.ids) > 0 && !slices.Contains(t.ids, f.ID):
		return userID
	case len(t.regions) > 0 && !slices.Contains(t.regions, f.Region()):
		return userRegion
	case len(t.recording) > 0 && !slices.Contains(t.recording, f.Recording()):
		return userRecording
	case len(t.consent) > 0 && !slices.Contains(t.consent, f.Consent()):
		return userConsent
	case !t.dnd.holds(f.DoNotDisturb()):
		return userDND
	case t.barred != either && !t.barred.holds(f.Barred(to)):
		return userBarred
	case len(t.barring) > 0 && !t.bars(f):
		return userBarring
	case len(t.forwarding) > 0 && !t.forwards(f):
		return userForwarding
	case t.lostMetadata(f) != nil:
		return userMetadata
	}
	return userHolds
}

func (t *userTerm) bars(f *users.Facts) bool {
	return slices.ContainsFunc(t.barring, f.Bars)
}

func (t *userTerm) forwards(f *users.Facts) bool {
	return slices.ContainsFunc(t.forwarding, f.Forwards)
}

func (t *userTerm) lostMetadata(f *users.Facts) *metadataTerm {
	for i := range t.metadata {
		m := &t.metadata[i]
		if value, ok := f.Metadata(m.key); !ok || !slices.Contains(m.values, value) {
			return m
		}
	}
	return nil
}

// lostUsers returns which party's user the rule asks something of that doesn't hold.
// Nothing is asked of the users of emergency calls, and no such rule takes those.
func (x *extra) lostUsers(req *calls.Request) loss {
	switch {
	case x.user == nil && x.callee == nil && (x.pred == nil || !x.pred.AsksUsers()):
		return lostNothing
	case emergencyCall(req):
		return lostUsersOfEmergency
	case x.user != nil && x.user.lost(req.User, req.To) != userHolds:
		return lostUser
	case x.callee != nil && x.callee.lost(req.Callee, req.To) != userHolds:
		return lostCallee
	}
	return lostNothing
}

// describe says which condition the user f doesn't meet. who is the user's party.
func (t *userTerm) describe(who string, f *users.Facts, to string) string {
	field := t.lost(f, to)
	if field == userExists {
		if f == nil {
			return "the " + who + " is no user that is known"
		}
		return "the " + who + " is the user " + string(f.ID) + ", and it asks for none"
	}
	is := "the " + who + "'s user " + string(f.ID)
	has := func(what, value, wanted string) string { return is + " has " + what + " " + value + ", not " + wanted }
	switch field {
	case userID:
		return is + " is not one of " + describeList(asStrings(t.ids))
	case userRegion:
		return has("region", strconv.Quote(f.Region()), describeList(t.regions))
	case userRecording:
		return has("recording", strconv.Quote(string(f.Recording())), describeList(asStrings(t.recording)))
	case userConsent:
		return has("consent", strconv.Quote(string(f.Consent())), describeList(asStrings(t.consent)))
	case userDND:
		return has("dnd", strconv.FormatBool(f.DoNotDisturb()), strconv.FormatBool(t.dnd == isTrue))
	case userBarred:
		return has("barred", strconv.FormatBool(f.Barred(to)), strconv.FormatBool(t.barred == isTrue)) + " for " + to
	case userBarring:
		return is + " bars none of " + describeList(asStrings(t.barring))
	case userForwarding:
		return is + " has no forwarding on " + describeList(asStrings(t.forwarding))
	case userMetadata:
		m := t.lostMetadata(f)
		value, ok := f.Metadata(m.key)
		if !ok {
			return is + " has no metadata " + m.key
		}
		return has("metadata "+m.key, strconv.Quote(text.Clip(value)), describeList(m.values))
	default:
		return "it matches"
	}
}

// excludes reports whether no user meets both.
func (t *userTerm) excludes(o *userTerm) bool {
	if t == nil || o == nil {
		return false
	}
	if t.none != o.none {
		return true
	}
	apart := func(a, b []string) bool { return len(a) > 0 && len(b) > 0 && !intersect(a, b) }
	if apart(asStrings(t.ids), asStrings(o.ids)) || apart(t.regions, o.regions) || apart(asStrings(t.recording), asStrings(o.recording)) ||
		apart(asStrings(t.consent), asStrings(o.consent)) || t.dnd != either && o.dnd != either && t.dnd != o.dnd ||
		t.barred != either && o.barred != either && t.barred != o.barred {
		return true
	}
	for i := range t.metadata {
		for j := range o.metadata {
			if t.metadata[i].excludes(&o.metadata[j]) {
				return true
			}
		}
	}
	return false
}
