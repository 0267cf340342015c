package apidocs

import (
	"bytes"
	"errors"
	"fmt"

	"go.yaml.in/yaml/v3"
)

// head is what the contract of all handlers together begins with.
const head = `openapi: 3.1.0
info:
  title: Switchtape
  version: "1"
  license: {name: Apache-2.0, identifier: Apache-2.0}
servers:
  - {url: /}
`

// Join makes one OpenAPI file of several. Their paths must differ. What components
// have in common must be the same, and is there once. The description is that of the
// first.
func Join(contracts ...[]byte) ([]byte, error) {
	var whole yaml.Node
	if err := yaml.Unmarshal([]byte(head), &whole); err != nil {
		return nil, err
	}
	root := whole.Content[0]
	tags := &yaml.Node{Kind: yaml.SequenceNode}
	paths, components := mapping(), mapping()
	for i, text := range contracts {
		var doc yaml.Node
		if err := yaml.Unmarshal(text, &doc); err != nil {
			return nil, fmt.Errorf("the contract %d: %w", i, err)
		}
		if len(doc.Content) == 0 {
			return nil, fmt.Errorf("the contract %d is empty", i)
		}
		one := doc.Content[0]
		if list := value(one, "tags"); list != nil {
			tags.Content = append(tags.Content, list.Content...)
		}
		if i == 0 {
			describe(value(root, "info"), value(one, "info"))
		}
		if err := add(paths, value(one, "paths"), "the path"); err != nil {
			return nil, err
		}
		if err := addComponents(components, value(one, "components")); err != nil {
			return nil, err
		}
	}
	root.Content = append(root.Content, named("tags"), tags, named("paths"), paths, named("components"), components)
	var out bytes.Buffer
	enc := yaml.NewEncoder(&out)
	enc.SetIndent(2)
	if err := errors.Join(enc.Encode(&whole), enc.Close()); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// describe gives the info the description of another.
func describe(info, of *yaml.Node) {
	if info == nil || of == nil {
		return
	}
	if d := value(of, "description"); d != nil {
		info.Content = append(info.Content, named("description"), d)
	}
}

// addComponents adds the components of each kind that aren't there.
func addComponents(to, from *yaml.Node) error {
	if from == nil {
		return nil
	}
	for k := 0; k+1 < len(from.Content); k += 2 {
		name := from.Content[k].Value
		kind := value(to, name)
		if kind == nil {
			kind = mapping()
			to.Content = append(to.Content, named(name), kind)
		}
		if err := add(kind, from.Content[k+1], "of components, "+name); err != nil {
			return err
		}
	}
	return nil
}

// add adds the pairs of from that to doesn't have. Those that it has must be the same.
func add(to, from *yaml.Node, what string) error {
	if from == nil {
		return nil
	}
	for k := 0; k+1 < len(from.Content); k += 2 {
		name := from.Content[k].Value
		have := value(to, name)
		switch {
		case have == nil:
			to.Content = append(to.Content, from.Content[k], from.Content[k+1])
		case what == "the path" || !same(have, from.Content[k+1]):
			return fmt.Errorf("%s %q is described twice, and not alike", what, name)
		}
	}
	return nil
}

// same reports whether the nodes say the same, wherever they stand.
func same(a, b *yaml.Node) bool {
	if a.Kind != b.Kind || a.Value != b.Value || len(a.Content) != len(b.Content) {
		return false
	}
	for i := range a.Content {
		if !same(a.Content[i], b.Content[i]) {
			return false
		}
	}
	return true
}

func mapping() *yaml.Node { return &yaml.Node{Kind: yaml.MappingNode} }

func named(s string) *yaml.Node { return &yaml.Node{Kind: yaml.ScalarNode, Value: s} }

// value is what the mapping has under the name; nil for nothing.
func value(m *yaml.Node, name string) *yaml.Node {
	for k := 0; k+1 < len(m.Content); k += 2 {
		if m.Content[k].Value == name {
			return m.Content[k+1]
		}
	}
	return nil
}
