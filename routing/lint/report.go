package lint

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/switchtape/switchtape/routing"
)

// Severity says how bad a finding is.
type Severity string

// The severities, the worst first.
const (
	Error   Severity = "error"   // the set can't be used
	Warning Severity = "warning" // it can, but hardly does what it is meant to
	Info    Severity = "info"    // good to know
)

// Code says what kind of finding it is.
type Code string

// The codes. See the package comment.
const (
	Invalid           Code = "invalid"
	Conflict          Code = "conflict"
	TestFailed        Code = "test-failed"
	Shadowed          Code = "shadowed"
	Duplicate         Code = "duplicate"
	Unreachable       Code = "unreachable"
	NeverOpen         Code = "never-open"
	TimeGap           Code = "time-gap"
	PrefixHole        Code = "prefix-hole"
	UnusedDestination Code = "unused-destination"
	UnusedList        Code = "unused-list"
	UnusedCalendar    Code = "unused-calendar"
	UnusedRates       Code = "unused-rates"
	NoRate            Code = "no-rate"
	ExpiredRate       Code = "expired-rate"
	WeightLimit       Code = "weight-limit"
	TinyShare         Code = "tiny-share"
	CatchAll          Code = "catch-all"
	NoCatchAll        Code = "no-catch-all"
	NoEmergency       Code = "no-emergency"
	// EmergencyRefused and EmergencyRewritten are of emergency calls without a way,
	// or with other digits than were dialled.
	EmergencyRefused   Code = "emergency-refused"
	EmergencyRewritten Code = "emergency-rewritten"
	Bounded            Code = "bounded"
	TierUnreached      Code = "tier-unreached"
	TwoZones           Code = "two-zones"
	ShadowedCondition  Code = "shadowed-condition"
	NoEffect           Code = "no-effect"
	// UnreachedLimit is of limits that others are met before, or that no call is of, and
	// UnnamedLimit of tenants and trunks that nothing else in the set names.
	UnreachedLimit Code = "unreached-limit"
	UnnamedLimit   Code = "unnamed-limit"
	NoMargin       Code = "no-margin"
	TenantNumber   Code = "tenant-number"
	TestOfNothing  Code = "test-of-nothing"
)

// severity returns the severity of the code.
func (c Code) severity() Severity {
	switch c {
	case Invalid, Conflict, TestFailed:
		return Error
	case TinyShare, CatchAll, NoCatchAll, NoEmergency, Bounded, UnnamedLimit, TenantNumber:
		return Info
	default:
		return Warning
	}
}

// Finding is one thing to look at.
type Finding struct {
	Code     Code     `json:"code"`
	Severity Severity `json:"severity"`
	Line     int      `json:"line,omitempty"` // 1-based, of the file; 0 if it was not read from one
	Path     string   `json:"path,omitempty"` // "rules[3]", "destinations.berlin"
	Rule     string   `json:"rule,omitempty"` // its id
	// Rules lists the ids of other rules that are involved, at most 8.
	Rules   []string `json:"rules,omitempty"`
	Message string   `json:"message"`
	Fix     string   `json:"fix,omitempty"` // what to do
}

// Report is what was found.
type Report struct {
	Rules    int `json:"rules"` // how many were looked at
	Errors   int `json:"errors"`
	Warnings int `json:"warnings"`
	Infos    int `json:"infos"`
	// Tests is how many tests of the file were run; none are of a set with faults. Those
	// that fail are findings.
	Tests int `json:"tests,omitempty"`
	// Findings are in the order of the file, the worst first on the same line.
	Findings []Finding `json:"findings"`
	// Omitted counts, by code, the findings that are not listed because there are too
	// many of the kind. They are counted above.
	Omitted map[Code]int `json:"omitted,omitempty"`
}

// Options say how to look. The zero value works.
type Options struct {
	// At is from when on calls are made: rules and rates that are over by then
	// are reported. Zero: at any time.
	At time.Time
	// PerCode is how many findings of each code are listed. 0 means 100.
	PerCode int
	// MaxPairs is how many pairs of rules are held against each other at most. 0
	// means 20 million: a few seconds. What is not looked at is reported.
	MaxPairs int
}

// linter is the state of one check of one set.
type linter struct {
	rs     *routing.RuleSet
	opts   Options
	report Report
	listed map[Code]int
	dead   []bool // rules that no call reaches
}

func newLinter(rs *routing.RuleSet, o *Options) *linter {
	l := &linter{rs: rs, listed: map[Code]int{}, dead: make([]bool, len(rs.Rules))}
	if o != nil {
		l.opts = *o
	}
	l.opts.PerCode = cmp.Or(l.opts.PerCode, 100)
	l.opts.MaxPairs = cmp.Or(l.opts.MaxPairs, defaultPairs)
	l.report = Report{Rules: len(rs.Rules), Findings: []Finding{}}
	return l
}

// add counts a finding and lists it if there is room; make is called only then.
func (l *linter) add(c Code, build func() Finding) {
	switch c.severity() {
	case Error:
		l.report.Errors++
	case Warning:
		l.report.Warnings++
	case Info:
		l.report.Infos++
	}
	if l.listed[c] >= l.opts.PerCode {
		if l.report.Omitted == nil {
			l.report.Omitted = map[Code]int{}
		}
		l.report.Omitted[c]++
		return
	}
	l.listed[c]++
	f := build()
	f.Code, f.Severity = c, c.severity()
	if f.Line == 0 {
		f.Line = l.rs.Line(f.Path)
	}
	l.report.Findings = append(l.report.Findings, f)
}

// aboutRule is add for a finding about rule i.
func (l *linter) aboutRule(c Code, i int, fix, format string, args ...any) {
	l.add(c, func() Finding {
		return Finding{Path: rulePath(i), Rule: l.rs.Rules[i].ID, Message: fmt.Sprintf(format, args...), Fix: fix}
	})
}

// about is add for a finding about something else.
func (l *linter) about(c Code, path, fix, format string, args ...any) {
	l.add(c, func() Finding { return Finding{Path: path, Message: fmt.Sprintf(format, args...), Fix: fix} })
}

func rulePath(i int) string { return fmt.Sprintf("rules[%d]", i) }

func (l *linter) done() *Report {
	rank := func(s Severity) int { return slices.Index([]Severity{Error, Warning, Info}, s) }
	slices.SortStableFunc(l.report.Findings, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(rank(a.Severity), rank(b.Severity)))
	})
	return &l.report
}
