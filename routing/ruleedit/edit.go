package ruleedit

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/routing"
)

// Op is what an edit does.
type Op string

// The operations.
const (
	// Add adds a rule whose id the set hasn't.
	Add Op = "add"
	// Change writes a rule in the place of the one that has its id.
	Change Op = "change"
	// Put does either.
	Put Op = "put"
	// Remove takes a rule away.
	Remove Op = "remove"
	// Move moves a rule before or behind another.
	Move Op = "move"
)

// Edit is one edit.
type Edit struct {
	Op Op
	// ID is the rule's. An edit with a Rule may leave it out, or else the Rule may.
	ID string
	// Rule is the rule that is to be there, in YAML or JSON: for Add, Change and Put.
	Rule []byte
	// Before or After is the id of the rule next to which the rule is to stand. Neither:
	// a new rule comes last, another stays where it is.
	Before, After string
}

// MaxEdits bounds the edits that are made at once.
const MaxEdits = 100

// Kind is what has become of a rule.
type Kind string

// What can become of a rule.
const (
	Added   Kind = "added"
	Changed Kind = "changed"
	Removed Kind = "removed"
	Moved   Kind = "moved" // and not changed
)

// Diff is what has become of one rule.
type Diff struct {
	ID   string `json:"id"`
	Kind Kind   `json:"change"`
	// From and To are the rule's place in the list of rules before the edit and behind
	// it, from 0; nil where it isn't there.
	From *int `json:"from,omitempty"`
	To   *int `json:"to,omitempty"`
	// Before and After are the rule before and behind the edit, nil where it isn't there
	// or has only moved.
	Before json.RawMessage `json:"before,omitempty"`
	After  json.RawMessage `json:"after,omitempty"`
}

// Apply makes the edits one after another in the text of a rule set, and returns the
// new text with what has changed: nothing of a rule that is put as it stood. text isn't
// changed.
//
// Errors: CodeNotFound for a rule that isn't there, CodeConflict for one that is there
// already, FieldErrors with the edit's number for edits and rules that are broken and
// for the removal of the last rule, the errors of [routing.Parse] for a text of at most
// 4 MiB that the edit breaks, and CodeUnsupported for one that is laid out in a way in
// which rules can't be told from each other.
func Apply(text []byte, edits []Edit) (edited []byte, diffs []Diff, err error) {
	if err := check(edits); err != nil {
		return nil, nil, err
	}
	edits = slices.Clone(edits)
	rules := make([]*routing.Rule, len(edits)) // nil of an edit without
	for i := range edits {
		if rules[i], err = edits[i].rule(i); err != nil {
			return nil, nil, err
		}
	}
	t, ok := split(text)
	if ok {
		if edited, diffs, err = t.apply(edits, rules); len(text) > maxChecked {
			return edited, diffs, err
		}
		ok = err == nil // what isn't true of the text the set below says better
	}
	before, err := routing.Parse(text)
	if err != nil {
		return nil, nil, err
	}
	want, diffs, err := inSet(before, edits, rules)
	if err != nil {
		return nil, nil, err
	}
	if ok {
		same, err := means(edited, want)
		if same || err != nil {
			return edited, diffs, err
		}
	}
	if edited, err = anew(text, edits, rules); err != nil {
		return nil, nil, err
	}
	same, err := means(edited, want)
	if err == nil && !same {
		err = unsupported()
	}
	return edited, diffs, err
}

// maxChecked is the size up to which a text is parsed as a whole, before and behind the
// edits: one that is longer is read rule by rule in any case, from the places at which it
// is edited.
const maxChecked = 4 << 20 // bytes

func unsupported() error {
	return callmodel.Errorf(callmodel.CodeUnsupported, "the rules' text is laid out in a way in which single rules can't be changed; put the whole set, with each rule on a line of its own")
}

