package dialimport

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/routing"
)

// profileKey is the metadata key that names the lcr profile of a call.
const profileKey = "lcr_profile"

func freeswitchTables() []tableSpec {
	return []tableSpec{
		{
			name: "carrier_gateway", id: "id", needs: []string{"carrier_id", "prefix", "suffix"}, columns: fields("id carrier_id prefix suffix codec enabled"),
			layouts: [][]string{fields("id carrier_id prefix suffix codec enabled"), fields("id carrier_id prefix suffix enabled")},
		},
		{
			name: "carriers", id: "id", needs: []string{"id", "carrier_name"}, columns: fields("id carrier_name enabled"),
			layouts: [][]string{fields("id carrier_name enabled")},
		},
		{
			name: "lcr", id: "id", needs: []string{"digits", "rate", "carrier_id"},
			columns: fields("id digits rate intrastate_rate intralata_rate carrier_id lead_strip trail_strip prefix suffix lcr_profile date_start date_end " +
				"quality reliability cid enabled lrn"),
			layouts: [][]string{
				fields("id digits rate intrastate_rate intralata_rate carrier_id lead_strip trail_strip prefix suffix lcr_profile date_start date_end " +
					"quality reliability cid enabled lrn"),
				fields("id digits rate intrastate_rate intralata_rate carrier_id lead_strip trail_strip prefix suffix lcr_profile date_start date_end " +
					"quality reliability cid enabled"),
			},
		},
	}
}

// freeswitch is the state of an import of mod_lcr's tables.
type freeswitch struct {
	o      *Options
	report *Report
	rs     *routing.RuleSet
	num    numbering
	loc    *time.Location

	rows, carriers, gateways []*row

	names   map[string]string   // of carriers in use, by id
	ways    map[string][]string // URIs of a carrier's gateways
	made    map[string]string   // destinations by URI and form
	named   map[string]int
	sources map[string][]fsRow // by profile
}

// fsRow is a row of lcr that a rule set can express.
type fsRow struct {
	at        place
	prefix    string
	rate      callmodel.Amount
	dests     []string // one of each gateway
	gateways  []string // their URIs
	carrierID string
}

func importFreeSWITCH(sources []Source, o *Options, out *Result) error {
	loc, err := time.LoadLocation(o.TimeZone)
	if err != nil {
		return err
	}
	out.Rules.Destinations = map[string]routing.DestinationSpec{}
	f := freeswitch{
		o: o, report: &out.Report, rs: out.Rules, loc: loc, names: map[string]string{}, ways: map[string][]string{}, made: map[string]string{},
		named: map[string]int{}, sources: map[string][]fsRow{},
	}
	in := input{tables: freeswitchTables(), report: f.report, take: f.take}
	if err := in.read(sources); err != nil {
		return err
	}
	if len(f.rows) == 0 {
		return &callmodel.Error{Code: callmodel.CodeMalformed, Message: "there are no rows of lcr in " + names(sources)}
	}
	f.num = newNumbering(o, func(yield func(string) bool) {
		for _, r := range f.rows {
			if !yield(r.get("digits")) {
				return
			}
		}
	}, f.report)
	for _, r := range f.carriers {
		f.carrier(r)
	}
	for _, r := range f.gateways {
		f.gateway(r)
	}
	if o.Currency != "" {
		f.rs.Currency, f.rs.Rates = o.Currency, map[string][]routing.RateRow{}
	} else {
		f.report.remark(place{}, "rates", "they order the carriers; give their currency for the costs of calls")
	}
	for _, r := range f.rows {
		f.row(r)
	}
	for _, profile := range slices.Sorted(maps.Keys(f.sources)) {
		f.profile(profile)
	}
	f.finishRates()
	return nil
}

func (f *freeswitch) take(r *row) {
	switch r.table.name {
	case "lcr":
		f.rows = append(f.rows, r)
	case "carriers":
		f.carriers = append(f.carriers, r)
	default:
		f.gateways = append(f.gateways, r)
	}
}

// disabled reports whether a row is switched off; it says so.
func (f *freeswitch) disabled(r *row) bool {
	switch strings.ToLower(r.get("enabled")) {
	case "0", "f", "false", "n", "no":
		f.report.remark(r.place, "enabled "+r.get("enabled"), "it is not in use")
		f.report.Converted++
		return true
	}
	return false
}

func (f *freeswitch) carrier(r *row) {
	if f.disabled(r) {
		return
	}
	f.names[r.get("id")] = cmp.Or(validNameOr(r.get("carrier_name")), "carrier-"+validName(r.get("id")))
	f.report.Converted++
}

