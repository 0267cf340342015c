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

// jsonText is a file in JSON, or in lines of JSON: an object without its long list,
// and behind it that list's items.
type jsonText struct {
	data  []byte
	part  int // bytes
	first int // where the text begins
	rest  int // where the items begin, of lines; 0 of one object
}

// behind is where something begins behind the object at a place, 0 if nothing
// does.
func behind(data []byte, at int) int {
	end := jsonEnd(data, at)
	if end < 0 {
		return 0
	}
	if at = jsonSpace(data, end); at < len(data) && data[at] == '{' {
		return at
	}
	return 0
}

func (j *jsonText) partSize() int { return j.part }

func (j *jsonText) inLines(s span) bool {
	return j.rest > 0 && (s.start == j.first || s.start == j.rest)
}

func (j *jsonText) begins(s span) int {
	return s.line + bytes.Count(j.data[s.start:jsonSpace(j.data[:s.end], s.start)], []byte{'\n'})
}

// entries divides an object.
func (j *jsonText) entries(s span) ([]span, bool) {
	if !j.inLines(s) || s.start != j.first {
		return j.object(s)
	}
	rest := span{start: j.rest, end: s.end, n: 1, line: s.line + bytes.Count(j.data[s.start:j.rest], []byte{'\n'})}
	list := rest
	rest.key, rest.at, rest.value = LinesOf, rest.line, &list
	head := s
	head.end = j.rest
	parts, ok := j.object(head)
	return append(parts, rest), ok
}

func (j *jsonText) object(s span) ([]span, bool) {
	return j.divide(s, '{', '}', func(at int) (end int, key string, value int) {
		end = jsonEnd(j.data[:s.end], at)
		if end < 0 || j.data[at] != '"' || json.Unmarshal(j.data[at:end], &key) != nil {
			return -1, "", 0
		}
		if at = jsonSpace(j.data[:s.end], end); at >= s.end || j.data[at] != ':' {
			return -1, "", 0
		}
		value = jsonSpace(j.data[:s.end], at+1)
		return jsonEnd(j.data[:s.end], value), key, value
	})
}

// items divides a list.
func (j *jsonText) items(s span) ([]span, bool) {
	if j.rest > 0 && s.start >= j.rest {
		return j.values(s)
	}
	return j.divide(s, '[', ']', func(at int) (end int, key string, value int) { return jsonEnd(j.data[:s.end], at), "", 0 })
}

// values divides what follows each other without brackets and commas.
func (j *jsonText) values(s span) ([]span, bool) {
	out := parts{size: j.part}
	line, counted := s.line, s.start
	for at := jsonSpace(j.data[:s.end], s.start); at < s.end; at = jsonSpace(j.data[:s.end], at) {
		line += bytes.Count(j.data[counted:at], []byte{'\n'})
		counted = at
		end := jsonEnd(j.data[:s.end], at)
		if end < 0 {
			return nil, false
		}
		out.add(span{start: at, end: end, line: line})
		at = end
	}
	return out.list, len(out.list) > 0
}

// divide finds the ends of what stands between brackets. next returns where the
// entry or item at a place ends, -1 if it doesn't.
func (j *jsonText) divide(s span, open, closing byte, next func(at int) (end int, key string, value int)) ([]span, bool) {
	out := parts{size: j.part}
	at := jsonSpace(j.data[:s.end], s.start)
	if at >= s.end || j.data[at] != open {
		return nil, false
	}
	line, counted := s.line, s.start
	for at++; ; at++ { // behind the bracket or comma
		if at = jsonSpace(j.data[:s.end], at); at >= s.end {
			return nil, false
		}
		line += bytes.Count(j.data[counted:at], []byte{'\n'})
		counted = at
		end, key, value := next(at)
		if end < 0 {
			return nil, false
		}
		now := span{start: at, end: end, line: line}
		if key != "" && now.size() > j.part {
			now.key, now.at = key, line
			now.value = &span{start: value, end: end, line: line + bytes.Count(j.data[at:value], []byte{'\n'})}
		}
		out.add(now)
		if at = jsonSpace(j.data[:s.end], end); at >= s.end {
			return nil, false
		}
		switch j.data[at] {
		case ',':
		case closing:
			return out.list, jsonSpace(j.data[:s.end], at+1) == s.end
		default:
			return nil, false
		}
	}
}

