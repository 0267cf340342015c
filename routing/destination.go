package routing

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
)

// DestinationSpec is a place that calls can be sent to.
type DestinationSpec struct {
	URI string `json:"uri"` // "sip:trunk-a.example.com"
	// Strip removes so many leading digits of the callee's number, 0 to 15.
	Strip int `json:"strip,omitempty"`
	// Prepend is put before what is left: digits, '*', '#', and a leading '+'.
	// A number that is rewritten loses its own plus; prepend "+" to keep it.
	Prepend string `json:"prepend,omitempty"`
	// StripPlus sends a number that is not rewritten without its plus: 4930… instead of
	// +4930…. With strip or prepend it is without it in any case.
	StripPlus bool `json:"strip_plus,omitempty"`
	// Replace is sent instead of the callee's number: digits, '*', '#', and a
	// leading '+'.
	Replace string `json:"replace,omitempty"`
	// Emergency says that strip, prepend and replace are for emergency calls, too.
	// Without it these are sent the number as it was dialled.
	Emergency bool `json:"emergency,omitempty"`
	// Caller says what the destination learns of the caller. nil: the caller's
	// number as it is.
	Caller *CallerSpec `json:"caller,omitempty"`
	// Rates names the rate deck by which calls to it are charged.
	Rates string `json:"rates,omitempty"`
	// Description is for people; it decides nothing. At most 1024 bytes.
	Description string `json:"description,omitempty"`
	// Attributes are for who sets the call up, and stand in its decision as they are: a
	// codec list, a socket, a profile. At most 32, of keys up to 64 and values up to 512 bytes.
	Attributes map[string]string `json:"attributes,omitempty"`
	// Headers are SIP's, for the same: names of tokens (RFC 3261 section 25.1) and values
	// of one line. Those by which SIP itself works, like Via and Call-ID, are refused.
	Headers map[string]string `json:"headers,omitempty"`
	// OriginRates are the rate decks for calls of certain callers, by a prefix of their
	// number; the longest holds. "anonymous" is for callers without a number. Others are
	// rated by Rates.
	OriginRates map[string]string `json:"origin_rates,omitempty"`
	// Limits say how many calls it takes. nil: any number.
	Limits *Limits `json:"limits,omitempty"`
}

// CallerPolicy says what a destination learns of the caller.
type CallerPolicy string

// The caller policies. Under each of them, a caller who withholds the number stays
// anonymous. The number of an emergency call is never withheld: whoever answers it
// must be able to call back.
const (
	CallerPass     CallerPolicy = "pass"     // the number, in the form that strip and prepend make
	CallerWithhold CallerPolicy = "withhold" // anonymous, with privacy asked for
	CallerReplace  CallerPolicy = "replace"  // one of the numbers of replace
)

// CallerSpec says what a destination learns of the caller.
type CallerSpec struct {
	Policy  CallerPolicy `json:"policy,omitempty"` // "" means pass
	Strip   int          `json:"strip,omitempty"`  // as for the callee, with pass
	Prepend string       `json:"prepend,omitempty"`
	// StripPlus gives the caller's number without its plus, as for the callee.
	StripPlus bool `json:"strip_plus,omitempty"`
	// Replace holds the numbers of the policy replace. With several, a call gets one
	// by its id, always the same.
	Replace []string `json:"replace,omitempty"`
}

// Limits say how many calls a destination takes, or a tenant, an inbound trunk or a rule.
// Processes that decide share them: see package trunk.
type Limits struct {
	// Concurrent is how many calls it takes at once. 0: any number.
	Concurrent int `json:"concurrent,omitempty" unsaid:"give 1 to 1000000, or leave it out for any number; for no calls, name it in no route"`
	// CPS is how many new calls it takes a second. 0: any number.
	CPS int `json:"cps,omitempty" unsaid:"give 1 to 1000000, or leave it out for any number; for no calls, name it in no route"`
}

// MaxLimit bounds both limits of a destination, and MaxCallerPool the numbers of
// CallerSpec.Replace.
const (
	MaxLimit      = 1_000_000
	MaxCallerPool = 1000
)

