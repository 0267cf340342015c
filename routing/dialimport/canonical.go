package dialimport

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"

	"go.yaml.in/yaml/v3"

	"github.com/switchtape/switchtape/routing"
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
	// JSON is YAML, but for some characters; its tree keeps the order of the fields.
	plain := escapeForYAML(text.Bytes())
	var doc yaml.Node
	if err := yaml.Unmarshal(plain, &doc); err != nil {
		return err
	}
	text = bytes.Buffer{}
	layOut(&doc)
	out := yaml.NewEncoder(w)
	out.SetIndent(2)
	if err := out.Encode(&doc); err != nil {
		return err
	}
	return out.Close()
}

// escapeForYAML escapes the characters of JSON's texts that YAML takes for the
// end of a line or a byte order mark, or doesn't take (YAML 1.2 section 5.1).
func escapeForYAML(text []byte) []byte {
	odd := func(r rune) bool { return r >= 0x7f && r <= 0x9f || r == 0xfeff || r == 0xfffe || r == 0xffff }
	if bytes.IndexFunc(text, odd) < 0 {
		return text
	}
	var out bytes.Buffer
	for _, r := range string(text) {
		if odd(r) {
			fmt.Fprintf(&out, `\u%04x`, r)
		} else {
			out.WriteRune(r)
		}
	}
	return out.Bytes()
}

// shortLine is how many bytes are written on one line.
const shortLine = 100

// layOut gives what is short the style of one line, the rest that of blocks. It
// returns how long the value is on one line.
func layOut(n *yaml.Node) int {
	if n.Kind == yaml.ScalarNode {
		n.Style &^= yaml.DoubleQuotedStyle
		return len(n.Value) + 2
	}
	size := 2
	for _, c := range n.Content {
		size += layOut(c) + 2
	}
	n.Style = 0
	if size <= shortLine && n.Kind != yaml.DocumentNode {
		n.Style = yaml.FlowStyle
	}
	return size
}
