package dialimport

import (
	"cmp"
	"encoding/csv"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/routing"
)

// The files of a rule set in CSV.
const (
	SettingsFile     = "settings.csv"     // name, order and currency
	DestinationsFile = "destinations.csv" // one line a destination
	RatesFile        = "rates.csv"        // one line a rate
	RulesFile        = "rules.csv"        // one line for every callee and target of a rule
)

func settingColumns() []string { return []string{"setting", "value"} }

func destinationColumns() []string {
	return []string{
		"id", "uri", "strip", "prepend", "replace", "rates", "concurrent", "cps", "caller_policy", "caller_strip", "caller_prepend", "caller_replace",
		"emergency", // true: the rewriting is for emergency calls, too
		"strip_plus", "caller_strip_plus",
	}
}

func rateColumns() []string {
	return []string{"deck", "prefix", "per_minute", "connect", "first_seconds", "next_seconds", "from", "until"}
}

func ruleColumns() []string {
	return []string{
		"rule", "priority", "to", "from", "tenant", "type", "direction", "call_priority", "trunk", "capabilities_any", "capabilities_all",
		"valid_from", "valid_until", "tier", "order", "assume_seconds", "require_rate", "explore_percent", "destination", "weight",
	}
}

// Callees that are no numbers.
const (
	toDefault   = "default"
	toEmergency = "service:emergency"
)

// ExportCSV writes a rule set as CSV, each file to the writer that create
// gives for its name; it closes them. The report lists the rules that CSV can't
// hold, which are left out: those with windows, metadata, expressions or
// failover of their own. Number lists are written out.
func ExportCSV(rs *routing.RuleSet, create func(name string) (io.WriteCloser, error)) (*Report, error) {
	if err := rs.Validate(); err != nil {
		return nil, err
	}
	x := exporter{rs: rs, report: &Report{}}
	files := []struct {
		name    string
		columns []string
		rows    func(write func(...string))
	}{
		{SettingsFile, settingColumns(), x.settings},
		{DestinationsFile, destinationColumns(), x.destinations},
		{RatesFile, rateColumns(), x.rates},
		{RulesFile, ruleColumns(), x.rules},
	}
	for _, f := range files {
		w, err := create(f.name)
		if err != nil {
			return nil, err
		}
		out := csv.NewWriter(w)
		err = out.Write(f.columns)
		f.rows(func(fields ...string) {
			if err == nil {
				err = out.Write(fields)
			}
		})
		out.Flush()
		if err = cmp.Or(err, out.Error()); err != nil {
			_ = w.Close()
			return nil, fmt.Errorf("%s: %w", f.name, err)
		}
		if err := w.Close(); err != nil {
			return nil, fmt.Errorf("%s: %w", f.name, err)
		}
	}
	return x.report, nil
}

type exporter struct {
	rs     *routing.RuleSet
	report *Report
}

func (x *exporter) settings(write func(...string)) {
	for _, s := range [][2]string{{"name", x.rs.Name}, {"order", string(x.rs.Order)}, {"currency", x.rs.Currency}} {
		if s[1] != "" {
			write(s[0], s[1])
		}
	}
	if len(x.rs.TenantNumbers) > 0 {
		x.report.skip(place{file: SettingsFile}, "tenant_numbers", "numbers of tenants can't be held by CSV")
	}
	if x.rs.Limits != nil {
		x.report.skip(place{file: SettingsFile}, "limits", "limits of tenants and inbound trunks can't be held by CSV")
	}
	if x.rs.Failover != nil {
		x.report.skip(place{file: RulesFile}, "failover", "when the next destination is tried can't be held by CSV; it is as callmodel says by default")
	}
}

