package dialimport_test

import (
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/routing"
	"github.com/switchtape/switchtape/routing/dialimport"
)

// The readers in this file are written after what the sources' own manuals say, and share
// nothing with the importers.

// fsLCRRow is a row of FreeSWITCH's lcr, with its carrier.
type fsLCRRow struct {
	digits  string
	rate    int // thousandths
	carrier int
	strip   int
	prefix  string
	from    time.Time
	until   time.Time
	enabled bool
}

// fsCarriers are the carriers, by their number less one; the third is not enabled.
func fsCarriers() []string { return []string{"alpha", "beta", "gone"} }

// fsOracle is the carriers that mod_lcr tries: ORDER BY digits DESC, rate, each gateway
// once, with the number that each gets.
func fsOracle(rows []fsLCRRow, number string, at time.Time) (ids, numbers []string) {
	fit := slices.DeleteFunc(slices.Clone(rows), func(r fsLCRRow) bool {
		return !strings.HasPrefix(number, r.digits) || !r.enabled || r.carrier == 2 || at.Before(r.from) || !at.Before(r.until)
	})
	slices.SortFunc(fit, func(a, b fsLCRRow) int {
		if a.digits != b.digits {
			return len(b.digits) - len(a.digits)
		}
		return a.rate - b.rate
	})
	for _, r := range fit {
		if id := fsCarriers()[r.carrier]; !slices.Contains(ids, id) {
			ids, numbers = append(ids, id), append(numbers, r.prefix+number[r.strip:])
		}
	}
	return ids, numbers
}

func TestFreeSWITCHLCRDecidesAsTheSource(t *testing.T) {
	t.Parallel()
	day := func(n int) time.Time { return time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC).AddDate(0, 0, n) }
	rapid.Check(t, func(t *rapid.T) {
		n := func(most int) int { return rapid.IntRange(0, most-1).Draw(t, "n") }
		form := [2]string{[]string{"00", "", "9"}[n(3)], []string{"", "011"}[n(2)]} // of each carrier
		strips := [2]int{n(3), n(2)}
		var rows []fsLCRRow
		var b strings.Builder
		b.WriteString("INSERT INTO carriers (id, carrier_name, enabled) VALUES (1,'alpha',1),(2,'beta',1),(3,'gone',0);\n" +
			"INSERT INTO carrier_gateway VALUES (1,1,'sofia/external/','@192.0.2.1:5060','',1),(2,2,'sofia/external/','@192.0.2.2','',1),(3,3,'sofia/external/','@192.0.2.3','',1);\n")
		used := map[string]bool{}
		for i := range 1 + n(8) {
			r := fsLCRRow{
				digits: []string{"4", "49", "493", "4930", "1", "1212", "44"}[n(7)], rate: 10*(i+1) + n(9), carrier: n(3),
				from: day(-30), until: day(n(3)*20 - 10), enabled: n(6) > 0,
			}
			if key := fmt.Sprint(r.digits, r.carrier); used[key] {
				continue // two rates of one code are an error of the import
			} else {
				used[key] = true
			}
			if r.carrier < 2 {
				r.prefix, r.strip = form[r.carrier], strips[r.carrier]
			}
			if r.strip > len(r.digits) {
				r.strip = len(r.digits)
			}
			rows = append(rows, r)
			enabled := 0
			if r.enabled {
				enabled = 1
			}
			fmt.Fprintf(&b, "INSERT INTO lcr (id,digits,rate,carrier_id,lead_strip,trail_strip,prefix,suffix,lcr_profile,date_start,date_end,enabled) VALUES "+
				"(%d,'%s',0.%03d,%d,%d,0,'%s','','0','%s','%s',%d);\n", i+1, r.digits, r.rate, r.carrier+1, r.strip, r.prefix,
				r.from.Format(time.DateTime), r.until.Format(time.DateTime), enabled)
		}
		at := day([]int{-20, -5, 15, 40}[n(4)]) // the import is of what holds then
		out, err := dialimport.Import(dialimport.FreeSWITCHLCR, []dialimport.Source{text("lcr.sql", b.String())},
			&dialimport.Options{Now: at, Currency: "USD", TimeZone: "UTC", Access: new(string)})
		if err != nil || len(out.Rules.Rules) == 0 {
			for _, r := range rows {
				require.True(t, !r.enabled || r.carrier == 2 || !at.Before(r.until), "%v: %s", err, b.String())
			}
			return
		}
		router, err := routing.Compile(out.Rules)
		require.NoError(t, err, "%s", b.String())
		for _, number := range []string{"493012345678", "491701234567", "441234567890", "12125550100", "13105550100", "33123456789"} {
			ids, numbers := fsOracle(rows, number, at)
			var d calls.Decision
			err := router.RouteInto(&calls.Request{At: at, CallID: "c", To: "+" + number}, &d)
			if len(ids) == 0 {
				require.Error(t, err, "%s at %s: %v\n%s", number, at, d.Destinations, b.String())
				continue
			}
			require.NoError(t, err, "%s at %s\n%s", number, at, b.String())
			var got []string
			var sentTo []string
			for _, x := range d.Destinations {
				for i, host := range []string{"192.0.2.1", "192.0.2.2", "192.0.2.3"} {
					if strings.Contains(x.URI, host) {
						got = append(got, fsCarriers()[i])
					}
				}
				sentTo = append(sentTo, x.Number)
			}
			require.Equal(t, ids, got, "%s at %s\n%s", number, at, b.String())
			require.Equal(t, numbers, sentTo, "%s at %s\n%s", number, at, b.String())
		}
	})
}

