package dialimport

import (
	"cmp"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/routing"
)

// lcrKey is the metadata key that names the lcr instance of a call.
const lcrKey = "lcr_id"

func fields(s string) []string { return strings.Fields(s) }

func lcrTables() []tableSpec {
	return []tableSpec{
		{
			name: "lcr_rule_target", id: "id", needs: []string{"rule_id", "gw_id"},
			columns: []string{"id", "lcr_id", "rule_id", "gw_id", "priority", "weight"}, layouts: [][]string{
				fields("id lcr_id rule_id gw_id priority weight"),
			},
		},
		{name: "lcr_rule", id: "id", needs: []string{"id", "prefix", "from_uri"}, columns: []string{
			"id", "lcr_id", "prefix", "from_uri", "mt_tvalue", "request_uri", "stopper", "enabled",
		}, layouts: [][]string{
			fields("id lcr_id prefix from_uri request_uri mt_tvalue stopper enabled"),
			fields("id lcr_id prefix from_uri request_uri stopper enabled"),
		}},
		{name: "lcr_gw", id: "id", needs: []string{"id", "ip_addr"}, columns: []string{
			"id", "lcr_id", "gw_name", "ip_addr", "hostname", "port", "params", "uri_scheme", "transport", "strip", "prefix", "tag", "flags", "defunct",
		}, layouts: [][]string{
			fields("id lcr_id gw_name ip_addr hostname port params uri_scheme transport strip prefix tag flags defunct"),
		}},
	}
}

// lcr is the state of an import of the lcr tables.
type lcr struct {
	o      *Options
	report *Report
	rs     *routing.RuleSet
	num    numbering

	rules, targets, gateways []*row

	dest      map[lcrGateway]string
	off       map[lcrGateway]bool
	byRule    map[lcrGateway][]lcrTarget // targets by rule
	instances map[string][]*lcrRule
	ids       []string          // of the instances, in order
	named     map[string]int    // ids of rules
	next      map[string]string // what was said of a draw's second place, by its targets
}

// lcrGateway is an id of one instance.
type lcrGateway struct{ instance, id string }

type lcrTarget struct {
	dest     string
	priority int
	weight   int
}

// lcrRule is a row of lcr_rule that a rule set can express.
type lcrRule struct {
	at       place
	id       int64
	prefixes []string // "" alone for every callee
	from     caller
	stopper  bool
	targets  []lcrTarget
}

func importLCR(sources []Source, o *Options, out *Result) error {
	out.Rules.Destinations = map[string]routing.DestinationSpec{}
	l := lcr{
		o: o, rs: out.Rules, report: &out.Report, dest: map[lcrGateway]string{}, off: map[lcrGateway]bool{},
		byRule: map[lcrGateway][]lcrTarget{}, instances: map[string][]*lcrRule{}, named: map[string]int{}, next: map[string]string{},
	}
	in := input{tables: lcrTables(), report: l.report, take: l.take}
	if err := in.read(sources); err != nil {
		return err
	}
	if len(l.rules) == 0 {
		return &callmodel.Error{Code: callmodel.CodeMalformed, Message: "there are no rows of lcr_rule in " + names(sources)}
	}
	l.num = newNumbering(o, func(yield func(string) bool) {
		for _, r := range l.rules {
			if !yield(r.get("prefix")) {
				return
			}
		}
	}, l.report)
	for _, r := range l.gateways {
		l.gateway(r)
	}
	rules := make(map[lcrGateway]bool, len(l.rules))
	for _, r := range l.rules {
		rules[lcrGateway{instanceOf(r), r.get("id")}] = true
	}
	for _, r := range l.targets {
		if !rules[lcrGateway{instanceOf(r), r.get("rule_id")}] {
			l.report.skip(r.place, "rule "+r.get("rule_id"), "there is no such rule")
			continue
		}
		l.target(r)
	}
	for _, r := range l.rules {
		l.rule(r)
	}
	slices.Sort(l.ids)
	for _, id := range l.ids {
		l.instance(id, l.instances[id])
	}
	return nil
}

