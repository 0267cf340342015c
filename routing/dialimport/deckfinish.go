package dialimport

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/routing"
)

// finishedRows returns the rows of a deck in the order of the prefixes, so that it is
// clear which rate holds at any time: rows that end a rate are applied to it, and
// among rows of one time the last of the source holds.
func (d *decks) finishedRows(name string, from *deck) []routing.RateRow {
	order := make([]int32, len(from.rows))
	for i := range order {
		order[i] = int32(i)
	}
	slices.SortFunc(order, func(a, b int32) int {
		x, y := &from.rows[a], &from.rows[b]
		return cmp.Or(cmp.Compare(x.Prefix, y.Prefix), x.From.Compare(y.From), cmp.Compare(a, b))
	})
	out := make([]routing.RateRow, 0, len(order))
	for len(order) > 0 {
		n := 1
		for n < len(order) && from.rows[order[n]].Prefix == from.rows[order[0]].Prefix {
			n++
		}
		out = d.finishPrefix(out, name, from, order[:n])
		order = order[n:]
	}
	return out
}

func (d *decks) finishPrefix(out []routing.RateRow, name string, from *deck, order []int32) []routing.RateRow {
	first := len(out)
	ended := first    // rates up to here have their ends
	var bounded []int // those that end, and may have to end sooner
	for k, i := range order {
		r, o := from.rows[i], from.at[i]
		at := place{from.files[o.file], int(o.line), "code " + r.Prefix}
		if o.ends {
			d.end(out[ended:], &r, at)
			ended = len(out)
			continue
		}
		if k+1 < len(order) {
			next := order[k+1]
			n := &from.rows[next]
			if n.From.Equal(r.From) && !from.at[next].ends {
				if same(&r, n) {
					d.report.remark(at, "rate "+r.PerMinute.String(), "line %d says the same", from.at[next].line)
				} else {
					d.report.price(DuplicateRates, at, "rate "+r.PerMinute.String(),
						"line %d gives the same code another rate from the same time in deck %s; the last holds", from.at[next].line, name)
				}
				continue
			}
		}
		for _, j := range bounded {
			if p := &out[j]; p.Until.After(r.From) {
				p.Until = r.From
				d.report.price(OverlappingRates, at, "from "+r.From.Format(time.DateOnly), "an earlier rate of the code was to end later; it ends when this begins")
			}
		}
		bounded = bounded[:0] // they end by now
		if !r.Until.IsZero() {
			bounded = append(bounded, len(out))
		}
		out = append(out, r)
	}
	kept := slices.DeleteFunc(out[first:], func(r routing.RateRow) bool { return !r.Until.IsZero() && !r.Until.After(r.From) })
	return out[:first+len(kept)]
}

// end ends the rates of a prefix at the time of a row that says so.
func (d *decks) end(rates []routing.RateRow, r *routing.RateRow, at place) {
	when := r.From
	if when.IsZero() {
		when = r.Until
	}
	ended := false
	for j := range rates {
		p := &rates[j]
		if p.Until.IsZero() || p.Until.After(when) {
			p.Until, ended = when, true
			if when.IsZero() {
				p.Until = p.From // it never held
			}
		}
	}
	what := "the code"
	if ended && !when.IsZero() {
		d.report.remark(at, what, "it is withdrawn, and its rate ends at %s", when.Format(time.RFC3339))
		return
	}
	d.report.remark(at, what, "it is withdrawn, and has no rate")
}

func same(a, b *routing.RateRow) bool {
	return a.PerMinute == b.PerMinute && a.Connect == b.Connect && a.First == b.First && a.Next == b.Next && a.Until.Equal(b.Until)
}

func importDecks(sources []Source, texts []sourceText, o *Options, out *Result) error {
	loc, err := time.LoadLocation(o.TimeZone)
	if err != nil {
		return err
	}
	d := decks{
		o: o, report: &out.Report, names: newHeaderNames(o.Columns), loc: loc, rates: map[string]*deck{}, currency: o.Currency, told: map[string]bool{},
	}
	for i := range sources {
		if err := d.source(&sources[i], texts[i].text); err != nil {
			return err
		}
	}
	if d.currency == "" {
		return &callmodel.Error{Code: callmodel.CodeMalformed, Message: "the prices' currency is not known: " + names(sources) +
			" has no column for it, and none was given"}
	}
	rs := out.Rules
	rs.Currency, rs.Rates = d.currency, map[string][]routing.RateRow{}
	for _, name := range slices.Sorted(maps.Keys(d.rates)) {
		if rows := d.finishedRows(name, d.rates[name]); len(rows) > 0 {
			rs.Rates[name] = rows
		}
		delete(d.rates, name)
	}
	if len(rs.Rates) == 0 {
		return errNothing
	}
	if len(o.Destinations) == 0 {
		out.Fragment = true
		return nil
	}
	return byCost(rs, o)
}

// byCost routes every call to the destinations whose decks have a rate for it, the
// cheapest first.
func byCost(rs *routing.RuleSet, o *Options) error {
	rs.Destinations = map[string]routing.DestinationSpec{}
	tier := routing.Tier{Order: routing.ByCost, RequireRate: true}
	used := map[string]bool{}
	for _, id := range slices.Sorted(maps.Keys(o.Destinations)) {
		name := id
		if _, ok := rs.Rates[name]; !ok && len(rs.Rates) == 1 {
			name = slices.Collect(maps.Keys(rs.Rates))[0]
		}
		if _, ok := rs.Rates[name]; !ok {
			return fmt.Errorf("destination %s has no deck of its name; there are %s", id, decksNamed(rs))
		}
		used[name] = true
		rs.Destinations[id] = routing.DestinationSpec{URI: o.Destinations[id], Rates: name}
		tier.Targets = append(tier.Targets, routing.Target{To: id})
	}
	for name := range rs.Rates {
		if !used[name] {
			return fmt.Errorf("deck %s has no destination of its name; give each one", name)
		}
	}
	rule := routing.Rule{ID: "by-cost", Default: true, Route: []routing.Tier{tier}}
	if o.Tenant != "" {
		rule.Match.Tenant = []callmodel.TenantID{o.Tenant}
	}
	rs.Rules = []routing.Rule{rule}
	return nil
}

func decksNamed(rs *routing.RuleSet) string {
	return strings.Join(slices.Sorted(maps.Keys(rs.Rates)), ", ")
}
