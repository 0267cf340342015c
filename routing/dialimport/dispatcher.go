package dialimport

import (
	"bufio"
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/routing"
)

// setKey is the metadata key that names the dispatcher set of a call.
const setKey = "ds_set"

func dispatcherTables() []tableSpec {
	return []tableSpec{{
		name: "dispatcher", id: "id", needs: []string{"setid", "destination"},
		columns: fields("id setid destination flags socket state probe_mode weight priority attrs description"),
		layouts: [][]string{
			fields("id setid destination socket state probe_mode weight priority attrs description"), // OpenSIPS 2.4 to 3.x
			fields("id setid destination socket state weight priority attrs description"),            // OpenSIPS 1.11 to 2.3
			fields("id setid destination flags weight priority attrs description"),                   // OpenSIPS 1.8
			fields("id setid destination flags priority attrs description"),                          // Kamailio
		},
	}}
}

// dispatcher is the state of an import of dispatcher sets.
type dispatcher struct {
	o      *Options
	format Format
	report *Report
	rs     *routing.RuleSet
	sets   map[string][]dispatched
	ids    []string // of the sets, in the order of the source
	named  map[string]int
	byURI  map[string]string // ids of destinations
}

// dispatched is one destination of a set.
type dispatched struct {
	dest     string
	priority int64
	weight   int
	at       place
}

func importDispatcher(format Format, sources []Source, o *Options, out *Result) error {
	out.Rules.Destinations = map[string]routing.DestinationSpec{}
	d := dispatcher{o: o, format: format, report: &out.Report, rs: out.Rules, sets: map[string][]dispatched{}, named: map[string]int{}, byURI: map[string]string{}}
	in := input{tables: dispatcherTables(), report: d.report, take: d.take, seen: map[string]bool{}}
	var tables []Source
	for i := range sources {
		text := newText(sources[i].R)
		sample, _ := text.Peek(sampleBytes)
		if !isList(sample) {
			tables = append(tables, Source{Name: sources[i].Name, R: text})
		} else if err := readList(&in, sources[i].Name, text); err != nil {
			return err
		}
	}
	if len(tables) > 0 || len(sources) == 0 {
		if err := in.read(tables); err != nil {
			return err
		}
	}
	if len(d.sets) == 0 {
		return errNothing
	}
	for _, id := range d.ids {
		d.rule(id)
	}
	return nil
}

// isList reports whether a source is Kamailio's file dispatcher.list: a line for each
// destination, with its set, address, flags, priority and attributes.
func isList(sample []byte) bool {
	for line := range strings.Lines(string(sample)) {
		words := strings.Fields(line)
		if len(words) == 0 || strings.HasPrefix(words[0], "#") {
			continue
		}
		_, err := strconv.ParseUint(words[0], 10, 31)
		return err == nil && len(words) > 1 && strings.Contains(words[1], ":")
	}
	return false
}

