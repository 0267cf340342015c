package dialimport

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/e164"
	"github.com/switchtape/switchtape/routing"
)

// Format is what a source was made for.
type Format string

// The formats.
const (
	OpenSIPS    Format = "opensips"     // drouting
	Kamailio    Format = "kamailio"     // drouting
	KamailioLCR Format = "kamailio-lcr" // lcr
	CSV         Format = "csv"          // a rate deck, or what [Export] wrote

	KamailioDispatcher Format = "kamailio-dispatcher" // its table, or the file dispatcher.list
	OpenSIPSDispatcher Format = "opensips-dispatcher"
	FreeSWITCHLCR      Format = "freeswitch-lcr" // mod_lcr
)

// Options add what the tables don't say. The zero value works.
type Options struct {
	// Name is the rule set's. "": none.
	Name string
	// Tenant is the one that every rule is for. "": any.
	Tenant callmodel.TenantID
	// Groups are the tenants of drouting's groups, lcr's instances, dispatcher's sets and
	// FreeSWITCH's profiles, by their ids. A group that isn't there is asked for as the
	// call's metadata dr_group, lcr_id, ds_set or lcr_profile.
	Groups map[string]callmodel.TenantID
	// Access is what stands before the country code in the source's numbers: "",
	// "+", "00", "011". nil: what the prefixes of the rules begin with; of a deck's
	// codes a plus and 00 are taken off.
	Access *string
	// ShortCodes takes every prefix of up to 6 digits for the beginning of
	// national short codes too. Without it only 112 and 911 are.
	ShortCodes bool
	// TimeZone is the one that times without a zone are of, an IANA name. "": UTC.
	TimeZone string
	// Weights sorts the gateways of OpenSIPS 1.x and 2.x by weight, as do_routing
	// does with the flag W. From 3.x on the tables say it.
	Weights bool
	// SortOrder is Kamailio's parameter sort_order of drouting, 0 to 2.
	SortOrder int
	// PriorityOrdering is Kamailio's parameter priority_ordering of lcr.
	PriorityOrdering bool
	// Algorithm is that of ds_select_dst for the sets of dispatcher: "4" takes turns, "8"
	// goes by priority, Kamailio's "9" and "11" by weight. "": by weight if there are
	// weights, else by priority, which the report says.
	Algorithm string
	// Now is what a gateway's defunct time is held against. Zero: every gateway
	// that has one counts as defunct.
	Now time.Time

	// Columns maps columns of a rate deck to fields: "Preis": "rate". See
	// [DeckFields].
	Columns map[string]string
	// Destinations are the URIs of the destinations that the decks are of, by id.
	// A destination has the deck of its name, or the only one. For FreeSWITCH they are
	// the URIs of the gateways that its own configuration has, by their names.
	Destinations map[string]string
	// Deck names the deck of a source that has no column for it. "": the file's
	// name.
	Deck string
	// Currency is that of prices without one. "": there must be one in the source.
	Currency string
	// MonthFirst reads 01/02/2026 as the second of January.
	MonthFirst bool
	// Country is the country code that a deck's codes stand behind: "1" of a deck of
	// North American area codes. "": they begin with it, unless a column has it or
	// their column is one of area codes and exchanges, NPANXX.
	Country string
	// Accept names the changes of prices that are taken. nil: none.
	Accept []PriceChange
}

// Result is what an import made.
type Result struct {
	// Rules compiles. If Fragment is set it has rates and a currency only, to be
	// put into a rule set.
	Rules    *routing.RuleSet `json:"-"`
	Fragment bool             `json:"fragment,omitempty"`
	Report   Report           `json:"report"`
}

// Import reads the sources, which together hold the tables of one setup: one
// dump of all of them, or a file a table. The error is of what can't be read at
// all, a [PriceError], or, as callmodel.FieldErrors, of options that the format hasn't
// or a result that doesn't compile. Whatever was read of the sources, the result holds
// its report; it is nil if they weren't begun.
func Import(format Format, sources []Source, o *Options) (*Result, error) {
	if o == nil {
		o = &Options{}
	}
	if err := o.check(format); err != nil {
		return nil, err
	}
	out := &Result{Rules: &routing.RuleSet{}}
	var err error
	switch format {
	case OpenSIPS, Kamailio:
		err = importDrouting(format, sources, o, out)
	case KamailioLCR:
		err = importLCR(sources, o, out)
	case KamailioDispatcher, OpenSIPSDispatcher:
		err = importDispatcher(format, sources, o, out)
	case FreeSWITCHLCR:
		err = importFreeSWITCH(sources, o, out)
	case CSV:
		err = importCSV(sources, o, out)
	default:
		return nil, unknownFormat(format)
	}
	if err != nil {
		return out, err
	}
	if o.Name != "" {
		out.Rules.Name = o.Name
	}
	if err := out.Report.refused(o.Accept); err != nil {
		return out, err
	}
	return out, out.verify()
}

// Formats lists the formats that can be imported.
func Formats() []Format {
	return []Format{OpenSIPS, Kamailio, KamailioLCR, OpenSIPSDispatcher, KamailioDispatcher, FreeSWITCHLCR, CSV}
}

