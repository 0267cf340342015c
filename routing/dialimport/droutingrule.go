package dialimport

import (
	"slices"
	"strconv"
	"strings"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/routing"
)

// groupKey is the metadata key that names the group of a call.
const groupKey = "dr_group"

// maxRuleGroups bounds the groups of one rule.
const maxRuleGroups = 256

func (d *drouting) rule(r *row) {
	prefixes, everything, why := d.num.callee(r.get("prefix"))
	if why != "" {
		d.report.skip(r.place, "prefix "+r.get("prefix"), "%s", why)
		return
	}
	priority, ok := whole(r.get("priority"))
	if !ok {
		d.report.skip(r.place, "priority "+r.get("priority"), "it is no whole number")
		return
	}
	when, ok := d.when(r)
	if !ok {
		return
	}
	route := tiersOf(d.blocks(r), r.place, d.report)
	if len(route) == 0 {
		d.report.skip(r.place, "gwlist "+r.get("gwlist"),
			"none of it can be called, and what then becomes of a call is the script's to say: here it goes by shorter prefixes; a rule with reject ends it")
		return
	}
	d.script(r)
	id := "rule-" + validName(r.get("ruleid"))
	number, _ := whole(r.get("ruleid"))
	base := routing.Rule{
		ID: id, Default: everything, Route: route,
		Match: routing.Match{To: routing.NumberMatch{Prefix: prefixes}, When: when.when, ValidFrom: when.from, ValidUntil: when.until},
	}
	bucket := ""
	if !everything {
		bucket = prefixes[0]
	}
	conditions := d.conditions(r)
	for i, c := range conditions {
		one := base
		if len(conditions) > 1 {
			one.ID += "." + c.kind
		}
		c.apply(&one.Match)
		if d.o.Tenant != "" && len(one.Match.Tenant) == 0 {
			one.Match.Tenant = []callmodel.TenantID{d.o.Tenant}
		}
		if i > 0 {
			d.report.Converted-- // of one row
		}
		d.made = append(d.made, ranked{rule: one, at: r.place, priority: priority, id: number, groups: c.groups, bucket: bucket})
	}
}

// script remarks on what only the script of the source can do with the rule.
func (d *drouting) script(r *row) {
	if v := r.get("routeid"); v != "" && v != "0" {
		d.report.approximate(r.place, "routeid "+v, "the route of the source's script is not run")
	}
	d.unused(r, "attrs", "attributes are for the source's own script")
}

func (d *drouting) when(r *row) (window, bool) {
	text := r.get("timerec")
	if strings.Trim(text, "| ") == "" {
		return window{}, true
	}
	w, known := d.windows[text]
	if !known {
		t, err := splitTimeRec(text)
		if err == nil {
			w.window, w.assumed, err = t.convert(d.o.TimeZone)
		}
		w.err = err
		d.windows[text] = w
	}
	if w.err != nil {
		d.report.skip(r.place, "timerec "+text, "%s", w.err)
		return window{}, false
	}
	if w.assumed {
		d.report.approximate(r.place, "timerec "+text, "it is read in UTC; give the time zone of the source's machine")
	}
	if w.extended {
		d.report.approximate(r.place, "timerec "+text, "it ends a second before a minute does; it lasts to the end of the minute")
	}
	return w.window, true
}

// groupCondition is a condition for some of a rule's groups.
type groupCondition struct {
	kind   string // of the condition
	groups []string
	apply  func(m *routing.Match)
}

