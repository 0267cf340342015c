package rulefile

import "go.yaml.in/yaml/v3"

// DecodeInParts is Decode with parts of so many bytes.
func DecodeInParts(data []byte, v any, inner func(v any, n *yaml.Node) any, size int) (*Lines, error) {
	lines, faults, err := decodeInParts(data, v, inner, size)
	if err == nil {
		err = faults.Err()
	}
	return lines, err
}

// Parts is how many parts the file was read in.
func (l *Lines) Parts() int { return len(l.places) }
