package ruleedit

import (
	"bytes"
	"encoding/json"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/routing"
	"github.com/switchtape/switchtape/routing/internal/rulefile"
)

// Found is one rule of a set.
type Found struct {
	Index int // its place in the list of rules, from 0
	Rule  *routing.Rule
	// Text is how the rule is written, with the comments right above it: YAML or JSON by
	// itself, which can be the Rule of an [Edit]. Of a text in which the rules don't stand
	// on lines of their own it is the canonical JSON.
	Text []byte
}

// Find finds the rule with the id in the text of a rule set. Errors: CodeNotFound, and
// those of [routing.Parse].
func Find(text []byte, id string) (*Found, error) {
	missing := callmodel.Errorf(callmodel.CodeNotFound, "there is no rule %.40q in the set", id)
	t, ok := split(text)
	if ok {
		i := t.find(id)
		if i < 0 && len(text) > maxChecked {
			return nil, missing
		}
		if i >= 0 {
			if r, err := t.rule(i); err == nil && r.ID == id {
				return &Found{Index: i, Rule: r, Text: t.alone(i)}, nil
			}
		}
	}
	rs, err := routing.Parse(text)
	if err != nil {
		return nil, err
	}
	l := &ruleList{rs.Rules}
	i := l.find(id)
	if i < 0 {
		return nil, missing
	}
	return &Found{Index: i, Rule: &rs.Rules[i], Text: marshal(&rs.Rules[i])}, nil
}

// alone is how a rule is written, less the margin of the list.
func (t *pieces) alone(i int) []byte {
	if t.layout != rulefile.InYAML {
		var out bytes.Buffer
		if json.Indent(&out, t.list[i].body, "", "  ") != nil {
			return t.list[i].body
		}
		return out.Bytes()
	}
	margin := t.indent + len("- ")
	var out []byte
	for _, part := range [2][]byte{t.list[i].lead, t.plain(i)} {
		for line := range bytes.Lines(part) {
			spaces := len(line) - len(bytes.TrimLeft(line, " "))
			out = append(out, line[min(margin, spaces):]...)
		}
	}
	return out
}