func (j *jsonText) tree(s span, as form, in *room) (*node, error) {
	text := j.data[s.start:s.end]
	plain := plainJSON{text: string(text), line: s.line, room: in}
	if n := plain.part(as, j.rest > 0 && s.start >= j.rest); n != nil {
		return n, nil
	}
	switch as {
	case someEntries:
		text = append(append([]byte{'{'}, text...), '}')
	case someItems:
		if j.rest > 0 && s.start >= j.rest {
			return jsonValues(text, s.line)
		}
		text = append(append([]byte{'['}, text...), ']')
	case oneValue:
	}
	return jsonNode(text, s.line)
}

// explain reads the whole file without keeping anything of it: the fault of a part
// can be that of a bracket far away.
func (j *jsonText) explain(err error) error {
	data := bytes.TrimPrefix(j.data, []byte("\xef\xbb\xbf"))
	p := jsonTree{dec: json.NewDecoder(bytes.NewReader(data)), data: data, line: 1}
	p.dec.UseNumber()
	for {
		switch _, fault := p.dec.Token(); {
		case errors.Is(fault, io.EOF):
			return err
		case fault != nil:
			return p.fault(fault)
		}
	}
}

// jsonSpace is where the white space at a place ends.
func jsonSpace(data []byte, at int) int {
	for at < len(data) && (data[at] == ' ' || data[at] == '\t' || data[at] == '\r' || data[at] == '\n') {
		at++
	}
	return at
}

// jsonEnd is where the value at a place ends, -1 if it doesn't. It only counts
// brackets and quotes: whether it is a value at all the parser says.
func jsonEnd(data []byte, at int) int {
	depth := 0
	for ; at < len(data); at++ {
		switch data[at] {
		case '"':
			for at++; at < len(data) && data[at] != '"'; at++ {
				if data[at] == '\\' {
					at++
				}
			}
			if at >= len(data) {
				return -1
			}
			if depth == 0 {
				return at + 1
			}
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth < 0 {
				return -1
			}
			if depth == 0 {
				return at + 1
			}
		case ',', ':', ' ', '\t', '\r', '\n':
		default: // a number or a name
			if depth > 0 {
				continue
			}
			for at < len(data) && !bytes.ContainsRune([]byte(",:]} \t\r\n"), rune(data[at])) {
				at++
			}
			return at
		}
		if depth == 0 {
			return -1
		}
	}
	return -1
}

// jsonNode parses a value that begins on a line of the file into the tree of YAML,
// which knows its lines. The parser of YAML refuses the tabs with which JSON may be
// indented.
func jsonNode(data []byte, line int) (*node, error) {
	p := jsonTree{dec: json.NewDecoder(bytes.NewReader(data)), data: data, line: line}
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
	return nil, p.fault(err)
}

// jsonValues parses values that follow each other, as items of a list.
func jsonValues(data []byte, line int) (*node, error) {
	p := jsonTree{dec: json.NewDecoder(bytes.NewReader(data)), data: data, line: line}
	p.dec.UseNumber()
	list := &yaml.Node{Kind: yaml.SequenceNode, Line: line}
	for {
		switch n, err := p.next(1); {
		case errors.Is(err, io.EOF):
			return list, nil
		case err != nil:
			return nil, p.fault(err)
		default:
			list.Content = append(list.Content, n)
		}
	}
}

type jsonTree struct {
	dec  *json.Decoder
	data []byte
	at   int
	line int
}

func (p *jsonTree) fault(err error) error {
	return callmodel.Errorf(callmodel.CodeMalformed, "the rule file is not JSON: line %d: %w", p.locate(), err)
}

// locate moves the line to where the decoder is, and returns it.
func (p *jsonTree) locate() int {
	to := min(int(p.dec.InputOffset()), len(p.data))
	p.line += bytes.Count(p.data[p.at:to], []byte("\n"))
	p.at = to
	return p.line
}

func (p *jsonTree) next(depth int) (*node, error) {
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
