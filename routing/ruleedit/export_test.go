package ruleedit

import "github.com/switchtape/switchtape/routing"

// ApplyInPlace is Apply by the places of the rules in the text alone, as with long texts;
// ok is false of a text in which they don't stand on lines of their own.
func ApplyInPlace(text []byte, edits []Edit) (edited []byte, ok bool, err error) {
	rules := make([]*routing.Rule, len(edits))
	for i := range edits {
		if rules[i], err = edits[i].rule(i); err != nil {
			return nil, true, err
		}
	}
	t, ok := split(text)
	if !ok {
		return nil, false, nil
	}
	edited, _, err = t.apply(edits, rules)
	return edited, true, err
}
