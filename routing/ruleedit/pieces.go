package ruleedit

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/routing"
	"github.com/switchtape/switchtape/routing/internal/rulefile"
)

// piece is a rule in its text.
//
//	YAML   # above            lead
//	       - id: a            body, whole lines
//	         match: ...
//	                          gap: blank lines
//	       # Next part        rest: what stays where it is when the rule goes
//
//	JSON   {...}              body
//	       ,                  gap: what stands before the next rule
type piece struct {
	id                    string
	lead, body, gap, rest []byte
}

// pieces is the text of a rule set, taken apart.
type pieces struct {
	layout     rulefile.Layout
	indent     int
	head, tail []byte
	list       []piece
	gap        []byte // of rules that have none yet, of JSON
}

// split takes a text apart; false of one in which the rules don't stand on lines of
// their own.
func split(text []byte) (*pieces, bool) {
	items, ok := rulefile.FindItems(text)
	if !ok || len(items.List) == 0 {
		return nil, false
	}
	t := &pieces{layout: items.Layout, indent: items.Indent, list: make([]piece, len(items.List))}
	n := len(items.List)
	for i, it := range items.List {
		t.list[i].id, t.list[i].body = it.ID, text[it.Start:it.End]
		if i+1 < n {
			between := text[it.End:items.List[i+1].Start]
			if t.layout == rulefile.InYAML {
				t.list[i].gap, t.list[i].rest, t.list[i+1].lead = shareOut(between)
			} else {
				t.list[i].gap = between
			}
		}
	}
	first, last := &items.List[0], &items.List[n-1]
	t.head, t.tail = text[:first.Start], text[last.End:]
	switch t.layout {
	case rulefile.InYAML:
		_, _, lead := shareOut(text[items.Start:first.Start])
		t.list[0].lead = lead
		t.head = text[:first.Start-len(lead)]
		if n > 1 {
			t.gap = t.list[n-2].gap
		}
	case rulefile.InJSON:
		space := text[items.Start:first.Start]
		t.gap = append([]byte{','}, space[bytes.IndexByte(space, '[')+1:]...)
	case rulefile.InLines:
		t.gap = []byte{'\n'}
	}
	return t, true
}

// shareOut tells what stands between two rules apart: blank lines that belong to the one
// before, comments right above the next one, and what stands in between.
func shareOut(between []byte) (blank, rest, lead []byte) {
	at := len(between)
	for at > 0 {
		start := bytes.LastIndexByte(between[:at-1], '\n') + 1
		if len(bytes.TrimSpace(between[start:at])) == 0 {
			break
		}
		at = start
	}
	lead, between = between[at:], between[:at]
	n := 0
	for n < len(between) {
		end := len(between)
		if i := bytes.IndexByte(between[n:], '\n'); i >= 0 {
			end = n + i + 1
		}
		if len(bytes.TrimSpace(between[n:end])) > 0 {
			break
		}
		n = end
	}
	return between[:n], between[n:], lead
}

// apply makes the edits and puts the text together.
func (t *pieces) apply(edits []Edit, rules []*routing.Rule) ([]byte, []Diff, error) {
	diffs, err := changeAll(t, edits, rules)
	if err != nil {
		return nil, nil, err
	}
	size := len(t.head) + len(t.tail)
	for i := range t.list {
		p := &t.list[i]
		size += len(p.lead) + len(p.body) + max(len(p.gap), len(t.gap)) + len(p.rest) + 1
	}
	out := append(make([]byte, 0, size), t.head...)
	for i := range t.list {
		p := &t.list[i]
		out = append(append(out, p.lead...), p.body...)
		last := i+1 == len(t.list)
		switch {
		case t.layout == rulefile.InYAML:
			if !bytes.HasSuffix(p.body, []byte{'\n'}) && (!last || len(p.gap)+len(p.rest)+len(t.tail) > 0) {
				out = append(out, '\n')
			}
			if !last || len(p.rest) > 0 {
				out = append(out, p.gap...)
			}
			out = append(out, p.rest...)
		case last:
		case len(p.gap) > 0:
			out = append(out, p.gap...)
		default:
			out = append(out, t.gap...)
		}
	}
	return append(out, t.tail...), diffs, nil
}

func (t *pieces) len() int { return len(t.list) }

func (t *pieces) find(id string) int {
	return slices.IndexFunc(t.list, func(p piece) bool { return p.id == id })
}

func (t *pieces) rule(i int) (*routing.Rule, error) { return routing.ParseRule(t.plain(i)) }

// plain is the text of a rule by itself.
func (t *pieces) plain(i int) []byte {
	body := t.list[i].body
	if t.layout == rulefile.InYAML {
		body = bytes.Replace(body, []byte{'-'}, []byte{' '}, 1)
	}
	return body
}

func (t *pieces) insert(i int, r *routing.Rule, text []byte) error {
	p, err := t.written(r, text)
	if err != nil {
		return err
	}
	if p.gap = t.gap; i == len(t.list) && t.layout == rulefile.InYAML {
		// What stood behind the last rule is the tail, and stays that.
		if before := &t.list[i-1]; len(before.gap) == 0 {
			before.gap = t.gap
		}
	}
	t.list = slices.Insert(t.list, i, p)
	return nil
}