// number writes a count; 0 is left empty.
func number(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

func (x *exporter) destinations(write func(...string)) {
	for _, id := range slices.Sorted(maps.Keys(x.rs.Destinations)) {
		d := x.rs.Destinations[id]
		if d.Description != "" || len(d.Attributes)+len(d.Headers)+len(d.OriginRates) > 0 {
			x.report.skip(place{file: DestinationsFile, row: "destination " + id}, "description, attributes, headers and origin_rates", "CSV has no columns for them")
		}
		var limits routing.Limits
		var caller routing.CallerSpec
		if d.Limits != nil {
			limits = *d.Limits
		}
		if d.Caller != nil {
			caller = *d.Caller
		}
		write(id, d.URI, number(d.Strip), d.Prepend, d.Replace, d.Rates, number(limits.Concurrent), number(limits.CPS),
			string(caller.Policy), number(caller.Strip), caller.Prepend, strings.Join(caller.Replace, " "), truth(d.Emergency), truth(d.StripPlus), truth(caller.StripPlus))
	}
}

// truth writes true; false is left empty.
func truth(b bool) string {
	if b {
		return "true"
	}
	return ""
}

func instant(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

func (x *exporter) rates(write func(...string)) {
	for _, deck := range slices.Sorted(maps.Keys(x.rs.Rates)) {
		for i := range x.rs.Rates[deck] {
			r := &x.rs.Rates[deck][i]
			connect := ""
			if r.Connect != 0 {
				connect = r.Connect.String()
			}
			write(deck, r.Prefix, r.PerMinute.String(), connect, number(int(r.First/time.Second)), number(int(r.Next/time.Second)), instant(r.From),
				instant(r.Until))
		}
	}
}

func (x *exporter) rules(write func(...string)) {
	for i := range x.rs.Rules {
		r := &x.rs.Rules[i]
		x.report.Rows++
		if what := unheld(r); what != "" {
			x.report.skip(place{file: RulesFile, row: "rule " + r.ID}, what, "CSV can't hold it; the rule is left out")
			continue
		}
		if r.Description != "" {
			x.report.remark(place{file: RulesFile, row: "rule " + r.ID}, "description", "CSV has no column for it")
		}
		x.report.Converted++
		x.rule(r, write)
	}
}

// unheld returns the parts of a rule that CSV can't hold.
func unheld(r *routing.Rule) string {
	m := &r.Match
	for i := range r.Route {
		if r.Route[i].Margin != nil || r.Route[i].MinQuality != 0 {
			return "margin and min_quality"
		}
	}
	switch {
	case m.When != nil:
		return "when"
	case len(m.Metadata)+len(m.MetadataPresent)+len(m.MetadataAbsent) > 0:
		return "metadata"
	case m.Not != nil:
		return "not"
	case m.Expr != "":
		return "expr"
	case r.Failover != nil:
		return "failover"
	case r.Reject != nil:
		return "reject"
	case r.Limits != nil:
		return "limits"
	case r.Enabled != nil && !*r.Enabled:
		return "enabled: false"
	case slices.Contains(m.From.Exact, calls.AnonymousCaller):
		return "from: anonymous"
	}
	return ""
}

func (x *exporter) rule(r *routing.Rule, write func(...string)) {
	m := &r.Match
	callPriority := ""
	if p := m.CallPriority; p != nil {
		callPriority = fmt.Sprintf("%d-%d", p.Min, p.Max)
	}
	head := []string{
		r.ID, number(r.Priority), "", x.numbers(&m.From), joined(m.Tenant), joined(m.Type), joined(m.Direction), callPriority, joined(m.Trunk),
		joined(m.CapabilitiesAny), joined(m.CapabilitiesAll), m.ValidFrom, m.ValidUntil,
	}
	to := strings.Fields(x.numbers(&m.To))
	if r.Default {
		to = append(to, toDefault)
	}
	if len(m.To.Service) > 0 {
		to = append(to, toEmergency)
	}
	for _, callee := range to {
		head[2] = callee
		for i := range r.Route {
			t := &r.Route[i]
			require := ""
			if t.RequireRate {
				require = "true"
			}
			for _, g := range t.Targets {
				write(append(slices.Clone(head), strconv.Itoa(i+1), string(t.Order), number(int(t.Assume/time.Second)), require, number(t.ExplorePercent), g.To,
					number(g.Weight))...)
			}
		}
	}
}

// numbers writes prefixes with a star and numbers without, spaces between them.
func (x *exporter) numbers(m *routing.NumberMatch) string {
	var list []string
	for _, p := range m.Prefix {
		list = append(list, p+"*")
	}
	list = append(list, m.Exact...)
	for _, name := range m.List {
		list = append(list, x.rs.Lists[name]...)
	}
	slices.Sort(list)
	return strings.Join(slices.Compact(list), " ")
}

func joined[S ~string](list []S) string { return strings.Join(stringsOf(list), " ") }
