package dialimport

import (
	"slices"
	"strconv"
	"strings"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/routing"
)

func droutingTables() []tableSpec {
	return []tableSpec{
		{name: "dr_rules", id: "ruleid", needs: []string{"ruleid", "gwlist"}, columns: []string{
			"ruleid", "groupid", "prefix", "timerec", "priority", "routeid", "gwlist", "sort_alg", "sort_profile", "attrs", "description",
		}, layouts: [][]string{
			fields("ruleid groupid prefix timerec priority routeid gwlist sort_alg sort_profile attrs description"), // OpenSIPS 3.x
			fields("ruleid groupid prefix timerec priority routeid gwlist attrs description"),                       // OpenSIPS 1.x, 2.x
			fields("ruleid groupid prefix timerec priority routeid gwlist description"),                             // Kamailio
		}},
		{name: "dr_gateways", id: "gwid", needs: []string{"gwid", "address"}, columns: []string{
			"id", "gwid", "type", "address", "strip", "pri_prefix", "attrs", "probe_mode", "state", "socket", "description",
		}, layouts: [][]string{
			fields("id gwid type address strip pri_prefix attrs probe_mode state socket description"),
			fields("id gwid type address strip pri_prefix attrs probe_mode state description"),
			fields("id gwid type address strip pri_prefix attrs probe_mode description"), // OpenSIPS 1.7, 1.8
			fields("gwid type address strip pri_prefix attrs probe_mode description"),    // OpenSIPS 1.6
			fields("gwid type address strip pri_prefix attrs description"),               // Kamailio
			fields("gwid type address strip pri_prefix description"),
		}},
		{name: "dr_carriers", id: "carrierid", needs: []string{"carrierid", "gwlist"}, columns: []string{
			"id", "carrierid", "gwlist", "flags", "sort_alg", "state", "attrs", "description",
		}, layouts: [][]string{
			fields("id carrierid gwlist flags sort_alg state attrs description"), // OpenSIPS 3.x
			fields("id carrierid gwlist flags state attrs description"),
		}},
		{name: "dr_gw_lists", id: "id", needs: []string{"id", "gwlist"}, columns: []string{"id", "gwlist", "description"}, layouts: [][]string{
			fields("id gwlist description"),
		}},
		{
			name: "dr_groups", id: "id", needs: []string{"username", "groupid"}, columns: []string{"id", "username", "domain", "groupid", "description"},
			layouts: [][]string{
				fields("id username domain groupid description"),
			},
		},
	}
}

// drouting is the state of an import of the drouting tables.
type drouting struct {
	o      *Options
	format Format
	report *Report
	rs     *routing.RuleSet
	num    numbering

	rules, gateways, carriers, groups []*row

	dest     map[string]string // destinations by gwid
	off      map[string]bool   // gateways that are disabled, by gwid
	carrier  map[string]*row   // carriers and lists by id
	expanded map[string][]block
	users    map[string]string // lists of callers, by group
	sorted   bool              // dr_rules says how lists are sorted, as of OpenSIPS 3.x
	windows  map[string]windowOrError
	made     []ranked
	survey   *groupSurvey
}

type windowOrError struct {
	window

	assumed bool
	err     error
}