// conditions returns the conditions for the groups of a rule, one for each kind. A
// rule with several kinds becomes several rules.
func (d *drouting) conditions(r *row) []groupCondition {
	var ids []string
	for id := range strings.FieldsFuncSeq(r.get("groupid"), func(c rune) bool { return c == ',' || c == ';' || c == ' ' }) {
		if !slices.Contains(ids, id) && len(ids) < maxRuleGroups {
			ids = append(ids, id)
		}
	}
	if len(ids) == 0 {
		d.report.remark(r.place, "groupid", "it names no group; the rule is for every call")
		return []groupCondition{{groups: d.everyGroup(), apply: func(*routing.Match) {}}}
	}
	if d.oneGroup() {
		return []groupCondition{{groups: []string{""}, apply: func(*routing.Match) {}}}
	}
	var tenants []callmodel.TenantID
	var lists, plain []string
	for _, id := range ids {
		if t, ok := d.o.Groups[id]; ok {
			tenants = append(tenants, t)
		} else if name, ok := d.users[id]; ok {
			lists = append(lists, name)
		} else {
			plain = append(plain, id)
		}
	}
	var out []groupCondition
	if len(tenants) > 0 {
		out = append(out, groupCondition{"tenant", d.met("t", stringsOf(tenants)), func(m *routing.Match) { m.Tenant = tenants }})
	}
	if len(lists) > 0 {
		out = append(out, groupCondition{"callers", d.met("l", lists), func(m *routing.Match) { m.From.List = lists }})
	}
	if len(plain) > 0 {
		out = append(out, groupCondition{"group", d.met("g", plain), func(m *routing.Match) { m.Metadata = map[string][]string{groupKey: plain} }})
	}
	return out
}

func stringsOf[S ~string](list []S) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = string(s)
	}
	return out
}

// met returns the groups by which a condition may hold together with others.
// Conditions of different kinds may hold for one call, so with several kinds all do.
func (d *drouting) met(kind string, ids []string) []string {
	out := make([]string, 0, len(ids)+1)
	for _, id := range ids {
		out = append(out, kind+id)
	}
	if d.kinds() > 1 {
		out = append(out, "")
	}
	return out
}

func (d *drouting) everyGroup() []string { return d.groupsOfAll().keys }

// groupsOfAll looks through every rule's groups once.
func (d *drouting) groupsOfAll() *groupSurvey {
	if d.survey == nil {
		s := &groupSurvey{}
		kinds, seen := map[string]bool{}, map[string]bool{}
		for _, r := range d.rules {
			ids := strings.FieldsFunc(r.get("groupid"), func(c rune) bool { return c == ',' || c == ';' || c == ' ' })
			s.none = s.none || len(ids) == 0
			for _, id := range ids {
				if seen[id] {
					continue
				}
				seen[id] = true
				if t, ok := d.o.Groups[id]; ok {
					kinds["t"] = true
					s.keys = append(s.keys, "t"+string(t))
				} else if name, ok := d.users[id]; ok {
					kinds["l"] = true
					s.keys = append(s.keys, "l"+name)
				} else {
					kinds["g"] = true
					s.keys = append(s.keys, "g"+id)
				}
			}
		}
		s.kinds, s.groups = len(kinds), len(seen)
		s.keys = append(s.keys, "")
		s.plain = !kinds["t"] && !kinds["l"]
		if s.groups == 1 && s.plain {
			d.report.remark(place{}, "groupid", "every rule is of one group, so none is asked for")
		} else if kinds["g"] {
			d.report.remark(place{}, "groupid", "a call's group is its metadata %s; give the groups that are tenants", groupKey)
		}
		d.survey = s
	}
	return d.survey
}

type groupSurvey struct {
	groups, kinds int
	plain, none   bool
	keys          []string
}

func (d *drouting) oneGroup() bool {
	s := d.groupsOfAll()
	return s.groups <= 1 && s.plain
}

func (d *drouting) kinds() int {
	s := d.groupsOfAll()
	if s.none {
		return s.kinds + 1
	}
	return s.kinds
}

// blocks returns the route of a rule.
func (d *drouting) blocks(r *row) []block {
	groups := parseGWList(r.get("gwlist"))
	if d.format == Kamailio {
		return d.kamailioBlocks(r, groups)
	}
	items := slices.Concat(groups...)
	alg := strings.ToUpper(r.get("sort_alg"))
	if !d.sorted && d.o.Weights {
		alg = "W"
	}
	if !d.sorted && !d.o.Weights && slices.ContainsFunc(items, func(i listItem) bool { return i.weight > 0 }) {
		d.report.approximate(r.place, "gwlist "+r.get("gwlist"),
			"its weights are not used: the source uses them only where its script asks for it; say so if it does")
	}
	switch alg {
	case "W":
		return d.weightedItems(r, items)
	case "Q":
		d.report.approximate(r.place, "sort_alg Q", "gateways are ordered by their quality as it is measured here; profile %s is not carried over",
			quotedOr(r.get("sort_profile"), "0"))
		return qualityBlock(d.ordered(r, items))
	}
	return d.ordered(r, items)
}

