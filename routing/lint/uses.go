package lint

import (
	"fmt"
	"maps"
	"slices"

	"github.com/switchtape/switchtape/routing"
)

// usage reports what is defined and not used.
func (l *linter) usage() {
	used := make(map[string]bool, len(l.rs.Destinations)) // by id; true if by a rule that calls may reach
	lists := map[string]bool{}                            // as used
	use := func(of map[string]bool, i int, names ...string) {
		for _, name := range names {
			of[name] = of[name] || !l.dead[i]
		}
	}
	for i := range l.rs.Rules {
		r := &l.rs.Rules[i]
		for j := range r.Route {
			for _, g := range r.Route[j].Targets {
				if reached, seen := used[g.To]; !seen || !reached && !l.dead[i] {
					used[g.To] = !l.dead[i]
				}
			}
		}
		use(lists, i, r.Match.To.List...)
		use(lists, i, r.Match.From.List...)
		if not := r.Match.Not; not != nil {
			use(lists, i, not.To.List...)
			use(lists, i, not.From.List...)
		}
	}
	l.unusedCalendars()
	decks := map[string]bool{}
	for _, id := range slices.Sorted(maps.Keys(l.rs.Destinations)) {
		decks[l.rs.Destinations[id].Rates] = true
		for _, deck := range l.rs.Destinations[id].OriginRates {
			decks[deck] = true
		}
		switch reached, seen := used[id]; {
		case !seen:
			l.about(UnusedDestination, "destinations."+id, "remove it, or route to it", "no rule uses destination %s", id)
		case !reached:
			l.about(UnusedDestination, "destinations."+id, "remove it, or put the rules right", "only rules that no call reaches use destination %s", id)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(l.rs.Lists)) {
		l.unused(UnusedList, "list", name, lists)
	}
	for i := range l.rs.Rules {
		for _, tier := range l.rs.Rules[i].Route {
			if tier.Margin != nil {
				decks[tier.Margin.Rates] = true
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(l.rs.Rates)) {
		if !decks[name] {
			l.about(UnusedRates, "rates."+name, "remove it, or name it in a destination", "no destination uses rate deck %s", name)
		}
	}
}

// rates reports prefixes whose rates are over.
func (l *linter) rates() {
	if l.opts.At.IsZero() {
		return
	}
	for _, name := range slices.Sorted(maps.Keys(l.rs.Rates)) {
		rows := l.rs.Rates[name]
		lasts := make(map[string]bool, len(rows)) // the prefix has a rate that is not over
		for i := range rows {
			lasts[rows[i].Prefix] = lasts[rows[i].Prefix] || !l.over(&rows[i])
		}
		for i := range rows {
			if prefix := rows[i].Prefix; !lasts[prefix] {
				lasts[prefix] = true // once a prefix
				l.about(ExpiredRate, fmt.Sprintf("rates.%s[%d]", name, i), "add the rate that holds now, or remove the old ones",
					"the rates of deck %s for %s are over, since %s", name, prefix, rows[i].Until.UTC().Format("2006-01-02 15:04 MST"))
			}
		}
	}
}

func (l *linter) over(r *routing.RateRow) bool {
	return !r.Until.IsZero() && !l.opts.At.IsZero() && !r.Until.After(l.opts.At)
}

// deck is the prefixes of a rate deck that have a rate now or later.
type deck struct{ codes []uint64 }

func (l *linter) deck(name string) *deck {
	d := &deck{}
	for i, rows := 0, l.rs.Rates[name]; i < len(rows); i++ {
		if !l.over(&rows[i]) {
			d.codes = append(d.codes, code(rows[i].Prefix))
		}
	}
	slices.Sort(d.codes)
	d.codes = slices.Compact(d.codes)
	return d
}

// has reports whether any number that begins with the code has a rate.
func (d *deck) has(c uint64) bool {
	length := codeLength(c)
	for n := length; n > 0; n-- {
		if _, ok := slices.BinarySearch(d.codes, c&^(1<<(64-4*n)-1)); ok {
			return true
		}
	}
	at, _ := slices.BinarySearch(d.codes, c)
	return at < len(d.codes) && begins(d.codes[at], c, length)
}

// unusedCalendars reports calendars that no rule names.
func (l *linter) unusedCalendars() {
	used := map[string]bool{}
	for i := range l.rs.Rules {
		m := &l.rs.Rules[i].Match
		if m.When != nil {
			used[m.When.Calendar] = used[m.When.Calendar] || !l.dead[i]
		}
		if m.Not != nil && m.Not.When != nil {
			used[m.Not.When.Calendar] = used[m.Not.When.Calendar] || !l.dead[i]
		}
	}
	for _, name := range slices.Sorted(maps.Keys(l.rs.Calendars)) {
		l.unused(UnusedCalendar, "calendar", name, used)
	}
}

// unused reports a list or a calendar that no rule uses, or none that calls may reach, which
// is true in used.
func (l *linter) unused(c Code, kind, name string, used map[string]bool) {
	switch reached, seen := used[name]; {
	case !seen:
		l.about(c, kind+"s."+name, "remove it, or use it", "no rule uses %s %s", kind, name)
	case !reached:
		l.about(c, kind+"s."+name, "remove it, or put the rules right", "only rules that no call reaches use %s %s", kind, name)
	}
}
