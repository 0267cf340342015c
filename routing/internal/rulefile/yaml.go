package rulefile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"github.com/switchtape/switchtape/callmodel"
)

type node = yaml.Node

// yamlText is a file in YAML. It is divided at lines that have the indentation of
// its entries or items. What such a line can't be told to begin is not divided.
type yamlText struct {
	data []byte
	part int // bytes
}

// textLine is a line that holds more than a comment.
type textLine struct {
	start, indent int
	line          int // from 1
	text          []byte
}

// lines visits the lines of the span that aren't empty or comments, until f
// returns false.
func (y *yamlText) lines(s span, f func(l textLine) bool) {
	line := s.line
	for at := s.start; at < s.end; line++ {
		next := s.end
		if i := bytes.IndexByte(y.data[at:s.end], '\n'); i >= 0 {
			next = at + i + 1
		}
		text := bytes.TrimRight(y.data[at:next], " \t\r\n")
		indent := 0
		for indent < len(text) && text[indent] == ' ' {
			indent++
		}
		if text = text[indent:]; len(text) > 0 && text[0] != '#' {
			if !f(textLine{start: at, indent: indent, line: line, text: text}) {
				return
			}
		}
		at = next
	}
}

func (y *yamlText) begins(s span) int {
	line := s.line
	y.lines(s, func(l textLine) bool {
		line = l.line
		return false
	})
	return line
}

// keyStart is how an entry begins that is nothing but a key and a value.
var keyStart = regexp.MustCompile(`^[A-Za-z0-9_+"']`)

// bareKey is an entry whose value begins on the next line.
var bareKey = regexp.MustCompile(`^([A-Za-z0-9_][A-Za-z0-9_.+-]*):(?:[ \t]+#.*)?$`)

func (y *yamlText) entries(s span) ([]span, bool) {
	return y.divide(s, func(l textLine) (begins, ok bool) {
		if l.text[0] == '-' { // an item of the entry's list, which may stand below its key
			return false, isItem(l.text)
		}
		return true, keyStart.Match(l.text)
	}, true)
}

func (y *yamlText) items(s span) ([]span, bool) {
	return y.divide(s, func(l textLine) (begins, ok bool) { return true, isItem(l.text) }, false)
}

// divide begins a part at the lines of the first one's indentation at which
// something begins.
func (y *yamlText) divide(s span, begins func(textLine) (begins, ok bool), keyed bool) ([]span, bool) {
	out := parts{size: y.part}
	indent, ok := -1, true
	var now span // from the first line on
	var first textLine
	deeper, listed := false, false // what the entry has had on lines below its key
	end := func(at int) {
		if now.line == 0 {
			return
		}
		now.end = at
		if m := bareKey.FindSubmatch(first.text); keyed && m != nil && len(m[1]) <= maxKey && now.size() > y.part {
			now.key, now.at = string(m[1]), first.line
			now.value = y.below(span{start: first.start, end: at, line: first.line})
		}
		out.add(now)
	}
	y.lines(s, func(l textLine) bool {
		if indent < 0 {
			indent = l.indent
		}
		switch {
		case l.indent > indent:
			deeper = true
		case l.indent < indent:
			ok = false
		default:
			var here bool
			here, ok = begins(l)
			if ok = ok && (here || now.line > 0); ok && here {
				end(l.start)
				if now = (span{start: l.start, line: l.line}); first.line == 0 {
					now = span{start: s.start, line: s.line} // with the comments before it, which must be text
				}
				first, deeper, listed = l, false, false
			} else if ok {
				ok, listed = listed || !deeper, true
			}
		}
		return ok
	})
	end(s.end)
	return out.list, ok && len(out.list) > 0
}

// below is the span's text after its first line.
func (y *yamlText) below(s span) *span {
	at := s.end
	if i := bytes.IndexByte(y.data[s.start:s.end], '\n'); i >= 0 {
		at = s.start + i + 1
	}
	return &span{start: at, end: s.end, line: s.line + 1}
}