func (l *lcr) take(r *row) {
	switch r.table.name {
	case "lcr_rule":
		l.rules = append(l.rules, r)
	case "lcr_rule_target":
		l.targets = append(l.targets, r)
	default:
		l.gateways = append(l.gateways, r)
	}
}

// anyInstance is that of gateways that belong to every instance.
const anyInstance = "0"

func instanceOf(r *row) string { return cmp.Or(r.get("lcr_id"), "1") }

func (l *lcr) gateway(r *row) {
	key := lcrGateway{instanceOf(r), r.get("id")}
	if _, again := l.dest[key]; again || key.id == "" {
		l.report.skip(r.place, "the gateway", "its id %q is missing or another's already", short(key.id))
		return
	}
	if defunct, ok := whole(r.get("defunct")); !ok || defunct > 0 && (l.o.Now.IsZero() || defunct > l.o.Now.Unix()) {
		l.off[key] = true
		l.report.approximate(r.place, "defunct "+r.get("defunct"), "it is out of use until then, and left out of every route")
		l.report.Converted++
		return
	}
	spec, why := gatewaySpec(&l.num, "sip:placeholder", r.get("strip"), r.get("prefix"))
	if why == "" {
		spec.URI, why = l.uri(r)
	}
	if why != "" {
		l.report.skip(r.place, "the gateway", "%s", why)
		return
	}
	for _, fault := range spec.faults {
		l.report.approximate(r.place, "the number it is given", "%s", fault)
	}
	for _, column := range [...]string{"tag", "flags"} {
		if v := r.get(column); v != "" && v != "0" {
			l.report.remark(r.place, column+" "+v, "it is for the source's own script")
		}
	}
	l.dest[key] = addDestination(l.rs, "gw", cmp.Or(validNameOr(r.get("gw_name")), key.id), spec.DestinationSpec)
	l.report.Converted++
}

func validNameOr(s string) string {
	if s == "" {
		return ""
	}
	return validName(s)
}

// lcrTransport returns the parameter of a transport, as the table numbers them.
func lcrTransport(number string) (param string, ok bool) {
	switch number {
	case "", "0", "1":
		return "", true
	case "2":
		return ";transport=tcp", true
	case "3":
		return ";transport=tls", true
	case "4":
		return ";transport=sctp", true
	}
	return "", false
}

// uri returns the URI of a gateway, made of scheme, host, port, parameters and
// transport.
func (l *lcr) uri(r *row) (uri, why string) {
	scheme := "sip:"
	switch r.get("uri_scheme") {
	case "", "0", "1":
	case "2":
		scheme = "sips:"
	default:
		return "", "its uri_scheme " + strconv.Quote(short(r.get("uri_scheme"))) + " is neither 1 nor 2"
	}
	ip, host := r.get("ip_addr"), r.get("hostname")
	if strings.Contains(ip, ":") && !strings.HasPrefix(ip, "[") {
		if net.ParseIP(ip) == nil {
			return "", "its address " + strconv.Quote(short(ip)) + " is none"
		}
		ip = "[" + ip + "]"
	}
	switch {
	case ip == "" && host == "":
		return "", "it has neither an address nor a host name"
	case ip != "" && host != "":
		l.report.approximate(r.place, "hostname "+host, "calls go to %s; a host that is named apart from where it is sent to can't be said", ip)
	}
	transport, ok := lcrTransport(r.get("transport"))
	if !ok {
		return "", "its transport " + strconv.Quote(short(r.get("transport"))) + " is not 0 to 4"
	}
	port := r.get("port")
	if n, ok := whole(port); !ok || n < 0 || n > 65535 {
		return "", "its port " + strconv.Quote(short(port)) + " is none"
	} else if n > 0 {
		port = ":" + port
	} else {
		port = ""
	}
	params := r.get("params")
	if params != "" && !strings.HasPrefix(params, ";") {
		params = ";" + params
	}
	uri = scheme + cmp.Or(ip, host) + port + params + transport
	if err := routing.CheckURI(uri); err != nil {
		return "", "its address " + strconv.Quote(short(uri)) + " " + err.Error()
	}
	return uri, ""
}