// TestDispatcherDecidesAsTheSource: by priority (algorithm 8) the destinations of a set that
// aren't disabled are tried in falling order, whichever form the table has.
func TestDispatcherDecidesAsTheSource(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		n := func(most int) int { return rapid.IntRange(0, most-1).Draw(t, "n") }
		form := n(3)
		var b strings.Builder
		if form == 2 {
			b.WriteString("id,setid,destination,flags,priority,attrs,description\n")
		}
		type entry struct{ id, priority int }
		sets := map[int][]entry{}
		priorities := rapid.SliceOfNDistinct(rapid.IntRange(0, 500), 1, 10, rapid.ID[int]).Draw(t, "priorities")
		for i, priority := range priorities {
			set, flags := 1+n(2), []int{0, 8, 4}[n(3)] // 4: disabled; 8: probed
			switch form {
			case 0:
				fmt.Fprintf(&b, "%d sip:10.0.0.%d:5060 %d %d\n", set, i+1, flags, priority)
			case 1:
				fmt.Fprintf(&b, "INSERT INTO dispatcher VALUES (%d,%d,'sip:10.0.0.%d:5060',%d,%d,'','x');\n", i+1, set, i+1, flags, priority)
			default:
				fmt.Fprintf(&b, "%d,%d,sip:10.0.0.%d:5060,%d,%d,,x\n", i+1, set, i+1, flags, priority)
			}
			if flags != 4 {
				sets[set] = append(sets[set], entry{i + 1, priority})
			}
		}
		out, err := dialimport.Import(dialimport.KamailioDispatcher, []dialimport.Source{text("dispatcher", b.String())}, &dialimport.Options{Algorithm: "8"})
		if len(sets) == 0 {
			require.True(t, err != nil || len(out.Rules.Rules) == 0, "%s", b.String())
			return
		}
		require.NoError(t, err, "%s", b.String())
		router, err := routing.Compile(out.Rules)
		require.NoError(t, err)
		for set, list := range sets {
			slices.SortFunc(list, func(a, b entry) int { return b.priority - a.priority })
			var want []string
			for _, e := range list {
				want = append(want, fmt.Sprintf("sip:10.0.0.%d:5060", e.id))
			}
			var d calls.Decision
			err := router.RouteInto(&calls.Request{At: noon, CallID: "c", To: "+4930123456", Metadata: map[string]string{"ds_set": fmt.Sprint(set)}}, &d)
			require.NoError(t, err, "%s", b.String())
			var got []string
			for _, x := range d.Destinations {
				got = append(got, x.URI)
			}
			require.Equal(t, want, got, "set %d\n%s", set, b.String())
		}
	})
}

// osEntry is a row of OpenSIPS's dispatcher.
type osEntry struct{ id, set, state, weight, priority int }

// osOracle is a set as OpenSIPS keeps it in memory: the higher priority first, and the
// table's order among equals. By algorithm 8 they are tried so; by the others, but for 9 and
// those that it doesn't have, each comes first in proportion to its weight, and all the same
// if none has any, and the rest follow.
func osOracle(rows []osEntry, set int) (list []osEntry) {
	for _, r := range rows {
		at := len(list)
		for r.set == set && at > 0 && list[at-1].priority < r.priority {
			at--
		}
		if r.set == set {
			list = slices.Insert(list, at, r)
		}
	}
	return list
}

