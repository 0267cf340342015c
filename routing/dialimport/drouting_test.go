package dialimport_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/routing"
	"github.com/switchtape/switchtape/routing/dialimport"
)

// The interpreter routes as drouting is documented to, straight from the
// tables: nothing of the importer is used.

type drRule struct {
	id       int
	groups   []string
	prefix   string
	when     int // index in recurrences
	priority int
	items    []drItem
	alg      string
}

type drItem struct {
	id      string
	carrier bool
	weight  int
}

type drCarrier struct {
	id    string
	items []drItem
	alg   string
	first bool
}

// recurrences are texts of dr_rules.timerec, and when they hold, in UTC.
var recurrences = []struct {
	text  string
	holds func(t time.Time) bool
}{
	{"", func(time.Time) bool { return true }},
	{"20260105T080000|PT10H|WEEKLY|||MO,TU,WE", office},
	{"UTC|20260105T080000|20260105T180000||WEEKLY|||MO,TU,WE", office},
	{"20260105T220000|4H|daily", func(t time.Time) bool {
		return !t.Before(time.Date(2026, 1, 5, 22, 0, 0, 0, time.UTC)) && (t.Hour() >= 22 || t.Hour() < 2)
	}},
	{"20260201T000000|P10D", func(t time.Time) bool {
		return !t.Before(time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC)) && t.Before(time.Date(2026, 2, 11, 0, 0, 0, 0, time.UTC))
	}},
	{"20260101T000000|P1D|MONTHLY||||1,15", func(t time.Time) bool { return t.Day() == 1 || t.Day() == 15 }},
	{"20260101T090000Z|PT1H|DAILY|20260110T090000Z|2", func(t time.Time) bool {
		return t.Hour() == 9 && t.Day()%2 == 1 && t.Before(time.Date(2026, 1, 10, 0, 0, 0, 0, time.UTC))
	}},
	{"20260101T000000|PT23H59M59S|DAILY", func(t time.Time) bool { return t.Year() >= 2026 }},
	{"20260105T080000|PT9H59M59S|WEEKLY|||MO,TU,WE", office},
	{"UTC|20260105T000000|20260105T235959||WEEKLY|||MO", func(t time.Time) bool {
		return t.Weekday() == time.Monday && !t.Before(time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC))
	}},
	{"20260214T120000", func(t time.Time) bool { return !t.Before(time.Date(2026, 2, 14, 12, 0, 0, 0, time.UTC)) }},
}

func office(t time.Time) bool {
	return t.Weekday() >= time.Monday && t.Weekday() <= time.Wednesday && t.Hour() >= 8 && t.Hour() < 18 &&
		!t.Before(time.Date(2026, 1, 5, 8, 0, 0, 0, time.UTC))
}

// interpret is the gateways of a call, as sets: those of one are tried in any
// order before those of the next.
func interpret(rules []drRule, carriers []drCarrier, off map[string]bool, group, number string, at time.Time) [][]string {
	var best *drRule
	for i := range rules {
		r := &rules[i]
		if !slices.Contains(r.groups, group) || !strings.HasPrefix(number, r.prefix) || !recurrences[r.when].holds(at) {
			continue
		}
		if best == nil || len(r.prefix) > len(best.prefix) ||
			len(r.prefix) == len(best.prefix) && (r.priority > best.priority || r.priority == best.priority && r.id < best.id) {
			best = r
		}
	}
	if best == nil {
		return nil
	}
	var sets [][]string
	used := map[string]bool{}
	add := func(ids ...string) {
		ids = slices.DeleteFunc(ids, func(id string) bool { return used[id] || off[id] })
		for _, id := range ids {
			used[id] = true
		}
		if len(ids) > 0 {
			sets = append(sets, ids)
		}
	}
	list := func(items []drItem, alg string) {
		if alg != "W" {
			for _, item := range items {
				add(item.id)
			}
			return
		}
		var heavy, light []string
		for _, item := range items {
			if item.weight > 0 {
				heavy = append(heavy, item.id)
			} else {
				light = append(light, item.id)
			}
		}
		add(heavy...)
		add(light...)
	}
	if best.alg == "W" {
		list(best.items, "W")
		return sets
	}
	for _, item := range best.items {
		if !item.carrier {
			add(item.id)
			continue
		}
		c := carriers[slices.IndexFunc(carriers, func(c drCarrier) bool { return c.id == item.id })]
		items := slices.DeleteFunc(slices.Clone(c.items), func(i drItem) bool { return off[i.id] })
		if c.first && len(items) > 1 {
			items = items[:1]
		}
		list(items, c.alg)
	}
	return sets
}

func drItems(t *rapid.T, label string) []drItem {
	ids := rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"g1", "g2", "g3", "g4"}), 1, 3, rapid.ID[string]).Draw(t, label)
	var list []drItem
	for _, id := range ids {
		list = append(list, drItem{id: id, weight: rapid.IntRange(0, 5).Draw(t, "weight")})
	}
	if !slices.ContainsFunc(ids, func(id string) bool { return id != "g4" }) { // g4 is disabled
		list = append(list, drItem{id: "g1", weight: 1})
	}
	return list
}