// means reports whether the text is the set. The error says what is wrong with a set that
// it is.
func means(text []byte, want *routing.RuleSet) (bool, error) {
	have, err := routing.Parse(text)
	if callmodel.CodeOf(err) == callmodel.CodeMalformed {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return have.Hash() == want.Hash(), nil
}

// check reports what is wrong with the edits by themselves.
func check(edits []Edit) error {
	var faults callmodel.FieldErrors
	if len(edits) == 0 || len(edits) > MaxEdits {
		faults.Add("edits", "must be 1 to %d, are %d", MaxEdits, len(edits))
	}
	for i := range edits {
		e := &edits[i]
		at := func(field string) string { return fmt.Sprintf("edits[%d].%s", i, field) }
		switch e.Op {
		case Add, Change, Put:
			if len(bytes.TrimSpace(e.Rule)) == 0 {
				faults.Add(at("rule"), "is missing; give the rule that is to be there")
			}
		case Remove, Move:
			if len(e.Rule) > 0 {
				faults.Add(at("rule"), "goes with add, change and put only")
			}
			if e.ID == "" {
				faults.Add(at("id"), "is missing; give the rule's")
			}
		default:
			faults.Add(at("op"), "%.40q is not one of add, change, put, remove, move", e.Op)
		}
		switch beside := e.Before != "" || e.After != ""; {
		case e.Before != "" && e.After != "":
			faults.Add(at("after"), "goes without before: a rule stands next to one other")
		case e.Op == Move && !beside:
			faults.Add(at("before"), "is missing; give the rule before which the rule is to stand, or in after the one behind which")
		case e.Op == Remove && beside:
			faults.Add(at("before"), "goes not with remove")
		}
	}
	return faults.Err()
}

// rule reads the edit's rule and gives each of the two the id that the other has. nil of
// an edit without a rule.
func (e *Edit) rule(i int) (*routing.Rule, error) {
	if e.Op == Remove || e.Op == Move {
		return nil, nil //nolint:nilnil // there is none, and that is right
	}
	r, err := routing.ParseRule(e.Rule)
	if err != nil {
		return nil, within(i, err)
	}
	switch {
	case r.ID == "" && e.ID == "":
		return nil, callmodel.FieldErrors{{Path: fmt.Sprintf("edits[%d].rule.id", i), Message: "is missing; give the rule's"}}
	case r.ID == "":
		r.ID = e.ID
		e.Rule = marshal(r)
	case e.ID != "" && e.ID != r.ID:
		return nil, callmodel.FieldErrors{{
			Path:    fmt.Sprintf("edits[%d].rule.id", i),
			Message: fmt.Sprintf("is %.40q, and the rule that is edited is %.40q; remove the one and add the other to give a rule another id", r.ID, e.ID),
		}}
	}
	return r, nil
}

// within puts the faults of an edit's rule below the edit.
func within(i int, err error) error {
	faults, ok := err.(callmodel.FieldErrors) //nolint:errorlint // as ParseRule returns them
	if !ok {
		return callmodel.Errorf(callmodel.CodeOf(err), "edits[%d].rule: %w", i, err)
	}
	out := slices.Clone(faults)
	for j := range out {
		out[j].Path = fmt.Sprintf("edits[%d].rule.%s", i, out[j].Path)
	}
	return out
}

func marshal(r *routing.Rule) []byte {
	b, err := json.Marshal(r)
	if err != nil {
		return nil // unreachable: strings, numbers and lists always marshal
	}
	return b
}

// list is rules in their order that edits are made in.
type list interface {
	find(id string) int // the place, -1 for none
	len() int
	rule(i int) (*routing.Rule, error)
	insert(i int, r *routing.Rule, text []byte) error
	replace(i int, r *routing.Rule, text []byte) error
	remove(i int)
	move(from, to int) // to is the place behind the move
}

// change makes the edit and returns what has changed, nil for nothing.
func change(l list, e *Edit, r *routing.Rule) (*Diff, error) {
	id := e.ID
	if r != nil {
		id = r.ID
	}
	if id == e.Before || id == e.After {
		return nil, callmodel.FieldErrors{{Path: "edits", Message: fmt.Sprintf("rule %.40q can't stand beside itself", id)}}
	}
	at := l.find(id)
	if at < 0 && e.Op != Add && e.Op != Put {
		return nil, callmodel.Errorf(callmodel.CodeNotFound, "there is no rule %.40q in the set", id)
	}
	if at >= 0 && e.Op == Add {
		return nil, callmodel.Errorf(callmodel.CodeConflict, "there is a rule %.40q in the set already; change it, or give the new one another id", id)
	}
	d := &Diff{ID: id}
	if e.Op == Remove {
		old, err := l.rule(at)
		if err != nil {
			return nil, err
		}
		if l.len() == 1 {
			return nil, callmodel.FieldErrors{{Path: "rules", Message: "a set needs at least one rule, and " + id + " is the only one"}}
		}
		d.Kind, d.From, d.Before = Removed, &at, marshal(old)
		l.remove(at)
		return d, nil
	}
	if at < 0 {
		to, err := place(l, e, l.len())
		if err != nil {
			return nil, err
		}
		d.Kind, d.To, d.After = Added, &to, marshal(r)
		return d, l.insert(to, r, e.Rule)
	}
	to, err := place(l, e, at)
	if err != nil {
		return nil, err
	}
	if to > at {
		to-- // the rule itself is no longer before it
	}
	d.From, d.To = &at, &to
	if r != nil {
		old, err := l.rule(at)
		if err != nil {
			return nil, err
		}
		was, is := marshal(old), marshal(r)
		if !bytes.Equal(was, is) {
			d.Kind, d.Before, d.After = Changed, was, is
		}
		if err := l.replace(at, r, e.Rule); err != nil {
			return nil, err
		}
	}
	if to != at {
		l.move(at, to)
		if d.Kind == "" {
			d.Kind = Moved
		}
	}
	if d.Kind == "" {
		return nil, nil //nolint:nilnil // it stands as it stood
	}
	return d, nil
}

// place is before which place the edit's rule is to stand; as it is where the edit
// doesn't say.
func place(l list, e *Edit, as int) (int, error) {
	beside, behind := e.Before, 0
	if e.After != "" {
		beside, behind = e.After, 1
	}
	if beside == "" {
		return as, nil
	}
	at := l.find(beside)
	if at < 0 {
		return 0, callmodel.Errorf(callmodel.CodeNotFound, "there is no rule %.40q in the set to put one beside", beside)
	}
	return at + behind, nil
}

// changeAll makes the edits.
func changeAll(l list, edits []Edit, rules []*routing.Rule) ([]Diff, error) {
	diffs := []Diff{}
	for i := range edits {
		d, err := change(l, &edits[i], rules[i])
		if err != nil {
			return nil, err
		}
		if d != nil {
			diffs = append(diffs, *d)
		}
	}
	return diffs, nil
}

// ruleList is the rules of a set.
type ruleList struct{ rules []routing.Rule }

func inSet(rs *routing.RuleSet, edits []Edit, rules []*routing.Rule) (*routing.RuleSet, []Diff, error) {
	out := *rs
	l := &ruleList{slices.Clone(rs.Rules)}
	diffs, err := changeAll(l, edits, rules)
	out.Rules = l.rules
	return &out, diffs, err
}

func (l *ruleList) len() int { return len(l.rules) }

func (l *ruleList) find(id string) int {
	return slices.IndexFunc(l.rules, func(r routing.Rule) bool { return r.ID == id })
}

func (l *ruleList) rule(i int) (*routing.Rule, error) { return &l.rules[i], nil }

func (l *ruleList) insert(i int, r *routing.Rule, _ []byte) error {
	l.rules = slices.Insert(l.rules, i, *r)
	return nil
}

func (l *ruleList) replace(i int, r *routing.Rule, _ []byte) error {
	l.rules[i] = *r
	return nil
}

func (l *ruleList) remove(i int) { l.rules = slices.Delete(l.rules, i, i+1) }

func (l *ruleList) move(from, to int) { moveItem(l.rules, from, to) }

// moveItem moves an item of a list to another place.
func moveItem[T any](s []T, from, to int) {
	moved := s[from]
	copy(s[from:], s[from+1:])
	copy(s[to+1:], s[to:len(s)-1])
	s[to] = moved
}
