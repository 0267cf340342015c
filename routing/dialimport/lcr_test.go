package dialimport_test

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/routing"
	"github.com/switchtape/switchtape/routing/dialimport"
)

type lcrRow struct {
	prefix, from string
	stopper      bool
	targets      []lcrTargetRow
}

type lcrTargetRow struct{ gw, priority, weight int }

// lcrCallers are patterns of from_uri, and the callers that match them.
var lcrCallers = map[string]func(string) bool{
	"":                   func(string) bool { return true },
	"^sip:44":            func(s string) bool { return strings.HasPrefix(s, "44") },
	`^sip:4420[0-9]*@`:   func(s string) bool { return strings.HasPrefix(s, "4420") },
	"^sip:442079460123@": func(s string) bool { return s == "442079460123" },
	`^sips?:1\d*@.*$`:    func(s string) bool { return strings.HasPrefix(s, "1") },
}

// lcrSets orders the gateways of a call as lcr is documented to: by the length
// of the prefix, then by priority; those that are level are a set.
func lcrSets(rows []lcrRow, from, to string, byPriority bool) [][]string {
	type match struct{ length, priority, gw int }
	var matches []match
	stopAt := -1
	for _, r := range rows {
		if r.stopper && strings.HasPrefix(to, r.prefix) && lcrCallers[r.from](from) {
			stopAt = max(stopAt, len(r.prefix))
		}
	}
	for _, r := range rows {
		if !strings.HasPrefix(to, r.prefix) || !lcrCallers[r.from](from) || len(r.prefix) < stopAt {
			continue
		}
		for _, g := range r.targets {
			matches = append(matches, match{len(r.prefix), g.priority, g.gw})
		}
	}
	rank := func(a, b match) int {
		if byPriority {
			return cmp.Compare(a.priority, b.priority)
		}
		return cmp.Or(cmp.Compare(b.length, a.length), cmp.Compare(a.priority, b.priority))
	}
	slices.SortStableFunc(matches, rank)
	var sets [][]string
	used := map[int]bool{}
	for len(matches) > 0 {
		n := 1
		for n < len(matches) && rank(matches[0], matches[n]) == 0 {
			n++
		}
		var set []string
		for _, m := range matches[:n] {
			if !used[m.gw] {
				used[m.gw] = true
				set = append(set, fmt.Sprintf("gw-%d", m.gw))
			}
		}
		if len(set) > 0 {
			sets = append(sets, set)
		}
		matches = matches[n:]
	}
	return sets
}

func lcrCSV(rows []lcrRow) []dialimport.Source {
	var rules, targets strings.Builder
	rules.WriteString("id,lcr_id,prefix,from_uri,request_uri,stopper,enabled\n")
	targets.WriteString("id,lcr_id,rule_id,gw_id,priority,weight\n")
	n := 0
	for i, r := range rows {
		stopper := 0
		if r.stopper {
			stopper = 1
		}
		fmt.Fprintf(&rules, "%d,1,%s,%s,,%d,1\n", i+1, r.prefix, r.from, stopper)
		for _, g := range r.targets {
			n++
			fmt.Fprintf(&targets, "%d,1,%d,%d,%d,%d\n", n, i+1, g.gw, g.priority, g.weight)
		}
	}
	return []dialimport.Source{
		text("lcr_rule.csv", rules.String()), text("lcr_rule_target.csv", targets.String()),
		text("lcr_gw.csv", "id,lcr_id,ip_addr,port,uri_scheme,transport,strip,prefix,defunct\n1,1,192.0.2.1,,1,1,0,00,\n2,1,192.0.2.2,,"+
			"1,1,0,00,\n3,0,192.0.2.3,,1,1,0,00,\n4,1,2001:db8::1,5070,1,2,0,00,\n"),
	}
}

func TestLCRDecidesAsTheSource(t *testing.T) {
	t.Parallel()
	patterns := []string{""}
	for p := range lcrCallers {
		patterns = append(patterns, p)
	}
	slices.Sort(patterns)
	rapid.Check(t, func(t *rapid.T) {
		var rows []lcrRow
		for range rapid.IntRange(1, 8).Draw(t, "rules") {
			r := lcrRow{
				prefix: rapid.SampledFrom([]string{"", "4", "49", "4930", "1"}).Draw(t, "prefix"), from: rapid.SampledFrom(patterns).Draw(t, "from"),
				stopper: rapid.IntRange(0, 3).Draw(t, "stopper") == 0,
			}
			for range rapid.IntRange(1, 3).Draw(t, "targets") {
				r.targets = append(r.targets, lcrTargetRow{
					rapid.IntRange(1, 4).Draw(t, "gw"), rapid.IntRange(0, 2).Draw(t, "priority"),
					rapid.IntRange(1, 254).Draw(t, "weight"),
				})
			}
			rows = append(rows, r)
		}
		byPriority := rapid.Bool().Draw(t, "priority_ordering")
		out := mustImport(t, dialimport.KamailioLCR, &dialimport.Options{Access: new(string), PriorityOrdering: byPriority}, lcrCSV(rows)...)
		require.Zero(t, out.Report.Skipped.Count, out.Report.Skipped.List)
		router, err := routing.Compile(out.Rules)
		require.NoError(t, err)
		for _, from := range []string{"442079460123", "442079460124", "441234567890", "12125550100", "33123456789"} {
			for _, to := range []string{"493012345678", "491701234567", "441234567890", "12125550100"} {
				got := sent(t, router, calls.Request{
					At: noon, CallID: callmodel.CallID("c" + from + to), From: "+" + from, To: "+" + to,
					Type: calls.TypeVoice,
				})
				requireSets(t, lcrSets(rows, from, to, byPriority), got)
			}
		}
	})
}

