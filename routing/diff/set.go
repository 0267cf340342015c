package diff

import (
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/routing"
)

// Set is one of the rule sets. It is immutable.
type Set struct {
	router   *routing.Router
	currency string
	index    map[string]int // of each destination
	ids      []string
	specs    []routing.DestinationSpec // by destination
	decks    map[string]*routing.RateTable
}

// NewSet makes a Set of a rule set and the router that was compiled from it. The
// error is of rates that Compile would refuse.
func NewSet(rs *routing.RuleSet, router *routing.Router) (*Set, error) {
	s := &Set{router: router, currency: rs.Currency, index: make(map[string]int, len(rs.Destinations))}
	s.decks = map[string]*routing.RateTable{}
	for name, rows := range rs.Rates {
		table, err := routing.NewRateTable(rs.Currency, rows)
		if err != nil {
			return nil, err
		}
		s.decks[name] = table
	}
	for id, d := range rs.Destinations {
		s.index[id] = len(s.ids)
		s.ids = append(s.ids, id)
		s.specs = append(s.specs, d)
	}
	return s, nil
}

// Currency returns the currency of the set's rates, "" if it has none.
func (s *Set) Currency() string { return s.currency }

// cost returns the price of a call of that length at the destination; false without
// a rate.
func (s *Set) cost(destination int, req *calls.Request, length time.Duration) (callmodel.Amount, bool) {
	deck := s.decks[s.specs[destination].RatesFor(req.From)]
	if deck == nil {
		return 0, false
	}
	row, ok := deck.Lookup(req.To, req.At)
	return row.Cost(length), ok
}