// gateway reads a dial string: what stands before and behind the number in
// "sofia/external/" … "@192.0.2.1:5060", or "sofia/gateway/NAME/".
func (f *freeswitch) gateway(r *row) {
	if f.disabled(r) {
		return
	}
	uri := ""
	before, behind := r.get("prefix"), r.get("suffix")
	if host, ok := strings.CutPrefix(behind, "@"); ok && strings.HasPrefix(before, "sofia/") {
		uri = "sip:" + host
	} else if name, ok := strings.CutPrefix(before, "sofia/gateway/"); ok && behind == "" && strings.HasSuffix(name, "/") {
		name = strings.TrimSuffix(name, "/")
		if uri = f.o.Destinations[name]; uri == "" {
			f.report.skip(r.place, "gateway "+name, "it is in FreeSWITCH's own configuration; give its URI as the destination of that name")
			return
		}
	}
	if uri == "" || routing.CheckURI(uri) != nil {
		f.report.skip(r.place, "the gateway", "its dial string %q … %q leads to no SIP address", short(before), short(behind))
		return
	}
	f.unused(r, "codec", "which codecs are offered is for the telephone server to say")
	f.ways[r.get("carrier_id")] = append(f.ways[r.get("carrier_id")], uri)
	f.report.Converted++
}

func (f *freeswitch) unused(r *row, column, why string) {
	if v := r.get(column); v != "" {
		f.report.remark(r.place, column+" "+v, "%s", why)
	}
}

func (f *freeswitch) row(r *row) {
	if f.disabled(r) {
		return
	}
	carrier, ok := f.names[r.get("carrier_id")]
	if !ok || len(f.ways[r.get("carrier_id")]) == 0 {
		f.report.skip(r.place, "carrier "+r.get("carrier_id"), "there is no such carrier in use, or it has no gateway")
		return
	}
	prefixes, everything, why := f.num.callee(r.get("digits"))
	if why != "" {
		f.report.skip(r.place, "digits "+r.get("digits"), "%s", why)
		return
	}
	if everything {
		prefixes = []string{""}
	}
	if n, ok := whole(r.get("trail_strip")); !ok || n != 0 || r.get("suffix") != "" {
		f.report.skip(r.place, "trail_strip and suffix", "digits at a number's end can be neither taken away nor added")
		return
	}
	rate, rounded, err := price(cmp.Or(r.get("rate"), "0"))
	if err != nil {
		f.report.skip(r.place, "rate "+r.get("rate"), "%s", err)
		return
	}
	from, until, ok := f.dates(r)
	if !ok {
		return
	}
	if rounded {
		f.report.price(RoundedRates, r.place, "rate "+r.get("rate"), "it is rounded to 8 decimals, %s", rate)
	}
	for _, column := range [...]string{"intrastate_rate", "intralata_rate"} {
		if other, _, err := price(r.get(column)); err == nil && other != rate && other != 0 {
			f.report.price(CallerRates, r.place, column+" "+r.get(column), "it holds for some callers, and the other rate is taken for every one")
		}
	}
	if v := r.get("cid"); v != "" {
		f.report.approximate(r.place, "cid "+v, "the caller is given as it is, since the expression that rewrites it can't be said")
	}
	one := fsRow{at: r.place, rate: rate, carrierID: carrier}
	for _, uri := range f.ways[r.get("carrier_id")] {
		id, why := f.destination(r, carrier, uri)
		if why != "" {
			f.report.skip(r.place, "the number it is given", "%s", why)
			return
		}
		one.dests, one.gateways = append(one.dests, id), append(one.gateways, uri)
	}
	profile := r.get("lcr_profile")
	for _, p := range prefixes {
		one.prefix = p
		f.sources[profile] = append(f.sources[profile], one)
		if f.rs.Rates != nil && p != "" {
			f.rs.Rates[carrier] = append(f.rs.Rates[carrier], routing.RateRow{Prefix: p, PerMinute: rate, From: from, Until: until})
		}
	}
	f.report.Converted++
}

// dates reads from when to when a row holds. One that doesn't hold now is left out; of
// one that will end, the rule doesn't know, but the rate does.
func (f *freeswitch) dates(r *row) (from, until time.Time, ok bool) {
	read := func(column string) (time.Time, bool) {
		text := r.get(column)
		if text == "" {
			return time.Time{}, true
		}
		t, _, _, err := date(text, f.loc, false)
		if err != nil {
			f.report.skip(r.place, column+" "+text, "%s", err)
		}
		return t.UTC(), err == nil
	}
	if from, ok = read("date_start"); !ok {
		return from, until, false
	}
	if until, ok = read("date_end"); !ok {
		return from, until, false
	}
	if !until.IsZero() && !until.After(from) {
		f.report.skip(r.place, "dates "+r.get("date_start")+" to "+r.get("date_end"), "it ends before it begins")
		return from, until, false
	}
	now := f.o.Now
	switch {
	case now.IsZero():
	case !until.IsZero() && !until.After(now), from.After(now):
		f.report.approximate(r.place, "dates "+r.get("date_start")+" to "+r.get("date_end"), "it doesn't hold now, and is left out")
		return from, until, false
	}
	const far = 2090
	if !until.IsZero() && until.Year() < far {
		f.report.approximate(r.place, "date_end "+r.get("date_end"), "the carrier is routed to beyond it; import again then")
	}
	if from.Year() <= 1970 {
		from = time.Time{}
	}
	if until.Year() >= far {
		until = time.Time{}
	}
	return from, until, true
}

