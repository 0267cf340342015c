package lint

import (
	"errors"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/routing"
)

// CheckFile reads a rule file and reports everything that is wrong with it at
// once: faults and ties as errors and, if there are none, what [Check] finds.
// The error is of text that is neither YAML nor JSON. o may be nil.
func CheckFile(data []byte, o *Options) (*Report, error) {
	in, err := routing.Inspect(data)
	if err != nil {
		return nil, err
	}
	if in.Router != nil {
		var failed callmodel.FieldErrors
		if !errors.As(in.Router.RunTests(), &failed) {
			failed = nil
		}
		l := check(in.Rules, o)
		l.faults(TestFailed, failed)
		report := l.done()
		report.Tests = in.Router.Tests()
		return report, nil
	}
	l := newLinter(in.Rules, o)
	l.faults(Invalid, in.Faults)
	l.faults(Conflict, in.Conflicts)
	return l.done(), nil
}

func (l *linter) faults(c Code, list callmodel.FieldErrors) {
	for _, f := range list {
		l.add(c, func() Finding {
			out := Finding{Path: f.Path, Line: f.Line, Message: f.Message}
			if i, ok := routing.RuleIndex(f.Path); ok && i < len(l.rs.Rules) {
				if id := l.rs.Rules[i].ID; callmodel.ValidID(id) { // the message quotes the beginning of another
					out.Rule = id
				}
			}
			return out
		})
	}
}

// Check examines a set that [routing.Compile] accepts; for any other set the findings
// mean nothing. o may be nil. A set of a million rules takes some seconds.
func Check(rs *routing.RuleSet, o *Options) *Report { return check(rs, o).done() }

func check(rs *routing.RuleSet, o *Options) *linter {
	l := newLinter(rs, o)
	x := newIndex(rs, l.opts.At)
	for i := range rs.Rules {
		l.dead[i] = rs.Rules[i].Enabled != nil && !*rs.Rules[i].Enabled // nobody expects calls there
	}
	l.neverOpen(x)
	l.reach(x)
	l.shadowedByService(x)
	l.timeGaps(x)
	l.twoZones(x)
	l.prefixHoles(x)
	l.catchAll(x)
	l.usage()
	l.routes(x)
	l.tiers()
	l.empties()
	l.callLimits()
	l.margins(x)
	l.qualities()
	l.tenantNumbers(x)
	l.testedRules()
	l.rates()
	return l
}