func (v *validation) checkDestination(id string, d DestinationSpec) {
	p := "destinations." + id
	if !callmodel.ValidID(id) {
		v.fault(p, "the id must be 1 to 128 letters, digits, '.', '_' or '-', the first a letter or digit, without \"..\"")
	}
	if d.URI == "" {
		v.fault(p+".uri", "is missing; give where to send the call, like \"sip:trunk-a.example.com\"")
	} else if err := CheckURI(d.URI); err != nil {
		v.fault(p+".uri", "%q %s", d.URI, err)
	}
	v.checkNumberForm(p, d.Strip, d.Prepend, d.StripPlus)
	if d.Replace != "" {
		v.checkWholeNumber(p+".replace", d.Replace)
		if d.Strip != 0 || d.Prepend != "" || d.StripPlus {
			v.fault(p+".replace", "is sent as it is; leave strip, strip_plus and prepend out")
		}
	}
	if d.Emergency && d.Strip == 0 && d.Prepend == "" && d.Replace == "" && !d.StripPlus {
		v.fault(p+".emergency", "goes with strip, strip_plus, prepend or replace: it says that they are for emergency calls, too")
	}
	v.checkPassed(p, &d)
	if d.Caller != nil {
		v.checkCaller(p+".caller", d.Caller)
	}
	if _, ok := v.rs.Rates[d.Rates]; d.Rates != "" && !ok {
		v.fault(p+".rates", "no rate deck %q is defined", d.Rates)
	}
	for _, from := range sortedKeys(d.OriginRates) {
		at, deck := p+".origin_rates."+from, d.OriginRates[from]
		if from != calls.AnonymousCaller {
			if why := badPrefix(from); why != "" {
				v.fault(at, "%q %s; or say anonymous", from, why)
			}
		}
		if _, ok := v.rs.Rates[deck]; !ok {
			v.fault(at, "no rate deck %q is defined", deck)
		}
	}
	if l := d.Limits; l != nil {
		v.checkLimits(p+".limits", l)
	}
}

// Limits of what a destination passes on.
const (
	MaxPassed      = 32 // attributes, and as many headers
	MaxPassedName  = 64
	MaxPassedValue = 512
)

// checkPassed checks what is passed on to who sets the call up.
func (v *validation) checkPassed(p string, d *DestinationSpec) {
	if len(d.Description) > MaxDescription || !utf8.ValidString(d.Description) {
		v.fault(p+".description", "must be at most %d bytes of UTF-8, has %d", MaxDescription, len(d.Description))
	}
	for _, part := range [...]struct {
		name    string
		values  map[string]string
		headers bool
	}{{"attributes", d.Attributes, false}, {"headers", d.Headers, true}} {
		if len(part.values) > MaxPassed {
			v.fault(p+"."+part.name, "has %d, at most %d are taken", len(part.values), MaxPassed)
			continue
		}
		for _, name := range sortedKeys(part.values) {
			at, value := p+"."+part.name+"."+name, part.values[name]
			switch {
			case name == "" || len(name) > MaxPassedName || strings.ContainsFunc(name, unicode.IsControl) || !utf8.ValidString(name):
				v.fault(at, "the name must be 1 to %d bytes without control characters", MaxPassedName)
			case part.headers && strings.Trim(strings.ToLower(name), headerToken) != "":
				v.fault(at, "%q is not the name of a SIP header", name)
			case part.headers && slices.Contains(strings.Fields(ownHeaders), strings.ToLower(name)):
				v.fault(at, "%s is for the telephone server to write", name)
			}
			if len(value) > MaxPassedValue || strings.ContainsFunc(value, unicode.IsControl) || !utf8.ValidString(value) {
				v.fault(at, "must be at most %d bytes on one line, without control characters", MaxPassedValue)
			}
		}
	}
}

// headerToken holds the symbols of a header's name, RFC 3261 section 25.1, in small
// letters. ownHeaders are those by which SIP works, with their short forms.
const (
	headerToken = "abcdefghijklmnopqrstuvwxyz0123456789-.!%*_+`'~"
	ownHeaders  = "via v from f to t call-id i cseq contact m max-forwards route record-route content-length l content-type c content-encoding e " +
		"authorization proxy-authorization www-authenticate proxy-authenticate require proxy-require supported k"
)

// CheckURI returns an error for a URI to which no call can be sent. Its text reads on
// from the URI: "is not a sip:, sips: or tel: URI".
func CheckURI(uri string) error {
	scheme, rest, ok := strings.Cut(uri, ":")
	scheme = strings.ToLower(scheme) // RFC 3986 section 3.1
	if !ok || rest == "" || scheme != "sip" && scheme != "sips" && scheme != "tel" {
		return errors.New("is not a sip:, sips: or tel: URI")
	}
	if strings.ContainsFunc(uri, func(r rune) bool { return r <= ' ' || r == 0x7f || strings.ContainsRune("<>\"", r) }) {
		return errors.New("holds white space or quotes")
	}
	return nil
}

func (v *validation) checkLimits(p string, l *Limits) {
	if l.Concurrent == 0 && l.CPS == 0 {
		v.fault(p, "limits nothing; give concurrent or cps, or leave it out")
	}
	if l.Concurrent < 0 || l.Concurrent > MaxLimit {
		v.fault(p+".concurrent", "must be 1 to %d calls, is %d", MaxLimit, l.Concurrent)
	}
	if l.CPS < 0 || l.CPS > MaxLimit {
		v.fault(p+".cps", "must be 1 to %d calls a second, is %d", MaxLimit, l.CPS)
	}
}