// TestOpenSIPSDispatcherDecidesAsTheSource: whichever form the table has, of 1.8 to 3.x, by
// priority the destinations of a set are tried in their order, and by the algorithms that
// draw each has the share of first places that its weight gives it.
func TestOpenSIPSDispatcherDecidesAsTheSource(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		n := func(most int) int { return rapid.IntRange(0, most-1).Draw(t, "n") }
		form, algorithm := n(5), []string{"8", "4", "0", "6", "9", "11"}[n(6)]
		var b strings.Builder
		if form == 4 {
			b.WriteString("setid,destination,priority,weight,state,id\n")
		}
		var rows []osEntry
		states := 0
		for i := range 1 + n(8) {
			r := osEntry{id: i + 1, set: 1 + n(2), state: []int{0, 0, 1, 2}[n(4)], weight: n(4) * 25, priority: n(3)}
			if form == 2 { // which has other flags in the place of the state
				r.state = 0
			}
			if r.state != 0 {
				states++
			}
			uri := fmt.Sprintf("sip:10.0.0.%d:5060", r.id)
			nothing := []string{"NULL", "''"}[n(2)]
			switch form {
			case 0: // 2.4 to 3.x
				fmt.Fprintf(&b, "INSERT INTO `dispatcher` VALUES (%d,%d,'%s',%s,%d,0,'%d',%d,'',%s);\n", r.id, r.set, uri, nothing, r.state, r.weight, r.priority, nothing)
			case 1: // 1.11 to 2.3
				fmt.Fprintf(&b, "INSERT INTO dispatcher VALUES (%d,%d,'%s',%s,%d,%d,%d,'','x');\n", r.id, r.set, uri, nothing, r.state, r.weight, r.priority)
			case 2: // 1.8
				fmt.Fprintf(&b, "INSERT INTO dispatcher VALUES (%d,%d,'%s',0,%d,%d,'','x');\n", r.id, r.set, uri, r.weight, r.priority)
			case 3:
				fmt.Fprintf(&b, "INSERT INTO dispatcher (setid, weight, priority, destination, state) VALUES (%d,'%d',%d,'%s',%d);\n", r.set, r.weight, r.priority, uri, r.state)
			default:
				fmt.Fprintf(&b, "%d,%s,%d,%d,%d,%d\n", r.set, uri, r.priority, r.weight, r.state, r.id)
			}
			rows = append(rows, r)
		}
		out, err := dialimport.Import(dialimport.OpenSIPSDispatcher, []dialimport.Source{text("dispatcher", b.String())}, &dialimport.Options{Algorithm: algorithm})
		require.NoError(t, err, "%s", b.String())
		require.Zero(t, out.Report.Skipped.Count, "%s: %v", b.String(), out.Report.Skipped.List)
		if algorithm == "8" {
			require.Equal(t, states, out.Report.Approximated.Count, "those out of use are tried, which is told: %s", b.String())
		}
		router, err := routing.Compile(out.Rules)
		require.NoError(t, err)
		sets := slices.Compact(slices.Sorted(func(yield func(int) bool) {
			for _, r := range rows {
				if !yield(r.set) {
					return
				}
			}
		}))
		for _, set := range sets {
			list := osOracle(rows, set)
			var want []string
			total := 0
			for _, e := range list {
				want = append(want, fmt.Sprintf("sip:10.0.0.%d:5060", e.id))
				total += e.weight
			}
			var d calls.Decision
			err := router.RouteInto(&calls.Request{At: noon, CallID: "c", To: "+4930123456", Metadata: map[string]string{"ds_set": fmt.Sprint(set)}}, &d)
			require.NoError(t, err, "%s", b.String())
			var got []string
			for _, x := range d.Destinations {
				got = append(got, x.URI)
			}
			if algorithm == "8" || algorithm == "9" || algorithm == "11" {
				require.Equal(t, want, got, "set %d\n%s", set, b.String())
				continue
			}
			require.ElementsMatch(t, want, got, "set %d\n%s", set, b.String())
			// The shares are the compiled rule's own weights: each is in proportion to the table's.
			at := slices.IndexFunc(out.Rules.Rules, func(r routing.Rule) bool { return r.ID == fmt.Sprint("set-", set) })
			require.GreaterOrEqual(t, at, 0)
			weights, sum := map[string]int{}, 0
			for _, g := range out.Rules.Rules[at].Route[0].Targets {
				w := max(g.Weight, 1)
				weights[out.Rules.Destinations[g.To].URI] = w
				sum += w
			}
			for _, e := range list {
				share := 1 / float64(len(list))
				if total > 0 {
					share = float64(e.weight) / float64(total)
				}
				has := float64(weights[fmt.Sprintf("sip:10.0.0.%d:5060", e.id)]) / float64(sum)
				// One of weight 0 among others is drawn once in a while, which is told.
				require.InDelta(t, share, has, 0.01, "set %d, destination %d\n%s", set, e.id, b.String())
			}
		}
	})
}

// deckLine is a row of a rate deck, in whole numbers.
type deckLine struct {
	code          string
	rate, connect int64 // ten-thousandths
	first, next   int   // seconds
	effective     time.Time
	northAmerican bool
}