// maxLCRWeight and maxLCRPriority are the bounds of the table.
const (
	maxLCRWeight   = 254
	maxLCRPriority = 255
)

func (l *lcr) target(r *row) {
	priority, pok := whole(r.get("priority"))
	weight, wok := whole(cmp.Or(r.get("weight"), "1"))
	if !pok || !wok || priority < 0 || priority > maxLCRPriority || weight < 1 || weight > maxLCRWeight {
		l.report.skip(r.place, "priority "+r.get("priority")+", weight "+r.get("weight"), "they must be 0 to %d, and 1 to %d", maxLCRPriority, maxLCRWeight)
		return
	}
	key := lcrGateway{instanceOf(r), r.get("gw_id")}
	dest, ok := l.dest[key]
	off := l.off[key]
	if !ok && !off {
		key.instance = anyInstance
		dest, ok = l.dest[key]
		off = l.off[key]
	}
	switch rule := (lcrGateway{instanceOf(r), r.get("rule_id")}); {
	case ok:
		l.byRule[rule] = append(l.byRule[rule], lcrTarget{dest, int(priority), int(weight)})
		l.report.Converted++
	case off:
		l.report.Converted++
	default:
		l.report.skip(r.place, "gateway "+r.get("gw_id"), "there is no such gateway, or it was skipped")
	}
}

func (l *lcr) rule(r *row) {
	if e := r.get("enabled"); e == "0" {
		l.report.remark(r.place, "enabled 0", "it is not in use")
		l.report.Converted++
		return
	}
	prefixes, everything, why := l.num.callee(r.get("prefix"))
	if why != "" {
		l.report.skip(r.place, "prefix "+r.get("prefix"), "%s", why)
		return
	}
	if v := r.get("mt_tvalue"); v != "" {
		l.report.skip(r.place, "mt_tvalue "+v, "a match by mtree can't be said")
		return
	}
	if everything {
		prefixes = []string{""}
	}
	if callee := r.get("request_uri"); callee != "" {
		to, ok := uriPattern(&l.num, callee)
		if ok && !to.whole {
			prefixes, ok = narrow(prefixes, to.prefixes)
		}
		if !ok || to.whole {
			l.report.skip(r.place, "request_uri "+callee, "the pattern is not one of a number's first digits")
			return
		}
	}
	from := caller{}
	if pattern := r.get("from_uri"); pattern != "" {
		var ok bool
		if from, ok = uriPattern(&l.num, pattern); !ok {
			l.report.skip(r.place, "from_uri "+pattern, "the pattern is neither one of a number's first digits nor of one number")
			return
		}
	}
	id, _ := whole(r.get("id"))
	instance := instanceOf(r)
	one := &lcrRule{at: r.place, id: id, prefixes: prefixes, from: from, stopper: r.get("stopper") == "1", targets: l.byRule[lcrGateway{instance, r.get("id")}]}
	if len(one.targets) == 0 {
		l.report.remark(r.place, "targets", "it has none that is in use")
	}
	if _, known := l.instances[instance]; !known {
		l.ids = append(l.ids, instance)
	}
	l.instances[instance] = append(l.instances[instance], one)
	l.report.Converted++
}

// narrow returns the prefixes that begin with one of each list.
func narrow(a, b []string) ([]string, bool) {
	var out []string
	for _, x := range a {
		for _, y := range b {
			switch {
			case strings.HasPrefix(x, y):
				out = append(out, x)
			case strings.HasPrefix(y, x):
				out = append(out, y)
			}
		}
	}
	return out, len(out) > 0
}