func qualityBlock(blocks []block) []block {
	b := block{order: byQuality}
	used := map[string]bool{}
	for _, one := range blocks {
		for _, h := range one.hops {
			if !used[h.dest] {
				used[h.dest] = true
				b.hops = append(b.hops, hop{h.dest, 1})
			}
		}
	}
	return []block{b}
}

func (d *drouting) kamailioBlocks(r *row, groups [][]listItem) []block {
	var out []block
	for _, items := range groups {
		hops := hopsOf(d.ordered(r, items))
		if d.o.SortOrder == 0 || len(hops) < 2 {
			out = append(out, block{listed, hops})
			continue
		}
		for i := range hops {
			hops[i].weight = 1
		}
		if d.o.SortOrder == 2 {
			d.report.approximate(r.place, "gwlist "+r.get("gwlist"),
				"the source tries one of each group, drawn at random; here the others of the group come behind it")
		} else if len(hops) > 2 {
			d.report.approximate(r.place, "gwlist "+r.get("gwlist"), "the source draws the first two of a group of %d; here the whole group is drawn",
				len(hops))
		}
		out = append(out, block{weighted, hops})
	}
	return out
}

func hopsOf(blocks []block) []hop {
	var hops []hop
	for _, b := range blocks {
		hops = append(hops, b.hops...)
	}
	return hops
}

// ordered tries the items one after the other, as they are listed.
func (d *drouting) ordered(r *row, items []listItem) []block {
	var out []block
	for _, item := range items {
		out = append(out, d.item(r, item)...)
	}
	return out
}

// item returns the hops of one entry of a list, none if it can't be called.
func (d *drouting) item(r *row, item listItem) []block {
	if item.broken {
		d.report.approximate(r.place, "gwlist "+r.get("gwlist"), "the weight of %s is no number; it has none", strconv.Quote(short(item.id)))
	}
	if item.carrier {
		return d.expand(r, item.id)
	}
	if name, ok := d.dest[item.id]; ok {
		return []block{{listed, []hop{{name, max(item.weight, 0)}}}}
	}
	if !d.off[item.id] {
		d.report.skip(r.place, "gateway "+item.id, "there is no such gateway, or it was skipped")
	}
	return nil
}

// weightedItems draws the items by weight. A carrier with several gateways can't be
// drawn as one: its first gateway is drawn for it, and the others come behind.
func (d *drouting) weightedItems(r *row, items []listItem) []block {
	var hops []hop
	var behind []block
	for _, item := range items {
		blocks := d.item(r, item)
		if len(blocks) == 0 {
			continue
		}
		weight := max(item.weight, 0)
		first := blocks[0]
		if n := len(hopsOf(blocks)); n > 1 {
			d.report.approximate(r.place, "carrier "+item.id,
				"its %d gateways are not kept together when carriers are drawn by weight; which comes first has the source's odds", n)
		}
		if first.order == weighted {
			total := 0
			for _, h := range first.hops {
				total += h.weight
			}
			for _, h := range first.hops {
				hops = append(hops, hop{h.dest, share(weight, h.weight, total)})
			}
		} else {
			hops = append(hops, hop{first.hops[0].dest, weight * shares})
			if len(first.hops) > 1 {
				behind = append(behind, block{first.order, first.hops[1:]})
			}
		}
		behind = append(behind, blocks[1:]...)
	}
	return append(byWeight(lowest(hops)), behind...)
}

// shares is what a weight is divided into.
const shares = 1000

// share returns a part of a weight: that of one gateway of total.
func share(weight, part, total int) int {
	if weight == 0 {
		return 0
	}
	return max(1, int(int64(weight)*shares*int64(part)/int64(max(total, 1))))
}

// lowest divides the weights by their greatest common divisor.
func lowest(hops []hop) []hop {
	common := 0
	for _, h := range hops {
		a, b := common, h.weight
		for b != 0 {
			a, b = b, a%b
		}
		common = a
	}
	if common > 1 {
		for i := range hops {
			hops[i].weight /= common
		}
	}
	return hops
}
