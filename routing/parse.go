package routing

import (
	"errors"

	"go.yaml.in/yaml/v3"

	"github.com/switchtape/switchtape/callmodel"
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
	if err := rs.Validate(); errors.As(err, &more) {
		broken := make(map[string]bool, len(faults))
		for _, f := range faults {
			broken[f.Path] = true
		}
		for _, f := range more {
			if !broken[f.Path] {
				faults = append(faults, f)
			}
		}
	}
	return rs, faults[:min(len(faults), maxFaults)], nil
}

// tierTargets returns the targets of a tier that is written as the list of them.
func tierTargets(v any, n *yaml.Node) any {
	t, ok := v.(*Tier)
	if !ok {
		return nil
	}
	if n.Kind == yaml.MappingNode {
		for i := 0; i+1 < len(n.Content); i += 2 {
			switch n.Content[i].Value {
			case "targets", "order", "assume_seconds", "require_rate", "explore_percent":
				return nil
			}
		}
	}
	return &t.Targets
}
