package routing

import (
	"bytes"
	"errors"

	"go.yaml.in/yaml/v3"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/routing/internal/rulefile"
)

// MaxFileBytes is the largest file that [Parse] reads.
const MaxFileBytes = rulefile.MaxBytes

// Parse reads a rule set from YAML, JSON or lines of JSON, of which the first is the
// set without its rules and every other one is a rule. It is strict: it reports unknown and
// repeated fields, wrong types and broken rules all at once, each with its line,
// path and rule, as [callmodel.FieldErrors]. Text that is neither YAML nor JSON is
// an error of callmodel.CodeMalformed. A list of one value may be written as the
// value. Aliases and merge keys of YAML are refused.
//
// A long file is parsed in parts, so that little memory is needed beside the set: for
// that each entry and each rule of a YAML file begins on a line of its own. A file
// that is laid out otherwise may have 4 MiB. The set keeps data, for the lines of
// faults that are found later; it may not be changed.
func Parse(data []byte) (*RuleSet, error) {
	rs, faults, err := read(data)
	if err == nil {
		err = faults.Err()
	}
	if err != nil {
		return nil, err
	}
	return rs, nil
}

// read is Parse, but it also returns what it could read of a set that has faults.
func read(data []byte) (*RuleSet, callmodel.FieldErrors, error) {
	rs := &RuleSet{}
	lines, faults, err := rulefile.Decode(data, rs, tierTargets)
	if err != nil {
		return nil, nil, err
	}
	rs.lines = lines
	var more callmodel.FieldErrors
	_ = errors.As(rs.Validate(), &more)
	return rs, joined(faults, more), nil
}

// ParseRule reads one rule from YAML or JSON, as [Parse] reads those of a set. The
// errors are those of Parse, but for the faults that only the set shows: destinations,
// lists or calendars that it lacks, and what Validate finds.
func ParseRule(data []byte) (*Rule, error) {
	var r Rule
	_, faults, err := rulefile.Decode(data, &r, tierTargets)
	if err != nil && bytes.HasPrefix(bytes.TrimLeft(data, " \t\r\n"), []byte{'{'}) {
		// A rule of a YAML file may stand between the same brackets.
		r = Rule{}
		if _, inYAML, e := rulefile.Decode(append([]byte("#\n"), data...), &r, tierTargets); e == nil {
			faults, err = inYAML, nil
			for i := range faults {
				faults[i].Line--
			}
		}
	}
	if err == nil {
		err = faults.Err()
	}
	if err != nil {
		return nil, err
	}
	return &r, nil
}

// joined is the faults of a file and those of what was read of it, but for the ones
// that the former explain.
func joined(faults, more callmodel.FieldErrors) callmodel.FieldErrors {
	broken := make(map[string]bool, len(faults))
	for _, f := range faults {
		broken[f.Path] = true
	}
	for _, f := range more {
		if !broken[f.Path] {
			faults = append(faults, f)
		}
	}
	return faults[:min(len(faults), maxFaults)]
}

// CompileText is [Parse] and [Compile] in one, rule by rule, for those who don't need
// the rules themselves: of a set of a million they would take most of a gigabyte. The
// errors are those of Parse and Compile.
func CompileText(data []byte) (*Router, error) {
	b, err := compileText(data, false)
	if err != nil {
		return nil, err
	}
	return b.router()
}

// CompileAndPack is [CompileText] that returns the set's binary form as well.
func CompileAndPack(data []byte) (*Router, *Packed, error) {
	b, err := compileText(data, true)
	if err != nil {
		return nil, nil, err
	}
	r, err := b.router()
	if err != nil {
		return nil, nil, err
	}
	form, err := b.pack.form(b.v.rs)
	if err != nil {
		return nil, nil, err
	}
	return r, &Packed{form}, nil
}

// Packed is a rule set in its binary form: see [RuleSet.MarshalBinary].
type Packed struct{ form []byte }

// MarshalBinary returns the binary form, which may not be changed. It implements
// encoding.BinaryMarshaler.
func (p *Packed) MarshalBinary() ([]byte, error) { return p.form, nil }

// compileText takes all rules of a file without a fault.
func compileText(data []byte, pack bool) (*build, error) {
	var head RuleSet
	var rule Rule
	var b *build
	lines, faults, taken, err := rulefile.DecodeEach(data, &head, tierTargets, &rulefile.Each{
		List: rulefile.LinesOf, Item: &rule,
		Begin: func(rules int, lines *rulefile.Lines) {
			head.Rules, head.lines = []Rule{}, lines
			b = newBuild(&head, rules, pack)
		},
		Take: func(i int) { b.take(i, &rule) },
	})
	if err != nil {
		return nil, err
	}
	if !taken {
		head.lines = lines
		b = newBuild(&head, len(head.Rules), pack)
		for i := range head.Rules {
			b.take(i, &head.Rules[i])
		}
	}
	return b, joined(faults, b.v.errs).Err()
}

// tierTargets returns the targets of a tier that is written as the list of them, and the
// numbers of a condition that is written as "anonymous".
func tierTargets(v any, n *yaml.Node) any {
	if m, ok := v.(*NumberMatch); ok && n.Kind == yaml.ScalarNode && n.Value == calls.AnonymousCaller {
		return &m.Exact
	}
	t, ok := v.(*Tier)
	if !ok {
		return nil
	}
	if n.Kind == yaml.MappingNode {
		for i := 0; i+1 < len(n.Content); i += 2 {
			switch n.Content[i].Value {
			case "targets", "order", "assume_seconds", "require_rate", "explore_percent", "min_quality", "margin":
				return nil
			}
		}
	}
	return &t.Targets
}
