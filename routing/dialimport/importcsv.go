package dialimport

import (
	"bufio"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/routing"
)

// sourceText is a source with its first bytes read.
type sourceText struct{ text *bufio.Reader }

func ownTables() []tableSpec {
	return []tableSpec{
		{name: "settings", id: "setting", needs: settingColumns(), columns: settingColumns()},
		{name: "destinations", id: "id", needs: []string{"id", "uri"}, columns: destinationColumns()},
		{name: "rates", id: "prefix", needs: []string{"deck", "prefix", "per_minute"}, columns: rateColumns()},
		{name: "rules", id: "rule", needs: []string{"rule", "to", "tier", "destination"}, columns: ruleColumns()},
	}
}

// importCSV reads what ExportCSV wrote, or else rate decks.
func importCSV(sources []Source, o *Options, out *Result) error {
	if len(sources) == 0 {
		return &callmodel.Error{Code: callmodel.CodeMalformed, Message: "there is no file to import"}
	}
	texts := make([]sourceText, len(sources))
	own := len(o.Columns) == 0
	for i := range sources {
		texts[i].text = newText(sources[i].R)
		in := input{tables: ownTables()}
		_, _, ok := sniff(texts[i].text, func(fields []string) int {
			_, n := in.find("", fields)
			return n
		})
		own = own && ok
	}
	if !own {
		return importDecks(sources, texts, o, out)
	}
	if err := o.ofDecksOnly(); err != nil {
		return err
	}
	c := ownImport{rs: out.Rules, report: &out.Report, byID: map[string]int{}}
	c.rs.Destinations = map[string]routing.DestinationSpec{}
	in := input{tables: ownTables(), report: c.report, take: c.take, seen: map[string]bool{}, plain: true}
	for i := range sources {
		if err := in.csv(&sources[i], texts[i].text); err != nil {
			return err
		}
	}
	if o.Tenant != "" {
		for i := range c.rs.Rules {
			c.rs.Rules[i].Match.Tenant = []callmodel.TenantID{o.Tenant}
		}
	}
	return c.faults.Err()
}

// ofDecksOnly returns the faults of options that what ExportCSV wrote has no use for.
func (o *Options) ofDecksOnly() error {
	var faults callmodel.FieldErrors
	for name, given := range map[string]bool{
		"access": o.Access != nil, "timezone": o.TimeZone != "", "destinations": len(o.Destinations) > 0, "deck": o.Deck != "",
		"currency": o.Currency != "", "month_first": o.MonthFirst, "country": o.Country != "", "accept": len(o.Accept) > 0,
	} {
		if given {
			faults.Add(name, "these files are an exported rule set, which says it itself; leave the option out")
		}
	}
	slices.SortFunc(faults, func(a, b callmodel.FieldError) int { return strings.Compare(a.Path, b.Path) })
	return faults.Err()
}

// ownImport reads the files of ExportCSV. They are ours, so a fault in them is an
// error and not a skipped row.
type ownImport struct {
	rs     *routing.RuleSet
	report *Report
	byID   map[string]int
	faults callmodel.FieldErrors
}

func (c *ownImport) fault(r *row, column, format string, args ...any) {
	const most = 1000
	if len(c.faults) < most {
		c.faults = append(c.faults, callmodel.FieldError{
			Path: r.file + ": " + column, Line: r.line, Message: fmt.Sprintf(format, args...),
		})
	}
}

func (c *ownImport) take(r *row) {
	c.report.Converted++
	switch r.table.name {
	case "settings":
		c.setting(r)
	case "destinations":
		c.destination(r)
	case "rates":
		c.rate(r)
	default:
		c.rule(r)
	}
}

func (c *ownImport) setting(r *row) {
	switch v := r.get("value"); r.get("setting") {
	case "name":
		c.rs.Name = v
	case "order":
		c.rs.Order = routing.Order(v)
	case "currency":
		c.rs.Currency = v
	default:
		c.fault(r, "setting", "%q is not one of name, order, currency", short(r.get("setting")))
	}
}

func (c *ownImport) count(r *row, column string) int {
	v := r.get(column)
	if v == "" {
		return 0
	}
	n, err := strconv.ParseInt(v, 10, 32)
	if err != nil {
		c.fault(r, column, "%q is no whole number", short(v))
	}
	return int(n)
}

// seconds reads a column with a number of seconds.
func (c *ownImport) seconds(r *row, column string) time.Duration {
	return time.Duration(c.count(r, column)) * time.Second
}

func (c *ownImport) destination(r *row) {
	id := r.get("id")
	if _, again := c.rs.Destinations[id]; again {
		c.fault(r, "id", "%q is given already", short(id))
	}
	d := routing.DestinationSpec{
		URI: r.get("uri"), Strip: c.count(r, "strip"), Prepend: r.get("prepend"), Replace: r.get("replace"), Rates: r.get("rates"),
		Emergency: r.get("emergency") == "true", StripPlus: r.get("strip_plus") == "true",
	}
	if l := (routing.Limits{Concurrent: c.count(r, "concurrent"), CPS: c.count(r, "cps")}); l != (routing.Limits{}) {
		d.Limits = &l
	}
	caller := routing.CallerSpec{
		Policy: routing.CallerPolicy(r.get("caller_policy")), Strip: c.count(r, "caller_strip"), Prepend: r.get("caller_prepend"),
		Replace: words[string](r, "caller_replace"), StripPlus: r.get("caller_strip_plus") == "true",
	}
	if caller.StripPlus || caller.Policy != "" || caller.Strip != 0 || caller.Prepend != "" || caller.Replace != nil {
		d.Caller = &caller
	}
	c.rs.Destinations[id] = d
}

