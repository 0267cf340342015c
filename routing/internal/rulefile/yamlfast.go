package rulefile

import (
	"strings"

	"go.yaml.in/yaml/v3"
)

// plainYAML parses YAML as people and programs write nearly all of it, in a fraction
// of the time that the whole language takes: blocks of lists and mappings, flow
// collections on one line, and scalars on one line without escapes, in ASCII. What
// it doesn't take, faults first of all, it leaves to yamlNode: then its methods
// return nil, or false.
type plainYAML struct {
	text string
	at   int
	line int
	room *room
}

// maxNested bounds what calls itself.
const maxNested = 2 * maxDepth

// part parses a text of lines, of which the first may be indented.
func (p *plainYAML) part() *node {
	indent, ok := p.next()
	if !ok || indent < 0 {
		return nil
	}
	n := p.block(indent, 0)
	if n == nil || p.at < len(p.text) {
		return nil
	}
	return n
}

// next moves from the start of a line to what stands in the next line that holds
// something, and returns its indentation, -1 at the end. It is false of lines that
// aren't plain.
func (p *plainYAML) next() (indent int, ok bool) {
	for p.at < len(p.text) {
		start := p.at
		for p.at < len(p.text) && p.text[p.at] == ' ' {
			p.at++
		}
		if p.at == len(p.text) {
			break
		}
		switch c := p.text[p.at]; c {
		case '\r', '\n', '#':
			if !p.lineEnd() {
				return 0, false
			}
		default:
			return p.at - start, true
		}
	}
	return -1, true
}

// lineEnd passes the end of a line, with the spaces and the comment before it. A
// comment stands behind a space, or at the start of a line.
func (p *plainYAML) lineEnd() bool {
	start := p.at
	for p.at < len(p.text) && p.text[p.at] == ' ' {
		p.at++
	}
	if p.at < len(p.text) && p.text[p.at] == '#' {
		if start == p.at && p.at > 0 && p.text[p.at-1] != ' ' && p.text[p.at-1] != '\n' {
			return false
		}
		for p.at < len(p.text) && p.text[p.at] >= ' ' && p.text[p.at] <= '~' {
			p.at++
		}
	}
	if p.at == len(p.text) {
		return true
	}
	if p.text[p.at] == '\r' {
		p.at++
	}
	if p.at == len(p.text) || p.text[p.at] != '\n' {
		return false
	}
	p.at++
	p.line++
	return true
}

// block parses the list or mapping that begins here, in this column, and moves to
// what stands behind it.
func (p *plainYAML) block(column, depth int) *node {
	switch {
	case p.item():
		return p.list(column, depth)
	case p.key():
		return p.mapping(column, depth)
	}
	return nil
}

// item reports whether an item of a list begins here.
func (p *plainYAML) item() bool {
	return p.text[p.at] == '-' && p.at+1 < len(p.text) && strings.IndexByte(" \r\n", p.text[p.at+1]) >= 0
}

// list parses items that begin in this column.
func (p *plainYAML) list(column, depth int) *node {
	n := p.room.node()
	n.Kind, n.Line = yaml.SequenceNode, p.line
	since := len(p.room.open)
	for {
		item, behind := p.listItem(column, depth)
		if item == nil {
			return nil
		}
		p.room.open = append(p.room.open, item)
		if behind < column {
			return p.room.close(n, since)
		}
		if behind > column || !p.item() {
			return nil
		}
	}
}

// listItem parses the item that begins here, and returns the indentation of what
// stands behind it.
func (p *plainYAML) listItem(column, depth int) (n *node, behind int) {
	if depth > maxNested {
		return nil, 0
	}
	at := p.at
	p.at++
	for p.at < len(p.text) && p.text[p.at] == ' ' {
		p.at++
	}
	if p.at == len(p.text) {
		return nil, 0
	}
	switch inner := column + p.at - at; {
	case strings.IndexByte("#\r\n", p.text[p.at]) >= 0:
		return p.below(column, depth)
	case p.item():
		n = p.list(inner, depth+1)
		return n, p.behind(n)
	case p.key():
		n = p.mapping(inner, depth+1)
		return n, p.behind(n)
	default:
		return p.inline(column, depth)
	}
}