// destination returns the destination of a gateway that gets numbers in the row's form.
func (f *freeswitch) destination(r *row, carrier, uri string) (id, why string) {
	spec, why := gatewaySpec(&f.num, uri, r.get("lead_strip"), r.get("prefix"))
	if why != "" {
		return "", why
	}
	key := strings.Join([]string{uri, carrier, r.get("lead_strip"), r.get("prefix")}, "\x00")
	if id, ok := f.made[key]; ok {
		return id, ""
	}
	for _, fault := range spec.faults {
		f.report.approximate(r.place, "the number it is given", "%s", fault)
	}
	if f.rs.Rates != nil {
		spec.Rates = carrier
	}
	id = addDestination(f.rs, "carrier", carrier, spec.DestinationSpec)
	f.made[key] = id
	return id, ""
}

// profile makes a rule of every prefix: the carriers of the longest prefix first, the
// cheapest first among those of one, then those of the shorter prefixes.
func (f *freeswitch) profile(profile string) {
	at := map[string][]fsRow{}
	for _, r := range f.sources[profile] {
		at[r.prefix] = append(at[r.prefix], r)
	}
	for _, p := range slices.Sorted(maps.Keys(at)) {
		slices.SortStableFunc(at[p], func(a, b fsRow) int { return cmp.Compare(a.rate, b.rate) })
		for i := 1; i < len(at[p]); i++ {
			if at[p][i].rate == at[p][i-1].rate {
				f.report.approximate(at[p][i].at, "rate "+at[p][i].rate.String(), "another carrier's rate is the same, so the source draws; here the first goes first")
			}
		}
	}
	for _, p := range slices.Sorted(maps.Keys(at)) {
		b := block{order: listed}
		used := map[string]bool{}
		for n := len(p); n >= 0; n-- {
			for _, r := range at[p[:n]] {
				for i, dest := range r.dests {
					// The source tries a gateway once, whatever the form of the number.
					if gateway := r.gateways[i]; !used[gateway] {
						used[gateway] = true
						b.hops = append(b.hops, hop{dest: dest})
					}
				}
			}
		}
		rule := routing.Rule{
			ID: uniqueID(f.named, "lcr-"+cmp.Or(validNameOr(profile), "0")+"-"+cmp.Or(strings.ReplaceAll(p, "+", "e"), "all")), Default: p == "",
			Route: tiersOf([]block{b}, at[p][0].at, f.report),
		}
		if p != "" {
			rule.Match.To.Prefix = []string{p}
		}
		f.condition(&rule.Match, profile)
		f.rs.Rules = append(f.rs.Rules, rule)
	}
}

func (f *freeswitch) condition(m *routing.Match, profile string) {
	tenant, known := f.o.Groups[profile]
	switch {
	case known:
		m.Tenant = []callmodel.TenantID{tenant}
		return
	case len(f.sources) > 1:
		m.Metadata = map[string][]string{profileKey: {profile}}
	}
	if f.o.Tenant != "" {
		m.Tenant = []callmodel.TenantID{f.o.Tenant}
	}
}

// finishRates leaves one rate for each prefix and time: two of a carrier are a change of
// prices.
func (f *freeswitch) finishRates() {
	for name, rows := range f.rs.Rates {
		slices.SortStableFunc(rows, func(a, b routing.RateRow) int {
			return cmp.Or(cmp.Compare(a.Prefix, b.Prefix), a.From.Compare(b.From))
		})
		out := rows[:0]
		for _, r := range rows {
			if n := len(out); n > 0 && out[n-1].Prefix == r.Prefix && out[n-1].From.Equal(r.From) {
				if out[n-1].PerMinute != r.PerMinute {
					f.report.price(DuplicateRates, place{}, "code "+r.Prefix, "carrier %s has two rates for it from the same time; the last holds", name)
				}
				out[n-1] = r
				continue
			}
			if n := len(out); n > 0 && out[n-1].Prefix == r.Prefix && out[n-1].Until.After(r.From) {
				f.report.price(OverlappingRates, place{}, "code "+r.Prefix, "carrier %s has a rate for it that was to end later; it ends at %s, when the next begins",
					name, r.From.Format(time.DateOnly))
				out[n-1].Until = r.From
			}
			out = append(out, r)
		}
		f.rs.Rates[name] = out
	}
}
