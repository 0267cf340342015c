package dialimport

import "strings"

// create remembers the columns of CREATE TABLE.
func (s *sqlDump) create() error {
	t, err := s.next()
	if err != nil {
		return err
	}
	if !t.is("table") {
		return s.skipRest(t)
	}
	if t, err = s.peek(); err == nil && t.is("if") { // IF NOT EXISTS
		for range 3 {
			if _, err = s.next(); err != nil {
				return err
			}
		}
	}
	table, err := s.table()
	if err != nil {
		return err
	}
	if t, err = s.next(); err != nil {
		return err
	}
	if !t.symbol('(') {
		return s.skipRest(t)
	}
	var list []string
	for depth, first := 1, true; depth > 0; {
		if t, err = s.next(); err != nil || t.kind == tokenEnd {
			return err
		}
		switch {
		case t.symbol('('):
			depth++
		case t.symbol(')'):
			depth--
		case t.symbol(',') && depth == 1:
			first = true
			continue
		case first && depth == 1 && (t.kind == tokenName || t.kind == tokenWord && !constraint(t)) && len(list) < maxColumns:
			list = append(list, strings.ToLower(t.text))
		}
		first = false
	}
	if s.wanted(table) {
		s.columns[table] = list
	}
	return s.skipStatement()
}

func constraint(t token) bool {
	for _, word := range [...]string{"primary", "unique", "key", "index", "constraint", "check", "foreign", "fulltext", "exclude"} {
		if t.is(word) {
			return true
		}
	}
	return false
}