// below parses the block that begins on the next line, deeper than the column.
func (p *plainYAML) below(column, depth int) (n *node, behind int) {
	if !p.lineEnd() {
		return nil, 0
	}
	indent, ok := p.next()
	if !ok || indent <= column {
		return nil, 0
	}
	n = p.block(indent, depth+1)
	return n, p.behind(n)
}

// behind is the indentation of what stands here, behind a block; -1 at the end.
func (p *plainYAML) behind(n *node) int {
	if n == nil || p.at == len(p.text) {
		return -1
	}
	return p.at - 1 - strings.LastIndexByte(p.text[:p.at], '\n')
}

// inline parses a value up to the end of its line, and returns the indentation of
// what stands behind it: it may not be deeper than the column, which would go on
// with the value.
func (p *plainYAML) inline(column, depth int) (n *node, behind int) {
	n = p.flow(depth, false)
	if n == nil || !p.lineEnd() {
		return nil, 0
	}
	behind, ok := p.next()
	if !ok || behind > column {
		return nil, 0
	}
	return n, behind
}

// mapping parses entries whose keys begin in this column.
func (p *plainYAML) mapping(column, depth int) *node {
	n := p.room.node()
	n.Kind, n.Line = yaml.MappingNode, p.line
	since := len(p.room.open)
	for {
		key := p.scalar(keyScalar)
		if key == nil || depth > maxNested || !p.is(':') {
			return nil
		}
		value, behind := p.entryValue(column, depth)
		if value == nil {
			return nil
		}
		p.room.open = append(p.room.open, key, value)
		if behind < column {
			return p.room.close(n, since)
		}
		if behind > column || !p.key() {
			return nil
		}
	}
}

// entryValue parses what stands behind a colon.
func (p *plainYAML) entryValue(column, depth int) (n *node, behind int) {
	for p.at < len(p.text) && p.text[p.at] == ' ' {
		p.at++
	}
	if p.at == len(p.text) {
		return nil, 0
	}
	if strings.IndexByte("#\r\n", p.text[p.at]) < 0 {
		return p.inline(column, depth+1)
	}
	if !p.lineEnd() {
		return nil, 0
	}
	indent, ok := p.next()
	if !ok || indent < column || indent == column && !p.item() {
		return nil, 0
	}
	if indent == column { // a list may stand in the column of its key
		n = p.sameColumn(column, depth+1)
		return n, p.behind(n)
	}
	n = p.block(indent, depth+1)
	return n, p.behind(n)
}

// sameColumn parses a list in the column of its key, which ends at the next key.
func (p *plainYAML) sameColumn(column, depth int) *node {
	n := p.room.node()
	n.Kind, n.Line = yaml.SequenceNode, p.line
	since := len(p.room.open)
	for {
		item, behind := p.listItem(column, depth)
		if item == nil {
			return nil
		}
		p.room.open = append(p.room.open, item)
		if behind < column || behind == column && !p.item() {
			return p.room.close(n, since)
		}
		if behind > column {
			return nil
		}
	}
}

// maxKey bounds a key; YAML has 1024 characters for what may be one.
const maxKey = 128

// key reports whether a key with its colon begins here.
func (p *plainYAML) key() bool {
	end := p.at
	if quote := p.text[end]; quote == '"' || quote == '\'' {
		i := strings.IndexByte(p.text[end+1:min(len(p.text), end+maxKey)], quote)
		if end += i + 2; i < 0 {
			return false
		}
	} else if plainFirst(quote) {
		for end < len(p.text) && end-p.at < maxKey && plainInner(p.text[end]) {
			end++
		}
	}
	return end > p.at && end+1 < len(p.text) && p.text[end] == ':' && strings.IndexByte(" \r\n", p.text[end+1]) >= 0
}

// Where a scalar stands says what ends it.
type scalarIn uint8

const (
	keyScalar scalarIn = iota
	flowScalar
	blockScalar
)

// scalar parses the scalar that begins here.
func (p *plainYAML) scalar(in scalarIn) *node {
	if p.at == len(p.text) {
		return nil
	}
	n := p.room.node()
	n.Kind, n.Line = yaml.ScalarNode, p.line
	ok := false
	switch c := p.text[p.at]; {
	case c == '"' || c == '\'':
		n.Tag = "!!str"
		n.Value, ok = p.quoted(c)
	case plainFirst(c):
		n.Value, ok = p.plain(in)
		if !resolved(c) {
			n.Tag = "!!str"
		}
	}
	if !ok {
		return nil
	}
	return n
}