func (v *validation) checkCaller(p string, c *CallerSpec) {
	switch c.Policy {
	case "", CallerPass:
		v.checkNumberForm(p, c.Strip, c.Prepend, c.StripPlus)
	case CallerWithhold, CallerReplace:
		if c.Strip != 0 || c.Prepend != "" || c.StripPlus {
			v.fault(p, "strip, strip_plus and prepend go with the policy pass only, not with %s", c.Policy)
		}
	default:
		v.fault(p+".policy", "%q is not one of pass, withhold, replace", c.Policy)
	}
	switch n := len(c.Replace); {
	case c.Policy == CallerReplace && (n == 0 || n > MaxCallerPool):
		v.fault(p+".replace", "must have 1 to %d numbers, has %d", MaxCallerPool, n)
	case c.Policy != CallerReplace && n > 0:
		v.fault(p+".replace", "goes with policy: replace only")
	}
	for i, number := range c.Replace {
		v.checkWholeNumber(fmt.Sprintf("%s.replace[%d]", p, i), number)
	}
}

// destination is a compiled DestinationSpec.
type destination struct {
	id     string
	uri    string
	callee calleeForm
	caller callerForm
	idHash uint64
	rates  *RateTable // nil: none
	limits Limits
	// origins are the decks for callers, the longest prefix first.
	origins []originRates
	// attributes and headers are shared by all decisions.
	attributes, headers map[string]string
}

// destinations compiles the rate decks and the destinations that name them.
func (c *compiler) destinations() {
	c.decks = make(map[string]*RateTable, len(c.rs.Rates))
	for name, rows := range c.rs.Rates {
		c.decks[name] = newRateTable(c.rs.Currency, rows)
	}
	for _, id := range sortedKeys(c.rs.Destinations) {
		d := c.rs.Destinations[id]
		c.destIndex[id] = uint32(len(c.r.dests))
		c.r.dests = append(c.r.dests, c.destination(id, &d))
	}
}

func (c *compiler) destination(id string, d *DestinationSpec) destination {
	out := destination{
		id: id, uri: d.URI, idHash: hashString(id), rates: c.decks[d.Rates],
		callee: calleeForm{numberForm{strip: d.Strip, prepend: d.Prepend, stripPlus: d.StripPlus, replace: d.Replace}, d.Emergency},
	}
	if s := d.Caller; s != nil {
		out.caller = callerForm{policy: s.Policy, form: numberForm{strip: s.Strip, prepend: s.Prepend, stripPlus: s.StripPlus}, pool: s.Replace}
	}
	for _, from := range sortedKeys(d.OriginRates) {
		out.origins = append(out.origins, originRates{from, c.decks[d.OriginRates[from]]})
	}
	slices.SortStableFunc(out.origins, func(a, b originRates) int { return cmp.Compare(len(b.from), len(a.from)) })
	if d.Limits != nil {
		out.limits = *d.Limits
	}
	if len(d.Attributes) > 0 {
		out.attributes = maps.Clone(d.Attributes)
	}
	if len(d.Headers) > 0 {
		out.headers = maps.Clone(d.Headers)
	}
	return out
}

// originRates is a deck for callers whose numbers begin so.
type originRates struct {
	from string // or calls.AnonymousCaller
	deck *RateTable
}

// ratesFor is the deck for calls of the caller, nil if there is none.
func (d *destination) ratesFor(caller string) *RateTable {
	for i := range d.origins {
		if isFrom(caller, d.origins[i].from) {
			return d.origins[i].deck
		}
	}
	return d.rates
}

// isFrom reports whether the caller's number begins so.
func isFrom(caller, from string) bool {
	if from == calls.AnonymousCaller {
		return caller == "" || caller == calls.AnonymousCaller
	}
	return strings.HasPrefix(caller, from)
}

// RatesFor is the name of the deck for calls of the caller, "" if there is none.
func (d *DestinationSpec) RatesFor(caller string) string {
	longest, deck := -1, d.Rates
	for from, name := range d.OriginRates {
		if len(from) > longest && isFrom(caller, from) {
			longest, deck = len(from), name
		}
	}
	return deck
}

// Endpoint is what the run-time state needs to know of a destination.
type Endpoint struct {
	URI    string
	Limits Limits
}

// Endpoints returns the endpoint of every destination of the rule set, by id.
func (r *Router) Endpoints() map[string]Endpoint {
	m := make(map[string]Endpoint, len(r.dests))
	for i := range r.dests {
		m[r.dests[i].id] = Endpoint{URI: r.dests[i].uri, Limits: r.dests[i].limits}
	}
	return m
}