func importDrouting(format Format, sources []Source, o *Options, out *Result) error {
	out.Rules.Destinations = map[string]routing.DestinationSpec{}
	d := drouting{
		o: o, format: format, rs: out.Rules, report: &out.Report,
		dest: map[string]string{}, off: map[string]bool{}, carrier: map[string]*row{}, expanded: map[string][]block{},
		users: map[string]string{}, windows: map[string]windowOrError{},
	}
	in := input{tables: droutingTables(), report: d.report, take: d.take}
	if err := in.read(sources); err != nil {
		return err
	}
	if len(d.rules) == 0 {
		return &callmodel.Error{Code: callmodel.CodeMalformed, Message: "there are no rows of dr_rules in " + names(sources)}
	}
	d.num = newNumbering(o, func(yield func(string) bool) {
		for _, r := range d.rules {
			if !yield(r.get("prefix")) {
				return
			}
		}
	}, d.report)
	for _, r := range d.gateways {
		d.gateway(r)
	}
	for _, r := range d.carriers {
		d.addCarrier(r)
	}
	d.callers()
	for _, r := range d.rules {
		d.rule(r)
	}
	spread(d.made, d.report)
	ids := make(map[string]int, len(d.made))
	for i := range d.made {
		m := &d.made[i]
		if m.dropped {
			continue
		}
		if unique := uniqueID(ids, m.rule.ID); unique != m.rule.ID {
			d.report.remark(m.at, "id", "another rule has it too; it is %s here", unique)
			m.rule.ID = unique
		}
		d.rs.Rules = append(d.rs.Rules, m.rule)
		d.report.Converted++
	}
	return nil
}

// uniqueID returns the id, or a similar one if it is taken. taken counts how often
// each id was asked for.
func uniqueID(taken map[string]int, id string) string {
	unique := id
	for taken[unique] > 0 {
		taken[id]++
		unique = id + "-" + strconv.Itoa(taken[id])
	}
	taken[unique] = 1
	return unique
}

func names(sources []Source) string {
	list := make([]string, len(sources))
	for i := range sources {
		list[i] = sources[i].Name
	}
	return strings.Join(list, ", ")
}

func (d *drouting) take(r *row) {
	switch r.table.name {
	case "dr_rules":
		d.sorted = d.sorted || r.has("sort_alg")
		d.rules = append(d.rules, r)
	case "dr_gateways":
		d.gateways = append(d.gateways, r)
	case "dr_groups":
		d.groups = append(d.groups, r)
	default:
		d.carriers = append(d.carriers, r)
	}
}

// whole reads a number of the table. "" is 0.
func whole(s string) (int64, bool) {
	if s == "" {
		return 0, true
	}
	n, err := strconv.ParseInt(s, 10, 64)
	return n, err == nil
}

func (d *drouting) gateway(r *row) {
	id, address := r.get("gwid"), r.get("address")
	if _, again := d.dest[id]; again || d.off[id] || id == "" {
		d.report.skip(r.place, "the gateway", "its id %q is missing or another's already", short(id))
		return
	}
	switch r.get("state") {
	case "", "0":
	case "2":
		d.report.approximate(r.place, "state 2", "it was disabled for failing its probes; here it is tried, and its health is watched anew")
	default:
		d.off[id] = true
		d.report.remark(r.place, "state "+r.get("state"), "it is disabled, so that no call goes there")
		d.report.Converted++
		return
	}
	spec, why := gatewaySpec(&d.num, address, r.get("strip"), r.get("pri_prefix"))
	if why != "" {
		d.report.skip(r.place, "the gateway", "%s", why)
		return
	}
	for _, fault := range spec.faults {
		d.report.approximate(r.place, "the number it is given", "%s", fault)
	}
	d.unused(r, "attrs", "attributes are for the source's own script")
	d.unused(r, "socket", "which socket calls leave by is for the telephone server to say")
	d.dest[id] = addDestination(d.rs, "gw", id, spec.DestinationSpec)
	if d.dest[id] != id {
		d.report.remark(r.place, "id "+id, "it is %s here", d.dest[id])
	}
	d.report.Converted++
}

func (d *drouting) unused(r *row, column, why string) {
	if v := r.get(column); v != "" {
		d.report.remark(r.place, column+" "+v, "%s", why)
	}
}

type wireSpec struct {
	routing.DestinationSpec

	faults []string
}

