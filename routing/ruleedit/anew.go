package ruleedit

import (
	"go.yaml.in/yaml/v3"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/routing"
	"github.com/switchtape/switchtape/routing/internal/rulefile"
)

// anew makes the edits in the tree of a YAML text and writes it anew, with its comments:
// for texts in which the rules don't stand on lines of their own.
func anew(text []byte, edits []Edit, rules []*routing.Rule) ([]byte, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal(text, &doc); err != nil {
		return nil, unsupported()
	}
	list := listOf(&doc)
	if list == nil {
		return nil, unsupported()
	}
	l := &nodeList{list}
	if _, err := changeAll(l, edits, rules); err != nil {
		return nil, err
	}
	out, err := rulefile.EncodeYAML(&doc)
	if err != nil {
		return nil, callmodel.Errorf(callmodel.CodeInternal, "writing the rules as YAML: %w", err)
	}
	return out, nil
}

// listOf is the list of rules of a document, nil if it has none.
func listOf(doc *yaml.Node) *yaml.Node {
	if doc.Kind != yaml.DocumentNode || len(doc.Content) != 1 || doc.Content[0].Kind != yaml.MappingNode {
		return nil
	}
	entries := doc.Content[0].Content
	for i := 0; i+1 < len(entries); i += 2 {
		if v := entries[i+1]; entries[i].Value == rulefile.LinesOf && v.Kind == yaml.SequenceNode {
			return v
		}
	}
	return nil
}

// nodeList is the rules as a tree of YAML.
type nodeList struct{ list *yaml.Node }

func (l *nodeList) len() int { return len(l.list.Content) }

func (l *nodeList) find(id string) int {
	for i, item := range l.list.Content {
		for j := 0; j+1 < len(item.Content); j += 2 {
			if item.Content[j].Value == "id" && item.Content[j+1].Value == id {
				return i
			}
		}
	}
	return -1
}

func (l *nodeList) rule(i int) (*routing.Rule, error) {
	text, err := yaml.Marshal(l.list.Content[i])
	if err != nil {
		return nil, err
	}
	return routing.ParseRule(text)
}

// node is the tree of a rule that is to be put into the list.
func (l *nodeList) node(r *routing.Rule, text []byte) (*yaml.Node, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal(text, &doc); err != nil || doc.Kind != yaml.DocumentNode || len(doc.Content) != 1 {
		block, err := rulefile.YAML(marshal(r))
		if err == nil {
			err = yaml.Unmarshal(block, &doc)
		}
		if err != nil {
			return nil, callmodel.Errorf(callmodel.CodeInternal, "writing rule %.40q as YAML: %w", r.ID, err)
		}
	}
	return doc.Content[0], nil
}

func (l *nodeList) insert(i int, r *routing.Rule, text []byte) error {
	n, err := l.node(r, text)
	if err == nil {
		l.list.Content = append(l.list.Content, n)
		l.move(len(l.list.Content)-1, i)
	}
	return err
}

func (l *nodeList) replace(i int, r *routing.Rule, text []byte) error {
	n, err := l.node(r, text)
	if err == nil {
		l.list.Content[i] = n
	}
	return err
}

func (l *nodeList) remove(i int) {
	l.list.Content = append(l.list.Content[:i], l.list.Content[i+1:]...)
}

func (l *nodeList) move(from, to int) { moveItem(l.list.Content, from, to) }