func gwlist(items []drItem) string {
	var parts []string
	for _, i := range items {
		s := i.id
		if i.carrier {
			s = "#" + s
		}
		if i.weight > 0 {
			s += fmt.Sprintf("=%d", i.weight)
		}
		parts = append(parts, s)
	}
	return strings.Join(parts, ",")
}

func TestDroutingDecidesAsTheSource(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var carriers []drCarrier
		for _, id := range []string{"c1", "c2"} {
			c := drCarrier{id: id, items: drItems(t, "carrier"), alg: rapid.SampledFrom([]string{"N", "W"}).Draw(t, "alg")}
			c.first = c.alg == "N" && rapid.Bool().Draw(t, "first")
			carriers = append(carriers, c)
		}
		var rules []drRule
		for i := range rapid.IntRange(1, 12).Draw(t, "rules") {
			r := drRule{
				id: i + 1, groups: rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"1", "2", "3"}), 1, 2, rapid.ID[string]).Draw(t, "groups"),
				prefix:   rapid.SampledFrom([]string{"", "4", "49", "493", "4930", "1", "1212"}).Draw(t, "prefix"),
				priority: rapid.SampledFrom([]int{0, 0, 1, -3, 5000}).Draw(t, "priority"),
				when:     rapid.IntRange(0, len(recurrences)-1).Draw(t, "when"),
				alg:      rapid.SampledFrom([]string{"N", "W"}).Draw(t, "alg"), items: drItems(t, "items"),
			}
			if r.alg == "N" && rapid.Bool().Draw(t, "carrier") {
				r.items = append(r.items, drItem{id: rapid.SampledFrom([]string{"c1", "c2"}).Draw(t, "which"), carrier: true})
			}
			rules = append(rules, r)
		}
		out := mustImport(t, dialimport.OpenSIPS, &dialimport.Options{Access: new(string), TimeZone: "UTC"}, text("dump.sql", droutingSQL(rules, carriers)))
		require.Zero(t, out.Report.Skipped.Count, out.Report.Skipped.List)
		router, err := routing.Compile(out.Rules)
		require.NoError(t, err)
		off := map[string]bool{"g4": true}
		for i := range 40 {
			number := rapid.SampledFrom([]string{"493012345678", "491701234567", "441234567890", "12125550100", "13105550100", "33123456789"}).Draw(t, "number")
			at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(rapid.IntRange(0, 60*24*60-1).Draw(t, "minute")) * time.Minute)
			group := rapid.SampledFrom([]string{"1", "2", "3"}).Draw(t, "group")
			want := interpret(rules, carriers, off, group, number, at)
			if onlyGroup(rules) != "" && group != onlyGroup(rules) {
				continue // with one group in the tables none is asked for
			}
			got := sent(t, router, calls.Request{
				CallID: callmodel.CallID(fmt.Sprint("c", i)), TenantID: "t", From: "+442079460123", To: "+" + number, Type: calls.TypeVoice, At: at,
				Metadata: map[string]string{"dr_group": group},
			})
			requireSets(t, want, got)
		}
	})
}

// onlyGroup is the group of the rules, if there is one only.
func onlyGroup(rules []drRule) string {
	var all []string
	for _, r := range rules {
		all = append(all, r.groups...)
	}
	slices.Sort(all)
	if all = slices.Compact(all); len(all) == 1 {
		return all[0]
	}
	return ""
}

// requireSets holds an order against sets.
func requireSets(t require.TestingT, want [][]string, got []string) {
	rest := got
	for _, set := range want {
		require.GreaterOrEqual(t, len(rest), len(set), "want %v, got %v", want, got)
		require.ElementsMatch(t, set, rest[:len(set)], "want %v, got %v", want, got)
		rest = rest[len(set):]
	}
	require.Empty(t, rest, "want %v, got %v", want, got)
}

func droutingSQL(rules []drRule, carriers []drCarrier) string {
	var b strings.Builder
	b.WriteString("INSERT INTO dr_gateways (gwid,address,strip,pri_prefix,state) VALUES " +
		"('g1','a.example',0,'+',0),('g2','sip:b.example',0,'00',0),('g3','c.example:5070',1,'',0),('g4','d.example',0,'+',1);\n")
	for _, c := range carriers {
		flags := 0
		if c.first {
			flags = 1
		}
		fmt.Fprintf(&b, "INSERT INTO dr_carriers (carrierid, gwlist, flags, sort_alg, state) VALUES ('%s','%s',%d,'%s',0);\n", c.id, gwlist(c.items),
			flags, c.alg)
	}
	for _, r := range rules {
		fmt.Fprintf(&b, "INSERT INTO dr_rules (ruleid,groupid,prefix,timerec,priority,gwlist,sort_alg) VALUES (%d,'%s','%s','%s',%d,'%s','%s');\n",
			r.id, strings.Join(r.groups, ","), r.prefix, recurrences[r.when].text, r.priority, gwlist(r.items), r.alg)
	}
	return b.String()
}