func words[S ~string](r *row, column string) []S {
	var out []S
	for w := range strings.FieldsSeq(r.get(column)) {
		out = append(out, S(w))
	}
	return out
}

func (c *ownImport) amount(r *row, column string) callmodel.Amount {
	v := r.get(column)
	if v == "" {
		return 0
	}
	a, err := callmodel.ParseAmount(v)
	if err != nil {
		c.fault(r, column, "%q %s", short(v), err)
	}
	return a
}

func (c *ownImport) time(r *row, column string) time.Time {
	v := r.get(column)
	if v == "" {
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339, v)
	if err != nil {
		c.fault(r, column, "%q is no time like 2026-01-31T15:04:05Z", short(v))
	}
	return t
}

func (c *ownImport) rate(r *row) {
	if r.get("per_minute") == "" {
		c.fault(r, "per_minute", "is missing")
	}
	if c.rs.Rates == nil {
		c.rs.Rates = map[string][]routing.RateRow{}
	}
	deck := r.get("deck")
	c.rs.Rates[deck] = append(c.rs.Rates[deck], routing.RateRow{
		Prefix: r.get("prefix"), PerMinute: c.amount(r, "per_minute"), Connect: c.amount(r, "connect"),
		First: c.seconds(r, "first_seconds"), Next: c.seconds(r, "next_seconds"), From: c.time(r, "from"), Until: c.time(r, "until"),
	})
}

// rule reads one line: a callee and a target of a rule. The lines of a rule
// must agree in everything else; its callees and its targets are each put
// together.
func (c *ownImport) rule(r *row) {
	id := r.get("rule")
	i, known := c.byID[id]
	if !known {
		i = len(c.rs.Rules)
		c.byID[id] = i
		c.rs.Rules = append(c.rs.Rules, c.newRule(r))
	}
	one := &c.rs.Rules[i]
	if one.Priority != c.count(r, "priority") {
		c.fault(r, "priority", "rule %s has another on the lines before", short(id))
	}
	to := &one.Match.To
	switch callee := r.get("to"); callee {
	case toDefault:
		one.Default = true
	case toEmergency:
		to.Service = []string{routing.ServiceEmergency}
	default:
		addNumber(to, callee)
	}
	c.target(r, one)
}

// addNumber adds a prefix, which has a star behind it, or a number.
func addNumber(m *routing.NumberMatch, s string) {
	if p, ok := strings.CutSuffix(s, "*"); ok {
		if n := len(m.Prefix); n == 0 || m.Prefix[n-1] != p {
			m.Prefix = append(m.Prefix, p)
		}
	} else if n := len(m.Exact); n == 0 || m.Exact[n-1] != s {
		m.Exact = append(m.Exact, s)
	}
}

func (c *ownImport) newRule(r *row) routing.Rule {
	m := routing.Match{
		Tenant: words[callmodel.TenantID](r, "tenant"), Type: words[calls.Type](r, "type"), Direction: words[calls.Direction](r, "direction"),
		Trunk: words[string](r, "trunk"), CapabilitiesAny: words[string](r, "capabilities_any"), CapabilitiesAll: words[string](r, "capabilities_all"),
		ValidFrom: r.get("valid_from"), ValidUntil: r.get("valid_until"),
	}
	for s := range strings.FieldsSeq(r.get("from")) {
		addNumber(&m.From, s)
	}
	if v := r.get("call_priority"); v != "" {
		low, high, _ := strings.Cut(v, "-")
		lowest, lerr := strconv.Atoi(low)
		highest, herr := strconv.Atoi(high)
		if lerr != nil || herr != nil {
			c.fault(r, "call_priority", "%q is not like 0-9", short(v))
		}
		m.CallPriority = &routing.PriorityRange{Min: lowest, Max: highest}
	}
	return routing.Rule{ID: r.get("rule"), Priority: c.count(r, "priority"), Match: m}
}

func (c *ownImport) target(r *row, one *routing.Rule) {
	n := c.count(r, "tier")
	if n < 1 || n > routing.MaxTiers || n > len(one.Route)+1 {
		c.fault(r, "tier", "must be 1 to %d, each after the one before it, is %q", routing.MaxTiers, short(r.get("tier")))
		return
	}
	if n > len(one.Route) {
		one.Route = append(one.Route, routing.Tier{
			Order: routing.TierOrder(r.get("order")), Assume: c.seconds(r, "assume_seconds"), RequireRate: r.get("require_rate") == "true",
			ExplorePercent: c.count(r, "explore_percent"),
		})
	}
	t := &one.Route[n-1]
	g := routing.Target{To: r.get("destination"), Weight: c.count(r, "weight")}
	if !slices.Contains(t.Targets, g) { // it stands there for every callee
		t.Targets = append(t.Targets, g)
	}
}
