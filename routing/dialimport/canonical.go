package dialimport

import (
	"bytes"
	"encoding/json"
	"io"

	"github.com/switchtape/switchtape/routing"
	"github.com/switchtape/switchtape/routing/internal/rulefile"
)

// WriteJSON writes a rule set as indented JSON, which [routing.Parse] reads.
// Sets that mean the same and have the same order of rules are written the same.
func WriteJSON(w io.Writer, rs *routing.RuleSet) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(written(rs))
}

// written returns what is to be written: the rates alone if there are no rules.
func written(rs *routing.RuleSet) any {
	if len(rs.Rules) > 0 || len(rs.Destinations) > 0 {
		return rs
	}
	return struct {
		Name     string                       `json:"name,omitempty"`
		Currency string                       `json:"currency,omitempty"`
		Rates    map[string][]routing.RateRow `json:"rates,omitempty"`
	}{rs.Name, rs.Currency, rs.Rates}
}

// WriteYAML writes a rule set, or the rates of one, as YAML, which
// [routing.Parse] reads. What fits a line is written on one.
func WriteYAML(w io.Writer, rs *routing.RuleSet) error {
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(written(rs)); err != nil {
		return err
	}
	out, err := rulefile.YAML(text.Bytes())
	if err != nil {
		return err
	}
	_, err = w.Write(out)
	return err
}