// quoted parses a scalar in quotes that holds no escapes.
func (p *plainYAML) quoted(quote byte) (string, bool) {
	start := p.at + 1
	for p.at++; p.at < len(p.text); p.at++ {
		switch c := p.text[p.at]; {
		case c == quote:
			p.at++
			return p.text[start : p.at-1], p.at == len(p.text) || p.text[p.at] != quote
		case c < ' ' || c > '~' || c == '\\' && quote == '"':
			return "", false
		}
	}
	return "", false
}

// plain parses a scalar without quotes.
func (p *plainYAML) plain(in scalarIn) (string, bool) {
	start, end := p.at, p.at
	for ; p.at < len(p.text); p.at++ {
		c := p.text[p.at]
		switch {
		case c == ' ' && in != keyScalar:
			continue
		case plainInner(c), in == blockScalar && c > ' ' && c <= '~' && c != ':' && c != '#':
		case c == ':' && in != keyScalar && p.at+1 < len(p.text) && plainInner(p.text[p.at+1]):
		case c == '#' && p.text[p.at-1] == ' ': // a comment
			p.at = end
			return p.text[start:end], true
		case c == ':' && in == flowScalar: // it is a key
			p.at = end
			return p.text[start:end], true
		case c == ':' && in == keyScalar, c == '\r' || c == '\n', in == flowScalar && strings.IndexByte(",]}", c) >= 0:
			p.at = end
			return p.text[start:end], true
		default:
			return "", false
		}
		end = p.at + 1
	}
	p.at = end
	return p.text[start:end], true
}

func alphanumeric(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c >= 'A' && c <= 'Z'
}

// plainFirst reports whether a plain scalar may begin with c here.
func plainFirst(c byte) bool { return alphanumeric(c) || c == '_' || c == '+' }

// plainInner reports whether c means nothing but itself within a plain scalar.
func plainInner(c byte) bool {
	return alphanumeric(c) || strings.IndexByte("_+-.*/@=;$", c) >= 0
}

// resolved reports whether a plain scalar that begins with c may be something else
// than text: a number, true, null.
func resolved(c byte) bool { return c >= '0' && c <= '9' || strings.IndexByte("+yYnNtTfFoO", c) >= 0 }

// flow parses a value that stands on one line.
func (p *plainYAML) flow(depth int, inFlow bool) *node {
	if p.at == len(p.text) || depth > maxNested {
		return nil
	}
	kind, closing := yaml.MappingNode, byte('}')
	switch p.text[p.at] {
	case '[':
		kind, closing = yaml.SequenceNode, ']'
	case '{':
	default:
		if inFlow {
			return p.scalar(flowScalar)
		}
		return p.scalar(blockScalar)
	}
	n := p.room.node()
	n.Kind, n.Line = kind, p.line
	since := len(p.room.open)
	p.at++
	for first := true; ; first = false {
		if p.spaces(); first && p.is(closing) {
			return p.room.close(n, since)
		}
		if kind == yaml.MappingNode && !p.flowKey() {
			return nil
		}
		value := p.flow(depth+1, true)
		if value == nil {
			return nil
		}
		p.room.open = append(p.room.open, value)
		if p.spaces(); p.is(closing) {
			return p.room.close(n, since)
		}
		if !p.is(',') {
			return nil
		}
	}
}

// flowKey parses a key in braces, with its colon and the space behind it.
func (p *plainYAML) flowKey() bool {
	start := p.at
	key := p.scalar(flowScalar)
	if key == nil || p.at-start > 128 || !p.is(':') || !p.is(' ') {
		return false
	}
	p.room.open = append(p.room.open, key)
	p.spaces()
	return true
}

func (p *plainYAML) spaces() {
	for p.at < len(p.text) && p.text[p.at] == ' ' {
		p.at++
	}
}

func (p *plainYAML) is(c byte) bool {
	if p.at >= len(p.text) || p.text[p.at] != c {
		return false
	}
	p.at++
	return true
}
