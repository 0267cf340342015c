package routing

import "maps"

// What follows writes rule sets that mean the same in the same way, so that
// they have the same hash. Sets of before there was anything to write in two
// ways keep theirs.

func canonicalDestinations(specs map[string]DestinationSpec) map[string]DestinationSpec {
	out := maps.Clone(specs)
	for id, d := range specs {
		if d.Caller == nil || d.Caller.Policy != "" && d.Caller.Policy != CallerPass {
			continue
		}
		pass := *d.Caller
		pass.Policy = ""
		d.Caller = &pass
		if pass.Strip == 0 && pass.Prepend == "" {
			d.Caller = nil
		}
		out[id] = d
	}
	return out
}

func canonicalRates(decks map[string][]RateRow) map[string][]RateRow {
	if len(decks) == 0 {
		return nil
	}
	out := make(map[string][]RateRow, len(decks))
	for name, rows := range decks {
		list := make([]RateRow, len(rows))
		for i := range rows {
			list[i] = rows[i].canonical()
		}
		out[name] = list
	}
	return out
}
