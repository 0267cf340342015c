package rulefile

import (
	"bytes"

	"go.yaml.in/yaml/v3"
)

// Layout is how the items of a list stand in a text.
type Layout uint8

// The layouts.
const (
	// InYAML: each item begins with a dash on a line of its own.
	InYAML Layout = iota
	// InJSON: the items stand between brackets, with commas between them.
	InJSON
	// InLines: the items follow each other without brackets and commas.
	InLines
)

// Items are where the items of the list [LinesOf] stand in a file.
type Items struct {
	Layout Layout
	// Start and End are the list's: in YAML those of its lines, in JSON what is
	// between the brackets.
	Start, End int
	// Indent is how many spaces stand before the dashes, of YAML.
	Indent int
	List   []Item
}

// Item is one item: data[Start:End]. In YAML that is whole lines, from the one with the dash to
// the last that is indented deeper; blank lines and comments behind it are not part of it.
type Item struct {
	ID         string // the value of its key "id"
	Start, End int
}

// FindItems finds the items of a file's list [LinesOf] without parsing those whose id is
// easy to see. ok is false of a text that is laid out in another way: as a flow of YAML,
// for example, or with tabs.
//
// What it finds in a file that is short enough to be parsed as a whole has to be
// compared with what that finds: a line within a quoted text may look like an item.
func FindItems(data []byte) (items *Items, ok bool) {
	f, whole, err := open(data, 1)
	if err != nil || whole.size() > MaxBytes {
		return nil, false
	}
	items = &Items{}
	switch text := f.(type) {
	case *yamlText:
		if odd(data) {
			return nil, false
		}
	case *jsonText:
		items.Layout = InJSON
		if text.rest > 0 {
			items.Layout = InLines
		}
	}
	list, ok := listOf(f, whole)
	if !ok {
		return nil, false
	}
	spans, ok := f.items(list)
	if !ok {
		return nil, false
	}
	items.Start, items.End = list.start, list.end
	items.List = make([]Item, len(spans))
	in := &room{}
	for i, s := range spans {
		item := Item{Start: s.start, End: s.end}
		if y, isYAML := f.(*yamlText); isYAML {
			item.Start, item.End, items.Indent = y.item(s)
		}
		if item.ID, ok = plainID(data[item.Start:item.End]); !ok {
			item.ID = parsedID(f, s, in)
		}
		items.List[i] = item
	}
	return items, true
}

// listOf is the text of the list's value.
func listOf(f format, whole span) (list span, ok bool) {
	entries, ok := f.entries(whole)
	if !ok {
		return span{}, false
	}
	for _, e := range entries {
		if e.key == LinesOf && e.value != nil {
			return *e.value, true
		}
	}
	return span{}, false
}

// item is where the lines of the span's item begin and end, and how deep its dash is.
func (y *yamlText) item(s span) (start, end, indent int) {
	start = -1
	for at := s.start; at < s.end; {
		next := s.end
		if i := bytes.IndexByte(y.data[at:s.end], '\n'); i >= 0 {
			next = at + i + 1
		}
		line := bytes.TrimRight(y.data[at:next], " \t\r\n")
		text := bytes.TrimLeft(line, " ")
		deep := len(line) - len(text)
		switch {
		case len(text) == 0:
		case start < 0 && text[0] != '#':
			start, end, indent = at, next, deep
		case start >= 0 && (text[0] != '#' || deep > indent):
			end = next
		}
		at = next
	}
	return start, end, indent
}

// plainID is the id of an item that begins with it, written without escapes.
func plainID(item []byte) (string, bool) {
	rest := bytes.TrimLeft(item, " \t\r\n")
	if after, dash := bytes.CutPrefix(rest, []byte("- ")); dash {
		rest = bytes.TrimLeft(after, " ")
	}
	if after, flow := bytes.CutPrefix(rest, []byte("{")); flow {
		rest = bytes.TrimLeft(after, " \t\r\n")
	}
	key, rest, quoted := plainWord(rest)
	rest, colon := bytes.CutPrefix(bytes.TrimLeft(rest, " "), []byte(":"))
	value := bytes.TrimLeft(rest, " ")
	if string(key) != "id" || !colon || !quoted && len(value) == len(rest) {
		return "", false
	}
	id, rest, _ := plainWord(value)
	if rest = bytes.TrimLeft(rest, " "); len(id) == 0 || len(rest) > 0 && !bytes.ContainsRune([]byte(",}\r\n"), rune(rest[0])) {
		return "", false
	}
	return string(id), true
}

// plainWord is the word that the text begins with, in quotes or not; nil if that is
// none of the characters of ids.
func plainWord(text []byte) (word, rest []byte, quoted bool) {
	if quoted = len(text) > 0 && (text[0] == '"' || text[0] == '\''); !quoted {
		n := wordLen(text)
		return text[:n], text[n:], false
	}
	n := wordLen(text[1:])
	if len(text) < n+2 || text[n+1] != text[0] {
		return nil, text, true
	}
	return text[1 : n+1], text[n+2:], true
}

// wordLen is how many of the characters of ids the text begins with.
func wordLen(text []byte) int {
	for i, c := range text {
		if (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && c != '.' && c != '_' && c != '-' {
			return i
		}
	}
	return len(text)
}

// parsedID is the id of an item that has it elsewhere, "" if it has none.
func parsedID(f format, s span, in *room) string {
	in.clear()
	n, err := f.tree(s, someItems, in)
	if err != nil || len(n.Content) != 1 || n.Content[0].Kind != yaml.MappingNode {
		return ""
	}
	entries := n.Content[0].Content
	for i := 0; i+1 < len(entries); i += 2 {
		if entries[i].Value == "id" {
			return string([]byte(entries[i+1].Value)) // the room's text is not held on to
		}
	}
	return ""
}
