package rulefile

import (
	"encoding/json"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// plainJSON parses JSON into nodes in a fraction of the time that encoding/json
// takes for its tokens. What it doesn't take as it is, faults first of all, it
// leaves to jsonTree: then its methods return nil, or false.
type plainJSON struct {
	text string
	at   int
	line int
	room *room
}

// part parses the text of a part.
func (p *plainJSON) part(as form, lines bool) *node {
	p.space()
	n := p.room.node()
	n.Line = p.line
	var ok bool
	switch {
	case as == someEntries:
		n.Kind = yaml.MappingNode
		ok = p.entries(n, 0)
	case as == someItems && lines:
		n.Kind = yaml.SequenceNode
		ok = p.values(n)
	case as == someItems:
		n.Kind = yaml.SequenceNode
		ok = p.items(n, 0)
	default:
		n = p.value(0)
		ok = n != nil
	}
	if p.space(); !ok || p.at < len(p.text) {
		return nil
	}
	return n
}

func (p *plainJSON) space() {
	for ; p.at < len(p.text); p.at++ {
		switch p.text[p.at] {
		case '\n':
			p.line++
		case ' ', '\t', '\r':
		default:
			return
		}
	}
}

// is reports whether that byte is next, and passes it.
func (p *plainJSON) is(c byte) bool {
	if p.at >= len(p.text) || p.text[p.at] != c {
		return false
	}
	p.at++
	return true
}

func (p *plainJSON) value(depth int) *node {
	if p.at >= len(p.text) || depth > maxDepth {
		return nil
	}
	n := p.room.node()
	n.Kind, n.Line = yaml.ScalarNode, p.line
	var ok bool
	switch c := p.text[p.at]; c {
	case '{':
		n.Kind = yaml.MappingNode
		p.at++
		p.space()
		ok = p.is('}') || p.entries(n, depth) && p.is('}')
	case '[':
		n.Kind = yaml.SequenceNode
		p.at++
		p.space()
		ok = p.is(']') || p.items(n, depth) && p.is(']')
	case '"':
		n.Tag = "!!str"
		n.Value, ok = p.string()
	case 't':
		n.Tag, n.Value, ok = "!!bool", "true", p.word("true")
	case 'f':
		n.Tag, n.Value, ok = "!!bool", "false", p.word("false")
	case 'n':
		n.Tag, ok = "!!null", p.word("null")
	default:
		n.Tag = "!!int"
		n.Value, ok = p.number()
	}
	if !ok {
		return nil
	}
	return n
}

func (p *plainJSON) word(w string) bool {
	ok := strings.HasPrefix(p.text[p.at:], w)
	p.at += len(w)
	return ok
}

// number takes whole numbers.
func (p *plainJSON) number() (string, bool) {
	start := p.at
	p.is('-')
	digits := p.at
	for p.at < len(p.text) && p.text[p.at] >= '0' && p.text[p.at] <= '9' {
		p.at++
	}
	if n := p.at - digits; n == 0 || n > 1 && p.text[digits] == '0' {
		return "", false
	}
	if p.at < len(p.text) && strings.IndexByte(".eE", p.text[p.at]) >= 0 {
		return "", false
	}
	return p.text[start:p.at], true
}

func (p *plainJSON) string() (string, bool) {
	start, escaped, wide := p.at, false, false
	for p.at++; p.at < len(p.text); p.at++ {
		switch c := p.text[p.at]; {
		case c == '"':
			p.at++
			s := p.text[start+1 : p.at-1]
			if !escaped && (!wide || utf8.ValidString(s)) {
				return s, true
			}
			err := json.Unmarshal([]byte(p.text[start:p.at]), &s)
			return s, err == nil
		case c == '\\':
			escaped = true
			p.at++
		case c < ' ':
			return "", false
		case c >= utf8.RuneSelf:
			wide = true
		}
	}
	return "", false
}

// entries parses what stands between braces, at least one entry, up to the brace or
// the end.
func (p *plainJSON) entries(n *node, depth int) bool {
	since := len(p.room.open)
	for {
		if p.at >= len(p.text) || p.text[p.at] != '"' {
			return false
		}
		key := p.value(depth + 1)
		if key == nil {
			return false
		}
		if p.space(); !p.is(':') {
			return false
		}
		p.space()
		value := p.value(depth + 1)
		if value == nil {
			return false
		}
		p.room.open = append(p.room.open, key, value)
		if p.space(); !p.is(',') {
			p.room.close(n, since)
			return true
		}
		p.space()
	}
}

// items parses what stands between brackets, at least one item, up to the bracket or
// the end.
func (p *plainJSON) items(n *node, depth int) bool {
	since := len(p.room.open)
	for {
		item := p.value(depth + 1)
		if item == nil {
			return false
		}
		p.room.open = append(p.room.open, item)
		if p.space(); !p.is(',') {
			p.room.close(n, since)
			return true
		}
		p.space()
	}
}

// values parses values that follow each other.
func (p *plainJSON) values(n *node) bool {
	since := len(p.room.open)
	for p.at < len(p.text) {
		item := p.value(1)
		if item == nil {
			return false
		}
		p.room.open = append(p.room.open, item)
		p.space()
	}
	p.room.close(n, since)
	return true
}
