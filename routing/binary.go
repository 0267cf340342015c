package routing

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"reflect"

	"github.com/switchtape/switchtape/routing/internal/text"
)

// The binary form of a rule set is for programs that start without a database. It is
// read in a fraction of the time that YAML takes. It is not for exchange: a program
// may refuse what another version wrote.
//
//	form     "SWRS" and the version of the form
//	head     the set without its rules and rates, as JSON
//	texts    strings that several rules may have
//	routes   lists of tiers, as JSON
//	rest     rules without what each rule has of its own, as JSON
//	rules    each: which fields it has, its id, its numbers, the places of the rest
//	prices   rate rows without their prefixes, as JSON
//	decks    each: its name, and of each row the prefix and the place of its price
//
// Numbers are varints; strings and lists stand behind their length. A field that
// rules get later goes into the JSON of the rest.
const (
	binaryForm = "SWRS"
	// Version 2 has fields that programs of version 1 don't know. A set without any of
	// them is written as version 1, which those can read.
	firstBinaryVersion = 1
	binaryVersion      = 2
)

// newer reports whether a rule has a field that version 1 of the form hadn't.
func (r *Rule) newer() bool {
	for i := range r.Route {
		if r.Route[i].MinQuality != 0 || r.Route[i].Margin != nil {
			return true
		}
	}
	return r.Description != "" || r.Enabled != nil || r.Reject != nil || r.Limits != nil || r.Match.From.anonymous() || r.Match.Not != nil ||
		r.Match.When != nil && r.Match.When.Calendar != ""
}

// newerHead does the same for the set but for its rules.
func (rs *RuleSet) newerHead() bool {
	if len(rs.Calendars)+len(rs.Tests)+len(rs.TenantNumbers) > 0 || rs.Limits != nil {
		return true
	}
	for _, d := range rs.Destinations {
		if len(d.Attributes)+len(d.Headers)+len(d.OriginRates) > 0 || d.Description != "" || d.StripPlus || d.Caller != nil && d.Caller.StripPlus {
			return true
		}
	}
	return false
}

// The fields that a rule may have of its own.
const (
	hasDefault = 1 << iota
	hasPriority
	hasPrefix
	hasExact
	hasTenant
	hasType
	hasFrom
	hasRest
	hasAll = 1<<iota - 1
)

// MarshalBinary returns the set in its binary form. It implements
// encoding.BinaryMarshaler.
func (rs *RuleSet) MarshalBinary() ([]byte, error) {
	w := newBinaryWriter()
	known := map[*Tier]uint64{} // places of routes, by their first tier: rules may share them
	for i := range rs.Rules {
		r := &rs.Rules[i]
		var first *Tier
		if len(r.Route) > 0 {
			first = &r.Route[0]
		}
		place, ok := known[first]
		if !ok {
			var err error
			if place, err = w.route(r.Route); err != nil {
				return nil, fmt.Errorf("rule %s: %w", text.Clip(r.ID), err)
			}
			if first != nil {
				known[first] = place
			}
		}
		if err := w.rule(r, place); err != nil {
			return nil, err
		}
	}
	return w.form(rs)
}

// form returns the binary form of the set, whose rules were written.
func (w *binaryWriter) form(rs *RuleSet) ([]byte, error) {
	head := *rs
	head.Rules, head.Rates = nil, nil
	decks, err := w.decks(rs.Rates)
	if err != nil {
		return nil, err
	}
	b, err := json.Marshal(&head)
	if err != nil {
		return nil, err
	}
	version := byte(firstBinaryVersion)
	if w.newer || rs.newerHead() {
		version = binaryVersion
	}
	out := append(append(make([]byte, 0, len(b)+len(w.rules)+len(decks)+1<<16), binaryForm...), version)
	out = appendText(out, b)
	for _, list := range [][]string{w.texts.list, w.routes.list, w.rest.list} {
		out = appendTexts(out, list)
	}
	out = append(binary.AppendUvarint(out, w.count), w.rules...)
	out = appendTexts(out, w.prices.list)
	return append(out, decks...), nil
}