// Which gateway goes first is drawn as often as by the source's own formula:
// the largest weight times a random number.
func TestLCRWeights(t *testing.T) {
	t.Parallel()
	weights := []int{1, 2, 10, 10}
	var row lcrRow
	for i, w := range weights {
		row.targets = append(row.targets, lcrTargetRow{gw: i + 1, weight: w})
	}
	out := mustImport(t, dialimport.KamailioLCR, nil, lcrCSV([]lcrRow{row})...)
	require.Equal(t, 1, out.Report.Approximated.Count, "what comes next")
	router, err := routing.Compile(out.Rules)
	require.NoError(t, err)
	const callList = 200_000
	first := map[string]int{}
	for i := range callList {
		first[sent(t, router, calls.Request{At: noon, CallID: callmodel.CallID(fmt.Sprint(i)), To: "+4930123456"})[0]]++
	}
	source := map[string]int{}
	seed := uint64(1)
	random := func() float64 { // splitmix64
		seed += 0x9E3779B97F4A7C15
		z := seed
		z = (z ^ z>>30) * 0xBF58476D1CE4E5B9
		z = (z ^ z>>27) * 0x94D049BB133111EB
		return float64((z^z>>31)>>11) / (1 << 53)
	}
	for range callList {
		best, at := -1.0, 0
		for i, w := range weights {
			if x := float64(w) * random(); x > best {
				best, at = x, i
			}
		}
		source[fmt.Sprintf("gw-%d", at+1)]++
	}
	for gw, n := range source {
		require.InDelta(t, float64(n)/callList, float64(first[gw])/callList, 0.006, "%s: %v %v", gw, source, first)
	}
}

// The manual's own example: with weights 1 and 2 the first goes first by a quarter.
func TestLCRWeightsOfTwo(t *testing.T) {
	t.Parallel()
	out := mustImport(t, dialimport.KamailioLCR, nil, lcrCSV([]lcrRow{{targets: []lcrTargetRow{{1, 0, 1}, {2, 0, 2}}}})...)
	require.Zero(t, out.Report.Approximated.Count)
	require.Equal(t, []routing.Target{{To: "gw-1", Weight: 250_000}, {To: "gw-2", Weight: 750_000}}, out.Rules.Rules[0].Route[0].Targets)
}

func TestLCRWhatCantBeSaid(t *testing.T) {
	t.Parallel()
	gateways := "id,ip_addr,hostname,port,uri_scheme,transport,strip,prefix,defunct,tag\n1,192.0.2.1,,,,,0,00,,x\n2,192.0.2.2," +
		"host.example,,,,0,00,,\n3,192.0.2.3,,,,9,0,00,,\n4,192.0.2.4,,,,,0,00,99999999999,\n"
	rules := "id,prefix,from_uri,request_uri,stopper,enabled,mt_tvalue\n1,49,,,0,1,\n2,49,^sip:.*@a.example,,0,1,\n3,49,,^sip:4930,0,1," +
		"\n4,49,,^sip:x,0,1,\n5,49,,,0,0,\n6,49,,,0,1,tree\n7,0049,,,0,1,\n8,1,,,1,1,\n9,49,,^sip:33,0,1,\n"
	targets := "id,rule_id,gw_id,priority,weight\n1,1,1,0,1\n2,3,2,0,1\n3,1,3,0,1\n4,8,4,0,1\n5,1,1,300,1\n6,2,1,0,1\n"
	access := ""
	out := mustImport(t, dialimport.KamailioLCR, &dialimport.Options{Access: &access}, text("lcr_gw.csv", gateways), text("lcr_rule.csv", rules),
		text("lcr_rule_target.csv", targets))
	var skipped []string
	for _, n := range out.Report.Skipped.List {
		skipped = append(skipped, n.Row)
	}
	require.Equal(t, []string{
		"lcr_gw 3", "lcr_rule_target 3", "lcr_rule_target 5", "lcr_rule 2", "lcr_rule 4", "lcr_rule 6", "lcr_rule 7",
		"lcr_rule 9", "lcr_rule 8",
	}, skipped)
	require.Len(t, out.Rules.Rules, 2, "+49, and +4930 with its own gateway before")
	require.Equal(t, []routing.Tier{{Targets: []routing.Target{{To: "gw-2"}}}, {Targets: []routing.Target{{To: "gw-1"}}}}, out.Rules.Rules[1].Route)
}

// A target of a rule that isn't there is not dropped in silence.
func TestLCRTargetOfNoRule(t *testing.T) {
	t.Parallel()
	out := mustImport(t, dialimport.KamailioLCR, nil, text("lcr.sql", "INSERT INTO lcr_gw (id,lcr_id,ip_addr,prefix) VALUES (1,1,'10.0.0.1','+');\n"+
		"INSERT INTO lcr_rule (id,lcr_id,prefix) VALUES (1,1,'49');\nINSERT INTO lcr_rule_target (id,lcr_id,rule_id,gw_id,priority) "+
		"VALUES (1,1,1,1,0),(2,1,99,1,0),(3,2,1,1,0);"))
	require.Equal(t, 2, out.Report.Skipped.Count, "%v", out.Report.Skipped.List)
	require.Contains(t, out.Report.Skipped.List[0].String(), "lcr_rule_target 2: rule 99: there is no such rule")
	require.Contains(t, out.Report.Skipped.List[1].String(), "lcr_rule_target 3: rule 1: there is no such rule")
}