// gatewaySpec makes a destination of the columns that both systems have.
func gatewaySpec(num *numbering, address, strip, prefix string) (wireSpec, string) {
	var out wireSpec
	scheme, rest, ok := strings.Cut(address, ":")
	switch {
	case address == "":
		return out, "it has no address"
	case ok && (strings.EqualFold(scheme, "sip") || strings.EqualFold(scheme, "sips")):
		out.URI = strings.ToLower(scheme) + ":" + rest
	default:
		out.URI = "sip:" + address
	}
	if err := routing.CheckURI(out.URI); err != nil {
		return out, "its address " + strconv.Quote(short(address)) + " " + err.Error()
	}
	n, ok := whole(strip)
	if !ok || n < 0 {
		return out, "it strips " + strconv.Quote(short(strip)) + ", which is no number of digits"
	}
	if strings.Trim(strings.TrimPrefix(prefix, "+"), "0123456789*#") != "" || len(prefix) > maxPrepend {
		return out, "its prefix " + strconv.Quote(short(prefix)) + " is not of at most 12 digits, '*' and '#', with a plus before them"
	}
	out.Strip, out.Prepend, out.StripPlus, out.faults = num.onWire(int(min(n, maxStrip)), prefix)
	return out, ""
}

const (
	maxStrip   = 64 // more than any number has
	maxPrepend = 12 // with the access code, at most 16
)

// addDestination adds a destination under its id in the source, or a valid id like
// it, and returns the id.
func addDestination(rs *routing.RuleSet, kind, id string, spec routing.DestinationSpec) string {
	name := validName(id)
	if _, err := strconv.Atoi(id); err == nil {
		name = kind + "-" + id
	}
	for base, n := name, 2; ; n++ {
		if _, taken := rs.Destinations[name]; !taken {
			break
		}
		name = base + "-" + strconv.Itoa(n)
	}
	rs.Destinations[name] = spec
	return name
}

// validName returns s as a valid id: shortened, with other characters replaced.
func validName(s string) string {
	const most = 100
	b := []byte(s)
	for i, c := range b {
		if c|0x20 < 'a' || c|0x20 > 'z' {
			if (c < '0' || c > '9') && c != '.' && c != '_' && c != '-' {
				b[i] = '-'
			}
		}
	}
	if len(b) == 0 {
		return "unnamed"
	}
	name := strings.ReplaceAll(string(b[:min(len(b), most)]), "..", ".-")
	if !callmodel.ValidID(name) { // it begins with a sign
		name = "x" + name
	}
	return name
}

// callers makes the lists of callers of the groups.
func (d *drouting) callers() {
	type member struct{ group, number string }
	of := map[string]string{}
	seen := map[member]bool{}
	slices.SortStableFunc(d.groups, func(a, b *row) int {
		x, _ := whole(a.get("id"))
		y, _ := whole(b.get("id"))
		return int(max(min(x-y, 1), -1))
	})
	for _, r := range d.groups {
		group := r.get("groupid")
		if _, tenant := d.o.Groups[group]; tenant {
			d.report.remark(r.place, "user "+r.get("username"), "group %s is a tenant; its users are that tenant's callers", group)
			d.report.Converted++
			continue
		}
		number, ok := d.num.number(r.get("username"))
		if !ok || group == "" {
			d.report.skip(r.place, "user "+r.get("username"), "it is no number that a call can come from, so its group can't be told by it")
			continue
		}
		if first, other := of[number]; other && first != group {
			d.report.approximate(r.place, "user "+r.get("username"), "it is in group %s already, which is taken", first)
			continue
		}
		d.report.Converted++
		of[number] = group
		if seen[member{group, number}] {
			continue
		}
		seen[member{group, number}] = true
		name, known := d.users[group]
		if !known {
			name = "group-" + validName(group)
			d.users[group] = name
			if d.rs.Lists == nil {
				d.rs.Lists = map[string][]string{}
			}
		}
		if v := r.get("domain"); v != "" {
			d.report.remark(r.place, "domain "+v, "callers are told apart by their numbers alone")
		}
		d.rs.Lists[name] = append(d.rs.Lists[name], number)
	}
}