func appendText[T string | []byte](b []byte, s T) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func appendTexts[T ~string](b []byte, list []T) []byte {
	b = binary.AppendUvarint(b, uint64(len(list)))
	for _, s := range list {
		b = appendText(b, string(s))
	}
	return b
}

// intern numbers strings: equal strings have one place.
type intern struct {
	at   map[string]uint64
	list []string
}

func newIntern() intern { return intern{at: map[string]uint64{}} }

func (n *intern) place(k string) uint64 {
	i, ok := n.at[k]
	if !ok {
		i = uint64(len(n.list))
		n.at[k] = i
		n.list = append(n.list, k)
	}
	return i
}

type binaryWriter struct {
	texts, routes, rest, prices intern

	count uint64
	rules []byte
	newer bool // a rule has a field that version 1 hadn't
}

func newBinaryWriter() binaryWriter {
	return binaryWriter{texts: newIntern(), routes: newIntern(), rest: newIntern(), prices: newIntern()}
}

// rule writes the next rule, whose route has that place.
func (w *binaryWriter) rule(r *Rule, route uint64) error {
	w.count++
	w.newer = w.newer || r.newer()
	own, rest := uint64(0), *r
	has := func(bit uint64, yes bool) {
		if yes {
			own |= bit
		}
	}
	m := &r.Match
	has(hasDefault, r.Default)
	has(hasPriority, r.Priority != 0)
	has(hasPrefix, len(m.To.Prefix) > 0)
	has(hasExact, len(m.To.Exact) > 0)
	has(hasTenant, len(m.Tenant) > 0)
	has(hasType, len(m.Type) > 0)
	has(hasFrom, len(m.From.Prefix) > 0)
	rest.ID, rest.Default, rest.Priority, rest.Route = "", false, 0, nil
	rest.Match.To.Prefix, rest.Match.To.Exact, rest.Match.Tenant, rest.Match.Type, rest.Match.From.Prefix = nil, nil, nil, nil, nil
	has(hasRest, !reflect.ValueOf(&rest).Elem().IsZero())

	b := binary.AppendUvarint(w.rules, own)
	b = appendText(b, r.ID)
	if own&hasPriority != 0 {
		b = binary.AppendVarint(b, int64(r.Priority))
	}
	if own&hasPrefix != 0 {
		b = appendTexts(b, m.To.Prefix)
	}
	if own&hasExact != 0 {
		b = appendTexts(b, m.To.Exact)
	}
	if own&hasTenant != 0 {
		b = appendPlaces(b, &w.texts, m.Tenant)
	}
	if own&hasType != 0 {
		b = appendPlaces(b, &w.texts, m.Type)
	}
	if own&hasFrom != 0 {
		b = appendPlaces(b, &w.texts, m.From.Prefix)
	}
	if own&hasRest != 0 {
		j, err := json.Marshal(&rest)
		if err != nil {
			return fmt.Errorf("rule %s: %w", text.Clip(r.ID), err)
		}
		b = binary.AppendUvarint(b, w.rest.place(string(j)))
	}
	w.rules = binary.AppendUvarint(b, route)
	return nil
}

func appendPlaces[T ~string](b []byte, texts *intern, list []T) []byte {
	b = binary.AppendUvarint(b, uint64(len(list)))
	for _, s := range list {
		b = binary.AppendUvarint(b, texts.place(string(s)))
	}
	return b
}

// route returns the place of a route.
func (w *binaryWriter) route(tiers []Tier) (uint64, error) {
	j, err := json.Marshal(tiers)
	if err != nil {
		return 0, err
	}
	return w.routes.place(string(j)), nil
}

func (w *binaryWriter) decks(rates map[string][]RateRow) ([]byte, error) {
	b := binary.AppendUvarint(nil, uint64(len(rates)))
	for _, name := range sortedKeys(rates) {
		b = binary.AppendUvarint(appendText(b, name), uint64(len(rates[name])))
		for _, row := range rates[name] {
			b = appendText(b, row.Prefix)
			row.Prefix = ""
			j, err := json.Marshal(row.inJSON())
			if err != nil {
				return nil, fmt.Errorf("rates %s: %w", text.Clip(name), err)
			}
			b = binary.AppendUvarint(b, w.prices.place(string(j)))
		}
	}
	return b, nil
}
