package rulefile

import "go.yaml.in/yaml/v3"

// DecodeInParts is Decode with parts of so many bytes.
func DecodeInParts(data []byte, v any, inner func(v any, n *yaml.Node) any, size int) (*Lines, error) {
	lines, faults, _, err := decodeInParts(data, v, inner, nil, size)
	if err == nil {
		err = faults.Err()
	}
	return lines, err
}

// Parts is how many parts the file was read in.
func (l *Lines) Parts() int { return len(l.places) }

// PlainYAML and WholeYAML parse a text as the quick parser does, nil where it leaves
// that to the other one, and as the parser of the whole language does.
func PlainYAML(data string) *yaml.Node {
	p := plainYAML{text: data, line: 1, room: &room{}}
	return p.part()
}

func WholeYAML(data string) (*yaml.Node, error) { return yamlNode([]byte(data)) }

// PlainJSON and WholeJSON do the same of JSON.
func PlainJSON(data string) *yaml.Node {
	p := plainJSON{text: data, line: 1, room: &room{}}
	return p.part(oneValue, false)
}

func WholeJSON(data string) (*yaml.Node, error) { return jsonNode([]byte(data), 1) }
