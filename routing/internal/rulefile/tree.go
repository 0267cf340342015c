package rulefile

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"

	"go.yaml.in/yaml/v3"

	"github.com/switchtape/switchtape/callmodel"
)

// Limits of a rule file.
const (
	// MaxBytes is the largest file that is read.
	MaxBytes = 512 << 20
	maxDepth = 16
)

// parseTree reads either format into the tree of YAML, which knows its lines.
func parseTree(data []byte) (*yaml.Node, error) {
	if len(data) > MaxBytes {
		return nil, callmodel.Errorf(callmodel.CodeTooLarge, "the rule file has %d bytes, at most %d are read", len(data), MaxBytes)
	}
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	trimmed := bytes.TrimLeft(data, " \t\r\n")
	if len(trimmed) == 0 {
		return nil, &callmodel.Error{Code: callmodel.CodeMalformed, Message: "the rule file is empty"}
	}
	if trimmed[0] == '{' {
		return jsonNode(data)
	}
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var doc yaml.Node
	switch err := dec.Decode(&doc); {
	case errors.Is(err, io.EOF):
		return nil, &callmodel.Error{Code: callmodel.CodeMalformed, Message: "the rule file holds nothing but comments"}
	case err != nil:
		return nil, callmodel.Errorf(callmodel.CodeMalformed, "the rule file is not YAML: %w", err)
	}
	var second yaml.Node
	if err := dec.Decode(&second); !errors.Is(err, io.EOF) {
		return nil, &callmodel.Error{Code: callmodel.CodeMalformed, Message: "the rule file holds more than one YAML document; give one"}
	}
	if doc.Kind == yaml.DocumentNode && len(doc.Content) == 1 {
		return doc.Content[0], nil
	}
	return nil, &callmodel.Error{Code: callmodel.CodeMalformed, Message: "the rule file holds nothing but comments"}
}

// jsonNode reads JSON into the same tree. The parser of YAML refuses the tabs with
// which JSON may be indented.
func jsonNode(data []byte) (*yaml.Node, error) {
	p := jsonTree{dec: json.NewDecoder(bytes.NewReader(data)), data: data, line: 1}
	p.dec.UseNumber()
	n, err := p.next(0)
	if err == nil {
		if _, err = p.dec.Token(); errors.Is(err, io.EOF) {
			return n, nil
		}
		if err == nil {
			err = errors.New("data follows the JSON object")
		}
	}
	p.locate()
	return nil, callmodel.Errorf(callmodel.CodeMalformed, "the rule file is not JSON: line %d: %w", p.line, err)
}

type jsonTree struct {
	dec  *json.Decoder
	data []byte
	at   int
	line int
}

// locate moves the line to where the decoder is, and returns it.
func (p *jsonTree) locate() int {
	to := min(int(p.dec.InputOffset()), len(p.data))
	p.line += bytes.Count(p.data[p.at:to], []byte("\n"))
	p.at = to
	return p.line
}

func (p *jsonTree) next(depth int) (*yaml.Node, error) {
	tok, err := p.dec.Token()
	if err != nil {
		return nil, err
	}
	if depth > maxDepth {
		return nil, fmt.Errorf("it is nested deeper than %d", maxDepth)
	}
	n := &yaml.Node{Kind: yaml.ScalarNode, Line: p.locate()}
	switch t := tok.(type) {
	case json.Delim:
		n.Kind = yaml.SequenceNode
		if t == '{' {
			n.Kind = yaml.MappingNode
		}
		for p.dec.More() {
			child, err := p.next(depth + 1)
			if err != nil {
				return nil, err
			}
			n.Content = append(n.Content, child)
		}
		_, err := p.dec.Token() // the closing bracket
		return n, err
	case string:
		n.Tag, n.Value = "!!str", t
	case json.Number:
		n.Tag, n.Value = "!!int", t.String()
	case bool:
		n.Tag, n.Value = "!!bool", strconv.FormatBool(t)
	default:
		n.Tag = "!!null"
	}
	return n, nil
}