func readList(in *input, name string, text *bufio.Reader) error {
	columns := fields("setid destination flags priority attrs")
	h := newHeader(append(columns, "id"))
	lines := bufio.NewScanner(text)
	lines.Buffer(nil, maxRecord)
	for number := 1; lines.Scan(); number++ {
		line, _, _ := strings.Cut(lines.Text(), "#")
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		if len(words) > len(columns) {
			words = words[:len(columns)]
		}
		for len(words) < len(columns) {
			words = append(words, "")
		}
		if err := in.emit(&in.tables[0], h, name, number, append(words, strconv.Itoa(number))); err != nil {
			return err
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// attribute returns a value of a row's attributes: "weight=50;maxload=10".
func (r *row) attribute(name string) string {
	for part := range strings.SplitSeq(r.get("attrs"), ";") {
		if key, value, ok := strings.Cut(part, "="); ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// Bits of a Kamailio destination's flags.
const (
	flagInactive = 1
	flagDisabled = 4
)

func (d *dispatcher) take(r *row) {
	set := r.get("setid")
	if _, err := strconv.ParseUint(set, 10, 31); err != nil {
		d.report.skip(r.place, "setid "+set, "it is no number of a set")
		return
	}
	flags, fok := whole(r.get("flags"))
	state, sok := whole(r.get("state"))
	priority, pok := whole(r.get("priority"))
	weight, wok := d.weight(r)
	if !fok || !sok || !pok || !wok || weight < 0 {
		d.report.skip(r.place, "the destination", "its flags, state, priority and weight must be whole numbers")
		return
	}
	uri, why := destinationURI(r.get("destination"))
	if why != "" {
		d.report.skip(r.place, "the destination", "%s", why)
		return
	}
	if d.sets[set] == nil {
		d.ids = append(d.ids, set)
		d.sets[set] = []dispatched{}
	}
	switch kamailio := d.format == KamailioDispatcher; {
	case kamailio && flags&flagDisabled != 0:
		d.report.remark(r.place, "flags "+r.get("flags"), "it is disabled, so that no call goes there")
		d.report.Converted++
		return
	case kamailio && flags&flagInactive != 0, !kamailio && state == 1, !kamailio && state == 2:
		d.report.approximate(r.place, "its state", "it was out of use for failing, or by hand; here it is tried, and its health is watched anew")
	}
	for _, name := range [...]string{"maxload", "duid", "socket", "ping_from", "obproxy"} {
		if v := cmp.Or(r.attribute(name), r.get(name)); v != "" {
			d.report.remark(r.place, name+" "+v, "it is for the source's own script or sockets")
		}
	}
	one := dispatched{priority: priority, weight: int(weight), at: r.place}
	one.dest = d.destination(uri)
	d.sets[set] = append(d.sets[set], one)
	d.report.Converted++
}

// weight returns the weight of the algorithm, 0 if there is none.
func (d *dispatcher) weight(r *row) (int64, bool) {
	name := "weight"
	if d.o.Algorithm == "11" && d.format == KamailioDispatcher {
		name = "rweight"
	}
	return whole(cmp.Or(r.get(name), r.attribute(name)))
}

// destination returns the id of the destination with the URI, of which there is one.
func (d *dispatcher) destination(uri string) string {
	if id, ok := d.byURI[uri]; ok {
		return id
	}
	host := strings.TrimPrefix(strings.TrimPrefix(uri, "sips:"), "sip:")
	host, _, _ = strings.Cut(host, ";")
	d.byURI[uri] = addDestination(d.rs, "gw", strings.Trim(host, "[]"), routing.DestinationSpec{URI: uri})
	return d.byURI[uri]
}

func destinationURI(address string) (uri, why string) {
	scheme, rest, ok := strings.Cut(address, ":")
	if ok && (strings.EqualFold(scheme, "sip") || strings.EqualFold(scheme, "sips")) {
		uri = strings.ToLower(scheme) + ":" + rest
	} else {
		uri = "sip:" + address
	}
	if err := routing.CheckURI(uri); err != nil {
		return "", "its address " + strconv.Quote(short(address)) + " " + err.Error()
	}
	return uri, ""
}

// rule makes the rule of a set: for every callee, and for the calls that its tenant
// makes, or whose metadata names it.
func (d *dispatcher) rule(set string) {
	list := d.sets[set]
	if len(list) == 0 {
		d.report.skip(place{}, "set "+set, "none of it can be called")
		return
	}
	// The higher priority stands first in both systems, and the table's order among equals.
	slices.SortStableFunc(list, func(a, b dispatched) int { return cmp.Compare(b.priority, a.priority) })
	b := d.block(set, list)
	rule := routing.Rule{
		ID: uniqueID(d.named, "set-"+set), Default: true, Route: tiersOf([]block{b}, list[0].at, d.report),
	}
	switch tenant, known := d.o.Groups[set]; {
	case known:
		rule.Match.Tenant = []callmodel.TenantID{tenant}
	case len(d.ids) > 1:
		rule.Match.Metadata = map[string][]string{setKey: {set}}
		if len(d.o.Groups) > 0 {
			rule.Priority = -1 // the tenants' own sets go first
		}
		d.report.remark(place{}, "set "+set, "the source's script chooses it; here a call's metadata %s does", setKey)
	}
	if d.o.Tenant != "" && len(rule.Match.Tenant) == 0 {
		rule.Match.Tenant = []callmodel.TenantID{d.o.Tenant}
	}
	d.rs.Rules = append(d.rs.Rules, rule)
}

// block orders the destinations of a set as its algorithm does.
func (d *dispatcher) block(set string, list []dispatched) block {
	weights := slices.ContainsFunc(list, func(x dispatched) bool { return x.weight > 0 })
	algorithm := d.o.Algorithm
	what := "set " + set
	if algorithm == "" {
		algorithm = "8"
		how := "in the order of priority"
		if weights {
			algorithm, how = "9", "by weight"
		}
		d.report.approximate(list[0].at, what, "the script says by which algorithm a destination is taken; here it is %s; say which it is", how)
	}
	b := block{order: listed}
	byWeight := algorithm == "9" || algorithm == "11"
	weighs := byWeight || d.format == OpenSIPSDispatcher // whose weights go with all that draw
	switch {
	case algorithm == "8":
		weighs = false
	case byWeight && d.format == OpenSIPSDispatcher && d.o.Algorithm != "":
		d.report.approximate(list[0].at, what, "algorithm %s takes the first by a variable of the script's, or as they stand; here they are taken in the order of priority", algorithm)
		weighs = false
	default:
		b.order = weighted
		if !byWeight {
			d.report.approximate(list[0].at, what, "algorithm %s takes the first by another draw than that of the call's id; each comes first as often", algorithm)
		}
	}
	scale := besideNone(list)
	for _, x := range list {
		h := hop{dest: x.dest, weight: 1}
		if weighs && weights {
			if h.weight = x.weight * scale; h.weight == 0 {
				d.report.approximate(x.at, "weight 0", "the source takes it when the others fail; here it is drawn once in a thousand calls or less often, where weights can say that")
				h.weight = 1
			}
		}
		b.hops = append(b.hops, h)
	}
	return b
}

// besideNone is by how much weights are multiplied that stand beside weights of 0, which
// rules don't have: those are 1 then, of a thousand or as near to it as the largest allows.
func besideNone(list []dispatched) int {
	const often = 1000
	largest, none := 1, false
	for _, x := range list {
		largest, none = max(largest, x.weight), none || x.weight == 0
	}
	if !none {
		return 1
	}
	return max(1, min(often, routing.MaxWeight/largest))
}

// algorithms are those of dispatcher that can be said: hashes, turns and draws, the
// order of priority, and weights.
func algorithms() []string { return strings.Fields("0 1 2 3 4 5 6 7 8 9 11") }
