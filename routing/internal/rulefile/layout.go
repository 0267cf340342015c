package rulefile

import (
	"bytes"
	"fmt"

	"go.yaml.in/yaml/v3"
)

// YAML writes JSON as YAML. What fits a line is written on one, and fields keep their
// order.
func YAML(json []byte) ([]byte, error) {
	// JSON is YAML, but for some characters; its tree keeps the order of the fields.
	var doc yaml.Node
	if err := yaml.Unmarshal(escapeForYAML(json), &doc); err != nil {
		return nil, err
	}
	layOut(&doc)
	return EncodeYAML(&doc)
}

// EncodeYAML writes a tree of YAML.
func EncodeYAML(doc *yaml.Node) ([]byte, error) {
	var text bytes.Buffer
	out := yaml.NewEncoder(&text)
	out.SetIndent(2)
	if err := out.Encode(doc); err != nil {
		return nil, err
	}
	if err := out.Close(); err != nil {
		return nil, err
	}
	return text.Bytes(), nil
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