// deckOracle is the price of a call, in ten-thousandths: that of the longest code, and of its
// newest rate that holds. Increments are begun and not ended; nil without a rate.
func deckOracle(lines []deckLine, number string, seconds int, at time.Time) *big.Rat {
	var best *deckLine
	for i := range lines {
		l := &lines[i]
		code := l.code
		if l.northAmerican {
			code = "1" + code
		}
		if !strings.HasPrefix(number, code) || at.Before(l.effective) {
			continue
		}
		if best == nil || len(l.code) > len(best.code) || len(l.code) == len(best.code) && l.effective.After(best.effective) {
			best = l
		}
	}
	if best == nil {
		return nil
	}
	billed := 0
	if seconds > 0 {
		billed = best.first
		for billed < seconds {
			billed += best.next
		}
	}
	price := new(big.Rat).Mul(big.NewRat(best.rate, 60), big.NewRat(int64(billed), 1))
	return price.Add(price, big.NewRat(best.connect, 1))
}

// TestDecksCostAsTheSource: a call costs what a simple reader of the deck says, whichever
// of the usual forms the deck has.
func TestDecksCostAsTheSource(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	rapid.Check(t, func(t *rapid.T) {
		n := func(most int) int { return rapid.IntRange(0, most-1).Draw(t, "n") }
		northAmerican := n(4) == 0
		codes := []string{"4", "49", "4930", "493012", "1", "1212", "44", "447700", "20"}
		codeName := []string{"Prefix", "code", "Dial Code", "Destination Code", "E.164 prefix"}[n(5)]
		if northAmerican {
			codes = []string{"201200", "212555", "310555", "2122", "310"}
			codeName = []string{"NPANXX", "npa-nxx"}[n(2)]
		}
		sep := []string{",", ";", "\t", "|"}[n(4)]
		rateName := []string{"Rate", "Price", "Rate per minute", "Cost", "Price/min"}[n(5)]
		dates, steps, connects := n(2) == 0, n(2) == 0, n(2) == 0
		header := []string{codeName, "Destination", rateName}
		if connects {
			header = append(header, []string{"Connect Fee", "setup"}[n(2)])
		}
		if steps {
			header = append(header, "first interval", "next interval")
		}
		if dates {
			header = append(header, "Effective Date")
		}
		body := strings.Join(header, sep) + "\n"
		var lines []deckLine
		used := map[string]bool{}
		for range 1 + n(8) {
			l := deckLine{code: codes[n(len(codes))], rate: int64(1 + n(5000)), first: 1, next: 1, northAmerican: northAmerican}
			if dates {
				l.effective = start.AddDate(0, 0, 10*n(4))
			}
			if key := l.code + l.effective.String(); used[key] {
				continue // two rates of one code are an error of the import
			} else {
				used[key] = true
			}
			money := func(v int64) string {
				s := fmt.Sprintf("%d.%04d", v/10_000, v%10_000)
				if sep == ";" {
					s = strings.Replace(s, ".", ",", 1)
				}
				return s
			}
			row := []string{l.code, "Somewhere", money(l.rate)}
			if connects {
				l.connect = int64(n(900))
				row = append(row, money(l.connect))
			}
			if steps {
				l.first, l.next = []int{1, 30, 60}[n(3)], []int{1, 6, 60}[n(3)]
				row = append(row, fmt.Sprint(l.first), fmt.Sprint(l.next))
			}
			if dates {
				row = append(row, l.effective.Format(time.DateOnly))
			}
			lines = append(lines, l)
			body += strings.Join(row, sep) + "\n"
		}
		out := mustImport(t, dialimport.CSV, &dialimport.Options{Currency: "EUR", Now: start}, text("a.csv", body))
		require.Zero(t, out.Report.Skipped.Count, "%v\n%s", out.Report.Skipped.List, body)
		table, err := routing.NewRateTable("EUR", out.Rules.Rates["a"])
		require.NoError(t, err, "%s", body)
		for _, number := range []string{"493012345678", "491701234567", "447700900123", "12125550100", "13105550100", "12012005555", "2012005555", "33123456789"} {
			for _, at := range []time.Time{start.AddDate(0, 0, 5), start.AddDate(0, 0, 25), start.AddDate(0, 0, 90)} {
				seconds := 1 + n(400)
				want := deckOracle(lines, number, seconds, at)
				row, ok := table.Lookup("+"+number, at)
				require.Equal(t, want != nil, ok, "%s at %s\n%s", number, at, body)
				if !ok {
					continue
				}
				have, fine := new(big.Rat).SetString(row.Cost(time.Duration(seconds) * time.Second).String())
				require.True(t, fine)
				have.Mul(have, big.NewRat(10_000, 1))
				off := new(big.Rat).Sub(have, want)
				require.LessOrEqual(t, off.Abs(off).Cmp(big.NewRat(1, 1000)), 0, "%s for %d s at %s: %s, want %s\n%s", number, seconds, at, have, want, body)
			}
		}
	})
}
