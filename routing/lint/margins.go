package lint

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/routing"
)

// priced is the rows of a rate deck by their prefix, without those that are over.
type priced struct{ rows []*routing.RateRow }

func (l *linter) priced(name string) *priced {
	p := &priced{}
	rows := l.rs.Rates[name]
	for i := range rows {
		if !l.over(&rows[i]) {
			p.rows = append(p.rows, &rows[i])
		}
	}
	slices.SortFunc(p.rows, func(a, b *routing.RateRow) int { return cmp.Compare(a.Prefix, b.Prefix) })
	return p
}

// of visits every row that can hold for a number that begins with the prefix: those of
// longer prefixes, and those of its own and of shorter ones down to one that always holds.
func (p *priced) of(prefix string, visit func(*routing.RateRow)) {
	from := func(s string) int {
		i, _ := slices.BinarySearchFunc(p.rows, s, func(r *routing.RateRow, s string) int { return cmp.Compare(r.Prefix, s) })
		return i
	}
	for i := from(prefix); i < len(p.rows) && strings.HasPrefix(p.rows[i].Prefix, prefix); i++ {
		if p.rows[i].Prefix != prefix {
			visit(p.rows[i])
		}
	}
	for n := len(prefix); n > 0; n-- {
		always := false
		for i := from(prefix[:n]); i < len(p.rows) && p.rows[i].Prefix == prefix[:n]; i++ {
			visit(p.rows[i])
			always = always || p.rows[i].From.IsZero() && p.rows[i].Until.IsZero()
		}
		if always {
			return
		}
	}
}

// sixtieths is the price of a call of that length, times 60, which is whole.
func sixtieths(r *routing.RateRow, length time.Duration) int64 {
	return 60*int64(r.Connect) + int64(r.PerMinute)*int64(r.Billed(length)/time.Second)
}

// span is the lowest and the highest price of a call of that length to the numbers, by any
// of the decks; some is false if none has one.
func span(decks []*priced, number string, length time.Duration) (low, high int64, some bool) {
	for _, d := range decks {
		d.of(number, func(r *routing.RateRow) {
			cost := sixtieths(r, length)
			if !some {
				low, high, some = cost, cost, true
			}
			low, high = min(low, cost), max(high, cost)
		})
	}
	return low, high, some
}

// margins reports tiers whose margin leaves out every target for some of the rule's callees,
// whatever the call.
func (l *linter) margins(x *index) {
	decks := map[string]*priced{}
	deck := func(name string) *priced {
		if decks[name] == nil {
			decks[name] = l.priced(name)
		}
		return decks[name]
	}
	for i := range l.rs.Rules {
		r := &l.rs.Rules[i]
		for j := range r.Route {
			t := &r.Route[j]
			if l.dead[i] || t.Margin == nil {
				continue
			}
			var cost []*priced
			for _, g := range t.Targets {
				spec := l.rs.Destinations[g.To]
				if spec.Rates != "" {
					cost = append(cost, deck(spec.Rates))
				}
				for _, name := range spec.OriginRates {
					cost = append(cost, deck(name))
				}
			}
			l.margin(x, i, j, deck(t.Margin.Rates), cost)
		}
	}
}

func (l *linter) margin(x *index, rule, tier int, sell *priced, cost []*priced) {
	t := &l.rs.Rules[rule].Route[tier]
	assume := cmp.Or(t.Assume, routing.DefaultAssume)
	first, why, n, looked := "", "", 0, 0
	leftOut := func(number string, _ bool) {
		if looked++; looked > maxRated {
			return
		}
		_, price, sold := span([]*priced{sell}, number, assume)
		low, _, bought := span(cost, number, assume)
		if sold && bought && low*100 <= price*int64(100-t.Margin.Percent) {
			return
		}
		if n++; n > 1 {
			return
		}
		first = number
		switch {
		case !sold:
			why = fmt.Sprintf("deck %s has no price for them", t.Margin.Rates)
		case !bought:
			why = "no target has a rate for them"
		default:
			why = fmt.Sprintf("a call of %v costs %s at least and is sold for %s at most", assume,
				callmodel.Amount(low/60), callmodel.Amount(price/60))
		}
	}
	r := &l.rs.Rules[rule]
	if r.Default {
		leftOut("", false)
	}
	x.eachNumber(&r.Match.To, leftOut)
	if n == 0 {
		return
	}
	whom := "calls to " + first
	if first == "" {
		whom = "all calls"
	}
	if n > 1 {
		whom += fmt.Sprintf(" and %d more of its callees", n-1)
	}
	l.aboutRule(NoMargin, rule, "lower the percentage, or put the rates right",
		"the margin of %d %% leaves every target of tier %d out for %s: %s", t.Margin.Percent, tier+1, whom, why)
}

// highestReached is the highest quality level that destinations have which carry calls: of
// the score of package trunk a level above it takes more than 89 % of all calls answered
// were they endless and did they ring at once.
const highestReached = 18

// qualities reports floors of quality that change nothing.
func (l *linter) qualities() {
	for i := range l.rs.Rules {
		r := &l.rs.Rules[i]
		for j := range r.Route {
			switch t := &r.Route[j]; {
			case l.dead[i] || t.MinQuality == 0:
			case len(t.Targets) == 1:
				l.aboutRule(NoEffect, i, "leave it out, or add a target", "min_quality of tier %d orders its targets, and it has one", j+1)
			case t.MinQuality > highestReached:
				l.aboutRule(NoEffect, i, "ask for a lower level; 10 is that of a destination of which nothing is known",
					"no destination reaches min_quality %d of tier %d: it takes more than 89 %% of the calls answered, however long they are and soon they ring", t.MinQuality, j+1)
			}
		}
	}
}