func TestDroutingNumbersOnTheWire(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		access, strip, prefix string
		want                  string // of +4930123456
		approximated          bool
	}{
		{"", "0", "", "4930123456", false},
		{"", "0", "00", "004930123456", false},
		{"", "2", "0", "030123456", false},
		{"", "99", "1", "1", false},
		{"+", "0", "", "+4930123456", false},
		{"+", "1", "00", "004930123456", false},
		{"+", "3", "0", "030123456", false},
		{"+", "1", "", "4930123456", false},
		{"+", "0", "9", "94930123456", true},
		{"00", "0", "", "004930123456", false},
		{"00", "1", "", "04930123456", false},
		{"00", "2", "+", "+4930123456", false},
		{"00", "4", "0", "030123456", false},
	} {
		prefix := c.access + "49"
		out := mustImport(t, dialimport.OpenSIPS, &dialimport.Options{Access: &c.access},
			text("dr_gateways.csv", "gwid,address,strip,pri_prefix\ng,h.example,"+c.strip+","+c.prefix+"\n"),
			text("dr_rules.csv", "ruleid,groupid,prefix,gwlist\n1,1,"+prefix+",g\n"))
		require.Equal(t, c.approximated, out.Report.Approximated.Count > 0, c)
		router, err := routing.Compile(out.Rules)
		require.NoError(t, err)
		d, err := router.Route(&calls.Request{At: noon, CallID: "c", To: "+4930123456", Type: calls.TypeVoice})
		require.NoError(t, err)
		require.Equal(t, c.want, d.Destinations[0].Number, c)
	}
}

func TestDroutingWeightsOfCarriers(t *testing.T) {
	t.Parallel()
	out := mustImport(t, dialimport.OpenSIPS, nil,
		text("dr_gateways.csv", "gwid,address\na,a.example\nb,b.example\nc,c.example\n"),
		text("dr_carriers.csv", "carrierid,gwlist,flags,sort_alg,state\nx,\"a=1,b=3\",0,W,0\n"),
		text("dr_rules.csv", "ruleid,groupid,prefix,gwlist,sort_alg\n1,1,49,\"#x=50,c=50\",W\n"))
	// The carrier takes half of the calls, a a quarter of those.
	require.Equal(t, []routing.Tier{{Targets: []routing.Target{{To: "a", Weight: 1}, {To: "b", Weight: 3}, {To: "c", Weight: 4}}}}, out.Rules.Rules[0].Route)
	require.Equal(t, 1, out.Report.Approximated.Count, "the carrier")
}

func TestDroutingGroups(t *testing.T) {
	t.Parallel()
	gateways := "gwid,address\na,a.example\nb,b.example\n"
	rules := "ruleid,groupid,prefix,gwlist\n1,1,49,a\n2,2,49,b\n3,\"1,2,3\",,a\n"
	out := mustImport(t, dialimport.OpenSIPS, &dialimport.Options{Groups: map[string]callmodel.TenantID{"1": "acme"}},
		text("dr_gateways.csv", gateways), text("dr_rules.csv", rules),
		text("dr_groups.csv", "id,username,domain,groupid\n1,442079460123,example.org,2\n2,alice,example.org,2\n3,442079460123,x,3\n"))
	require.Equal(t, 1, out.Report.Skipped.Count, "alice is no number")
	router, err := routing.Compile(out.Rules)
	require.NoError(t, err)
	call := func(tenant, from, group string) []string {
		return sent(t, router, calls.Request{
			At: noon, CallID: "c", TenantID: callmodel.TenantID(tenant), From: from, To: "+4930123456",
			Metadata: map[string]string{"dr_group": group},
		})
	}
	require.Equal(t, []string{"a"}, call("acme", "+12125550100", ""))
	require.Equal(t, []string{"b"}, call("other", "+442079460123", ""))
	require.Equal(t, []string{"a"}, call("other", "+12125550100", "3"))
	require.Nil(t, call("other", "+12125550100", ""))
}

func TestDroutingManyLevelRules(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	b.WriteString("ruleid,groupid,prefix,priority,gwlist\n")
	for i := range 2500 {
		fmt.Fprintf(&b, "%d,1,49,0,a\n", i+1)
	}
	out := mustImport(t, dialimport.OpenSIPS, nil, text("dr_gateways.csv", "gwid,address,pri_prefix\na,a.example,+\n"), text("dr_rules.csv", b.String()))
	require.Len(t, out.Rules.Rules, 2001)
	require.Equal(t, 499, out.Report.Skipped.Count)
	require.Equal(t, 2499, out.Report.Approximated.Count)
	require.Len(t, out.Report.Approximated.List, dialimport.MaxNotes)
}