func (t *pieces) replace(i int, r *routing.Rule, text []byte) error {
	p, err := t.written(r, text)
	if err != nil {
		return err
	}
	old := &t.list[i]
	if len(p.lead) == 0 {
		p.lead = old.lead
	}
	p.gap, p.rest = old.gap, old.rest
	*old = p
	return nil
}

func (t *pieces) remove(i int) {
	t.leave(i)
	t.list = slices.Delete(t.list, i, i+1)
}

// leave has the rest of a rule's piece stay where it is.
func (t *pieces) leave(i int) {
	rest := t.list[i].rest
	if len(rest) == 0 {
		return
	}
	t.list[i].rest = nil
	if i == 0 {
		t.head = slices.Concat(t.head, rest)
		return
	}
	before := &t.list[i-1]
	before.rest = slices.Concat(before.rest, rest)
}

func (t *pieces) move(from, to int) {
	t.leave(from)
	if t.layout != rulefile.InYAML {
		t.list[from].gap = nil
	} else if len(t.list[from].gap) == 0 {
		t.list[from].gap = t.gap // it was the last
	}
	last := len(t.list) - 1
	moveItem(t.list, from, to)
	if t.layout == rulefile.InYAML && to == last && len(t.list[last-1].gap) == 0 {
		t.list[last-1].gap = t.gap
	}
}

// written is a rule that is to be put into the text, in its layout.
func (t *pieces) written(r *routing.Rule, text []byte) (piece, error) {
	p := piece{id: r.ID}
	if t.layout != rulefile.InYAML {
		body, err := asJSON(r, text)
		if err != nil {
			return piece{}, err
		}
		p.body = t.asNeighbours(body)
		return p, nil
	}
	if !json.Valid(text) {
		if p.lead, p.body = t.indented(text); isRule(p.body, r) {
			return p, nil
		}
		text = marshal(r) // it is laid out in a way that can't be moved to another column
	}
	block, err := rulefile.YAML(text)
	if err != nil {
		return piece{}, callmodel.Errorf(callmodel.CodeInternal, "writing rule %.40q as YAML: %w", r.ID, err)
	}
	p.lead, p.body = t.indented(block)
	if !isRule(p.body, r) {
		return piece{}, unsupported()
	}
	return p, nil
}

// asJSON is the rule's text in JSON on one line: as it was written, if it was in JSON.
func asJSON(r *routing.Rule, text []byte) ([]byte, error) {
	var out bytes.Buffer
	if !json.Valid(text) {
		text = marshal(r)
	}
	if err := json.Compact(&out, text); err != nil {
		return nil, callmodel.Errorf(callmodel.CodeInternal, "writing rule %.40q as JSON: %w", r.ID, err)
	}
	return out.Bytes(), nil
}

// asNeighbours lays JSON out on several lines if the first rule stands on several.
func (t *pieces) asNeighbours(body []byte) []byte {
	if t.layout == rulefile.InLines || !bytes.Contains(t.list[0].body, []byte{'\n'}) {
		return body
	}
	prefix := string(t.head[bytes.LastIndexByte(t.head, '\n')+1:])
	if strings.Trim(prefix, " \t") != "" {
		prefix = "" // the first rule stands beside its bracket
	}
	var out bytes.Buffer
	if json.Indent(&out, body, prefix, "  ") != nil {
		return body
	}
	return out.Bytes()
}

// indented is a rule in YAML as an item of the list: the comments above it and its
// lines, the first with the dash.
func (t *pieces) indented(text []byte) (lead, body []byte) {
	margin := bytes.Repeat([]byte{' '}, t.indent)
	indent := -1
	for line := range bytes.Lines(bytes.TrimRight(bytes.TrimPrefix(text, []byte("\xef\xbb\xbf")), " \t\r\n")) {
		line = bytes.TrimRight(line, "\r\n")
		plain := bytes.TrimLeft(line, " ")
		switch {
		case indent < 0 && len(plain) == 0:
			continue
		case indent < 0 && plain[0] == '#':
			lead = append(append(append(lead, margin...), plain...), '\n')
			continue
		case indent < 0:
			indent = len(line) - len(plain)
			body = append(append(body, margin...), "- "...)
		case len(plain) > 0:
			body = append(append(body, margin...), "  "...)
		}
		body = append(append(body, line[min(indent, len(line)-len(plain)):]...), '\n')
	}
	return lead, body
}

// isRule reports whether the lines are an item that is the rule.
func isRule(item []byte, r *routing.Rule) bool {
	items, ok := rulefile.FindItems(append([]byte("rules:\n"), item...))
	if !ok || len(items.List) != 1 || items.List[0].ID != r.ID {
		return false
	}
	have, err := routing.ParseRule(bytes.Replace(item, []byte{'-'}, []byte{' '}, 1))
	return err == nil && bytes.Equal(marshal(have), marshal(r))
}