// isItem reports whether the line begins an item of a list.
func isItem(text []byte) bool {
	return text[0] == '-' && (len(text) == 1 || text[1] == ' ' || text[1] == '\t')
}

func (y *yamlText) tree(s span, as form, in *room) (*node, error) {
	text := plainYAML{text: string(y.data[s.start:s.end]), line: s.line, room: in}
	if as == someItems {
		if n := y.list(s, &text); n != nil {
			return n, nil
		}
	} else if n := text.part(); n != nil {
		return n, nil
	}
	n, err := yamlNode(y.data[s.start:s.end])
	if err != nil {
		return nil, y.located(s, err)
	}
	shift(n, s.line-1)
	return n, nil
}

// list parses a part of items. Those that aren't plain are parsed one by one by the
// parser of the whole language. nil if that refuses one.
func (y *yamlText) list(s span, p *plainYAML) *node {
	column, ok := p.next()
	if !ok || column < 0 || !p.item() {
		return nil
	}
	n := p.room.node()
	n.Kind, n.Line = yaml.SequenceNode, p.line
	since := len(p.room.open)
	for more := true; more; {
		at, line, open := p.at, p.line, len(p.room.open)
		item, behind := p.listItem(column, 0)
		if more = behind == column && p.at < len(p.text) && p.item(); item == nil || !more && p.at < len(p.text) {
			p.room.open = p.room.open[:open]
			odd := span{start: s.start + at - column, end: s.end, line: line}
			y.lines(odd, func(l textLine) bool {
				more = l.line > line && l.indent == column && isItem(l.text)
				if more {
					odd.end, p.at, p.line = l.start, l.start-s.start+column, l.line
				}
				return !more
			})
			parsed, err := yamlNode(y.data[odd.start:odd.end])
			if err != nil || parsed.Kind != yaml.SequenceNode || len(parsed.Content) != 1 {
				return nil
			}
			shift(parsed, line-1)
			item = parsed.Content[0]
		}
		p.room.open = append(p.room.open, item)
	}
	return p.room.close(n, since)
}

func (y *yamlText) partSize() int { return y.part }

// odd reports a text whose parts might be taken for something else than the whole: YAML
// sees lines in it that don't end in a line feed, characters that it doesn't allow, in a
// comment as elsewhere, or a tab where a line is indented.
func odd(data []byte) bool {
	indent := true // nothing but spaces since the line began
	for i := 0; i < len(data); i++ {
		switch b := data[i]; {
		case b == '\n':
			indent = true
		case b == '\r':
			if i+1 == len(data) || data[i+1] != '\n' {
				return true
			}
		case b == '\t':
			if indent {
				return true
			}
		case b == ' ':
		case b < ' ' || b == 0x7f:
			return true
		case b < utf8.RuneSelf:
			indent = false
		default:
			r, size := utf8.DecodeRune(data[i:])
			switch {
			case r == utf8.RuneError && size == 1, r < 0xa0, r == '\u2028', r == '\u2029', r == '\ufeff', r == '\ufffe', r == '\uffff':
				return true
			}
			i += size - 1
			indent = false
		}
	}
	return false
}

func (*yamlText) inLines(span) bool { return false }

func (*yamlText) explain(err error) error {
	return fmt.Errorf("%w (a file of more than %d bytes is read in parts: begin each entry and each rule on a line of its own)", err, maxPart)
}

// located is the fault of a part with the line of the file in its text.
func (y *yamlText) located(s span, err error) error {
	if s.line == 1 {
		return err
	}
	padded := append(bytes.Repeat([]byte{'\n'}, s.line-1), y.data[s.start:s.end]...)
	if _, again := yamlNode(padded); again != nil {
		return again
	}
	return err
}

// shift moves the lines of a tree.
func shift(n *node, by int) {
	if by == 0 {
		return
	}
	n.Line += by
	for _, c := range n.Content {
		shift(c, by)
	}
}

// yamlNode parses a text that holds one document.
func yamlNode(data []byte) (*node, error) {
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