func unknownFormat(format Format) error {
	return callmodel.FieldErrors{{Path: "format", Message: fmt.Sprintf("%q is not one of %s", format, strings.Join(stringsOf(Formats()), ", "))}}
}

// applies adds a fault for each option that is given and that the format hasn't.
func (o *Options) applies(format Format, faults *callmodel.FieldErrors) {
	drouting, lcr, deck := format == OpenSIPS || format == Kamailio, format == KamailioLCR, format == CSV
	sets, freeswitch := format == OpenSIPSDispatcher || format == KamailioDispatcher, format == FreeSWITCHLCR
	for _, one := range [...]struct {
		name  string
		given bool
		of    bool
	}{
		{"groups", len(o.Groups) > 0, drouting || lcr || sets || freeswitch},
		{"access", o.Access != nil, drouting || lcr || deck || freeswitch},
		{"short_codes", o.ShortCodes, drouting || lcr || freeswitch},
		{"algorithm", o.Algorithm != "", sets},
		{"timezone", o.TimeZone != "", drouting || deck || freeswitch},
		{"weights", o.Weights, format == OpenSIPS},
		{"sort_order", o.SortOrder != 0, format == Kamailio},
		{"priority_ordering", o.PriorityOrdering, lcr},
		{"columns", len(o.Columns) > 0, deck},
		{"destinations", len(o.Destinations) > 0, deck || freeswitch},
		{"deck", o.Deck != "", deck},
		{"currency", o.Currency != "", deck || freeswitch},
		{"month_first", o.MonthFirst, deck},
		{"country", o.Country != "", deck},
		{"accept", len(o.Accept) > 0, deck || freeswitch},
	} {
		if one.given && !one.of {
			faults.Add(one.name, "the format %s has no use for it; leave it out, or give the format that has", format)
		}
	}
}

func (o *Options) check(format Format) error {
	var faults callmodel.FieldErrors
	o.applies(format, &faults)
	if o.Country != "" && (len(o.Country) > 3 || !e164.Digits(o.Country) || o.Country[0] == '0') {
		faults.Add("country", "%q is not a country code of 1 to 3 digits", o.Country)
	}
	for _, change := range o.Accept {
		if !slices.Contains(PriceChanges(), change) {
			faults.Add("accept", "%q is not one of %s", change, strings.Join(stringsOf(PriceChanges()), ", "))
		}
	}
	if o.Tenant != "" && !callmodel.ValidID(string(o.Tenant)) {
		faults.Add("tenant", "%q is not a tenant id", o.Tenant)
	}
	for g, t := range o.Groups {
		if !callmodel.ValidID(string(t)) {
			faults.Add("groups."+g, "%q is not a tenant id", t)
		}
	}
	if _, err := time.LoadLocation(o.TimeZone); err != nil {
		faults.Add("timezone", "%q is not a time zone like Europe/Berlin", o.TimeZone)
	}
	if o.Access != nil && (len(*o.Access) > 4 || !numeric(*o.Access)) {
		faults.Add("access", "%q must be at most 4 digits, or a plus", *o.Access)
	}
	if o.Algorithm != "" && !slices.Contains(algorithms(), o.Algorithm) {
		faults.Add("algorithm", "%q can't be said; the ones that can are %s", o.Algorithm, strings.Join(algorithms(), ", "))
	}
	if o.SortOrder < 0 || o.SortOrder > 2 {
		faults.Add("sort_order", "must be 0 to 2, is %d", o.SortOrder)
	}
	if o.Deck != "" && !callmodel.ValidID(o.Deck) {
		faults.Add("deck", "%q must be 1 to 128 letters, digits, '.', '_' or '-', the first a letter or digit, without \"..\"", o.Deck)
	}
	if o.Currency != "" && !isCurrency(o.Currency) {
		faults.Add("currency", "%q is not three capital letters of ISO 4217", o.Currency)
	}
	for id, uri := range o.Destinations {
		if !callmodel.ValidID(id) {
			faults.Add("destinations."+id, "the id must be 1 to 128 letters, digits, '.', '_' or '-', the first a letter or digit, without \"..\"")
		}
		if err := routing.CheckURI(uri); err != nil {
			faults.Add("destinations."+id, "%q %s", uri, err)
		}
	}
	for column, field := range o.Columns {
		if _, ok := deckFields()[field]; !ok && field != "" {
			faults.Add("map."+column, "%q is not a field of a rate deck; the fields are %s", field, fieldList())
		}
	}
	return faults.Err()
}

// numeric reports whether s is digits, with an optional plus before them.
func numeric(s string) bool {
	if s != "" && s[0] == '+' {
		s = s[1:]
	}
	return strings.Trim(s, "0123456789") == ""
}

var errNothing = errors.New("nothing of the source could be converted; the report says why")

// verify checks the result as the router does.
func (r *Result) verify() error {
	if r.Fragment {
		for name, rows := range r.Rules.Rates {
			if _, err := routing.NewRateTable(r.Rules.Currency, rows); err != nil {
				return fmt.Errorf("deck %s: %w", name, err)
			}
		}
		return nil
	}
	if len(r.Rules.Rules) == 0 {
		return errNothing
	}
	if _, err := routing.Compile(r.Rules); err != nil {
		return fmt.Errorf("the rule set does not compile: %w", err)
	}
	return nil
}
