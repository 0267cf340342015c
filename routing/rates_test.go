package routing_test

import (
	"cmp"
	"errors"
	"fmt"
	"math/big"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/routing"
)

func amount(t require.TestingT, s string) callmodel.Amount {
	a, err := callmodel.ParseAmount(s)
	require.NoError(t, err)
	return a
}

func inSeconds(n int) time.Duration { return time.Duration(n) * time.Second }

func TestCost(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		perMinute, connect string
		first, next        int
		seconds            int
		billed             int
		want               string
	}{
		{"0.06", "0", 0, 0, 0, 0, "0"},
		{"0.06", "0.5", 0, 0, 0, 0, "0"},
		{"0.06", "0", 0, 0, 61, 61, "0.061"},
		{"0.06", "0", 60, 60, 1, 60, "0.06"},
		{"0.06", "0", 60, 60, 60, 60, "0.06"},
		{"0.06", "0.01", 60, 60, 61, 120, "0.13"},
		{"0.06", "0", 30, 6, 29, 30, "0.03"},
		{"0.06", "0", 30, 6, 31, 36, "0.036"},
		{"0.06", "0", 30, 6, 36, 36, "0.036"},
		{"0.00000001", "0", 1, 1, 29, 29, "0"},
		{"0.00000001", "0", 1, 1, 30, 30, "0.00000001"},
		{"10000", "10000", 60, 60, 86_400, 86_400, "14410000"},
	} {
		r := routing.RateRow{PerMinute: amount(t, c.perMinute), Connect: amount(t, c.connect), First: inSeconds(c.first), Next: inSeconds(c.next)}
		assert.Equal(t, inSeconds(c.billed), r.Billed(inSeconds(c.seconds)), "%+v", c)
		assert.Equal(t, c.want, r.Cost(inSeconds(c.seconds)).String(), "%+v", c)
	}
}

// TestCostIsExact compares with rational numbers.
func TestCostIsExact(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		r := routing.RateRow{
			PerMinute: callmodel.Amount(rapid.Int64Range(0, int64(routing.MaxPrice)).Draw(t, "price")),
			Connect:   callmodel.Amount(rapid.Int64Range(0, int64(routing.MaxPrice)).Draw(t, "connect")),
			First:     inSeconds(rapid.IntRange(1, 3600).Draw(t, "first")), Next: inSeconds(rapid.IntRange(1, 3600).Draw(t, "next")),
		}
		length := inSeconds(rapid.IntRange(1, 1_000_000).Draw(t, "seconds"))
		billed := r.First
		for billed < length {
			billed += r.Next
		}
		require.Equal(t, billed, r.Billed(length))
		exact := new(big.Rat).Add(big.NewRat(int64(r.Connect), 1),
			new(big.Rat).Mul(big.NewRat(int64(r.PerMinute), 60), big.NewRat(int64(billed/time.Second), 1)))
		off := new(big.Rat).Sub(big.NewRat(int64(r.Cost(length)), 1), exact)
		require.LessOrEqual(t, off.Cmp(big.NewRat(1, 2)), 0)
		require.Positive(t, off.Cmp(big.NewRat(-1, 2)), "half is rounded up")
	})
}

var newYear = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func genRates(t *rapid.T) []routing.RateRow {
	var rows []routing.RateRow
	for range rapid.IntRange(0, 120).Draw(t, "rows") {
		r := routing.RateRow{
			Prefix:    rapid.StringMatching(`\+|\+[1-3][0-3]{0,6}|[0-3]{1,3}|\+1212555[0-9]{8}`).Draw(t, "prefix"),
			PerMinute: callmodel.Amount(rapid.IntRange(0, 3).Draw(t, "price")) * 1000,
		}
		if day := rapid.IntRange(0, 4).Draw(t, "from"); day > 0 {
			r.From = newYear.AddDate(0, 0, day)
		}
		if day := rapid.IntRange(0, 8).Draw(t, "until"); day > 5 {
			r.Until = newYear.AddDate(0, 0, day)
		}
		rows = append(rows, r)
	}
	return rows
}

// oracleRate is the rate as the documentation says, from a look at every row.
func oracleRate(rows []routing.RateRow, number string, at time.Time) (best routing.RateRow, ok bool) {
	for _, r := range rows {
		if !strings.HasPrefix(number, r.Prefix) || at.Before(r.From) || !r.Until.IsZero() && !at.Before(r.Until) {
			continue
		}
		if !ok || cmp.Or(cmp.Compare(len(r.Prefix), len(best.Prefix)), r.From.Compare(best.From)) > 0 {
			best, ok = r, true
		}
	}
	return best, ok
}

func oracleConflict(rows []routing.RateRow) bool {
	for i, a := range rows {
		for _, b := range rows[:i] {
			early, late := a, b
			if b.From.Before(a.From) {
				early, late = b, a
			}
			if a.Prefix == b.Prefix && (a.From.Equal(b.From) || !early.Until.IsZero() && late.From.Before(early.Until)) {
				return true
			}
		}
	}
	return false
}

// TestRateTableEqualsOracle compares lookups with a look at every row, and the
// refusals with a look at every pair.
func TestRateTableEqualsOracle(t *testing.T) {
	t.Parallel()
	found, refused := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		rows := genRates(t)
		table, err := routing.NewRateTable("EUR", rows)
		require.Equal(t, oracleConflict(rows), err != nil, "%v", err)
		if err != nil {
			require.Equal(t, callmodel.CodeInvalid, callmodel.CodeOf(err))
			refused++
			// What is left without the rows that were refused is taken.
			rows = slices.CompactFunc(slices.SortedFunc(slices.Values(rows), func(a, b routing.RateRow) int { return cmp.Compare(a.Prefix, b.Prefix) }),
				func(a, b routing.RateRow) bool { return a.Prefix == b.Prefix })
			table, err = routing.NewRateTable("EUR", rows)
			require.NoError(t, err)
		}
		for range 60 {
			number := rapid.StringMatching(`\+[1-3][0-3]{0,9}|[0-3]{1,4}|\+1212555[0-9]{8,9}|urn:x|\+|`).Draw(t, "number")
			at := newYear.Add(time.Duration(rapid.IntRange(0, 10*24).Draw(t, "hour")) * time.Hour)
			want, ok := oracleRate(rows, number, at)
			got, has := table.Lookup(number, at)
			require.Equal(t, ok, has, "%q at %v", number, at)
			if !ok {
				continue
			}
			found++
			want.First, want.Next, want.Currency = time.Second, time.Second, "EUR"
			require.Equal(t, want, got, "%q at %v", number, at)
		}
	})
	t.Logf("%d rates found, %d tables refused", found, refused)
	assert.Greater(t, found, least(1000))
	assert.Greater(t, refused, least(10))
}

func TestRateTableFaults(t *testing.T) {
	t.Parallel()
	_, err := routing.NewRateTable("Euro", []routing.RateRow{{Prefix: "49", PerMinute: -1}, {Prefix: "+49", Currency: "USD"}, {Prefix: "+49"}})
	require.ErrorContains(t, err, "currency: \"Euro\"")
	require.ErrorContains(t, err, "rows[0].per_minute: must be 0 to 10000, is -0.00000001")
	require.ErrorContains(t, err, "rows[1].currency: \"USD\" is not the currency")
	require.ErrorContains(t, err, "rows[2].from: row 1 has the same prefix +49")
	table, err := routing.NewRateTable("EUR", nil)
	require.NoError(t, err)
	_, ok := table.Lookup("+1", newYear)
	assert.False(t, ok)
	assert.Equal(t, "EUR", table.Currency())
	assert.Zero(t, table.Len())
}

// deck is a rate deck in the shape of an international one: a price for every
// country code and for many prefixes below.
func deck(rows int) []routing.RateRow {
	rng := rand.New(rand.NewPCG(1, 2))
	seen := map[string]bool{"": true}
	list := make([]routing.RateRow, 0, rows)
	for len(list) < rows {
		prefix := ""
		for seen[prefix] {
			prefix = "+" + fmt.Sprint(1+rng.IntN(9))
			for range 1 + rng.IntN(8) {
				prefix += fmt.Sprint(rng.IntN(10))
			}
		}
		seen[prefix] = true
		list = append(list, routing.RateRow{Prefix: prefix, PerMinute: callmodel.Amount(rng.IntN(1_000_000)) * 100})
	}
	return list
}

func TestRateLookupAllocatesNothing(t *testing.T) {
	table, err := routing.NewRateTable("EUR", deck(1000))
	require.NoError(t, err)
	assert.Zero(t, testing.AllocsPerRun(100, func() { _, _ = table.Lookup("+12125550100", newYear) }))
}

const carriers = `
currency: EUR
rates:
  flat:  [{prefix: "+", per_minute: 0.05}]
  minute: [{prefix: "+49", per_minute: 0.04, first_seconds: 60, next_seconds: 60}, {prefix: "+4930", per_minute: 0.01, from: 2026-06-01T00:00:00Z}]
  fee:   [{prefix: "+49", per_minute: 0.001, connect: 0.1}]
destinations:
  flat: {uri: "sip:flat", rates: flat}
  minute: {uri: "sip:minute", rates: minute}
  fee: {uri: "sip:fee", rates: fee}
  other: {uri: "sip:other"}
  same: {uri: "sip:same", rates: flat}
rules:
  - id: x
    default: true
    route: [{order: cost, assume_seconds: SECONDS, targets: [{to: other}, {to: fee}, {to: same}, {to: minute}, {to: flat}]}, [{to: b}]]
`

func byCost(t testing.TB, seconds string, more ...string) *routing.Router {
	t.Helper()
	src := strings.ReplaceAll(carriers, "SECONDS", seconds)
	src = strings.Replace(src, ", [{to: b}]]", "]", 1)
	return compile(t, strings.NewReplacer(more...).Replace(src))
}

func ids(d *calls.Decision) string {
	var list []string
	for _, x := range d.Destinations {
		list = append(list, x.ID)
	}
	return strings.Join(list, " ")
}

func TestByCost(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		seconds, to string
		at          time.Time
		want        string
	}{
		{"180", "+4989", newYear, "fee minute same flat other"},
		{"60", "+4989", newYear, "minute same flat fee other"},
		{"61", "+4989", newYear, "same flat minute fee other"},
		{"60", "+4930", newYear, "minute same flat fee other"},
		{"180", "+4930", newYear.AddDate(0, 6, 0), "minute fee same flat other"},
		{"180", "+1", newYear, "same flat other fee minute"},
		{"180", "112", newYear, "other fee same minute flat"},
	} {
		req := calls.Request{CallID: "c1", To: c.to, At: c.at}
		r := byCost(t, c.seconds)
		d, err := r.Route(&req)
		require.NoError(t, err)
		assert.Equal(t, c.want, ids(&d), "%+v", c)
		for _, v := range r.Explain(&req).Destinations {
			assert.Equal(t, v.ID, d.Destinations[v.Position-1].ID)
			assert.Equal(t, v.Cost, d.Destinations[v.Position-1].Cost)
		}
	}
	r := byCost(t, "61")
	x := r.Explain(&calls.Request{To: "+4989", At: newYear})
	assert.Equal(t, calls.Cost{Amount: amount(t, "0.08"), Currency: "EUR", Length: 61 * time.Second, Prefix: "+49"}, x.Destinations[2].Cost)
	assert.Equal(t, "by cost: 0.08 EUR for 61 seconds to +49…", x.Destinations[2].Reason)
	assert.Equal(t, "last by cost: it has no rate for +4989", x.Destinations[4].Reason)

	r = byCost(t, "61", "order: cost,", "order: cost, require_rate: true,")
	d, err := r.Route(&calls.Request{To: "+4989", At: newYear})
	require.NoError(t, err)
	assert.Equal(t, "same flat minute fee", ids(&d))
	assert.Equal(t, []calls.LeftOut{{ID: "other", Reason: calls.LeftNoRate}}, d.LeftOut)
	d, err = r.Route(&calls.Request{To: "112", At: newYear})
	require.ErrorIs(t, err, routing.ErrNoRate)
	assert.Equal(t, callmodel.CodeNoRoute, callmodel.CodeOf(err))
	assert.Equal(t, "x", d.Rule)
	assert.Len(t, d.LeftOut, 5)
	x = r.Explain(&calls.Request{To: "112", At: newYear})
	assert.True(t, x.NoRoute)
	assert.Contains(t, x.Destinations[0].Reason, "it has none for 112")
	d, err = r.Route(&calls.Request{To: "112", At: newYear, Emergency: true})
	require.NoError(t, err)
	assert.Len(t, d.Destinations, 5, "an emergency call needs no rate")
}

// TestCostOrderEqualsOracle: the order is that of exact costs, ties as listed.
func TestCostOrderEqualsOracle(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		rs := &routing.RuleSet{Currency: "EUR", Destinations: map[string]routing.DestinationSpec{}, Rates: map[string][]routing.RateRow{}}
		tier := routing.Tier{Order: routing.ByCost, Assume: inSeconds(rapid.IntRange(1, 200).Draw(t, "seconds"))}
		type priced struct {
			id   string
			cost *big.Rat
		}
		var want []priced
		for i := range rapid.IntRange(1, 12).Draw(t, "carriers") {
			id := fmt.Sprint("d", i)
			row := routing.RateRow{
				Prefix:    rapid.SampledFrom([]string{"+", "+1", "+12", "+2"}).Draw(t, "prefix"),
				PerMinute: callmodel.Amount(rapid.IntRange(0, 3).Draw(t, "price")),
				Connect:   callmodel.Amount(rapid.IntRange(0, 2).Draw(t, "connect")),
				First:     inSeconds(rapid.SampledFrom([]int{1, 30, 60}).Draw(t, "first")), Next: inSeconds(rapid.SampledFrom([]int{1, 6, 60}).Draw(t, "next")),
			}
			rs.Rates[id] = []routing.RateRow{row}
			rs.Destinations[id] = routing.DestinationSpec{URI: "sip:" + id, Rates: id}
			tier.Targets = append(tier.Targets, routing.Target{To: id})
			cost := big.NewRat(1<<40, 1)
			if to := "+12"; strings.HasPrefix(to, row.Prefix) {
				cost = new(big.Rat).Add(big.NewRat(int64(row.Connect), 1), big.NewRat(int64(row.PerMinute)*int64(row.Billed(tier.Assume)/time.Second), 60))
			}
			want = append(want, priced{id, cost})
		}
		rs.Rules = []routing.Rule{{ID: "x", Default: true, Route: []routing.Tier{tier}}}
		r, err := routing.Compile(rs)
		require.NoError(t, err)
		d, err := r.Route(&calls.Request{To: "+12", At: newYear})
		require.NoError(t, err)
		slices.SortStableFunc(want, func(a, b priced) int { return a.cost.Cmp(b.cost) })
		for i := range want {
			require.Equal(t, want[i].id, d.Destinations[i].ID)
		}
	})
}

func TestAsListed(t *testing.T) {
	t.Parallel()
	r := byCost(t, "1", "order: cost, assume_seconds: 1", "order: priority")
	for i := range 50 {
		req := calls.Request{CallID: callmodel.CallID(fmt.Sprint(i)), To: "+4989", At: newYear}
		d, err := r.Route(&req)
		require.NoError(t, err)
		require.Equal(t, "other fee same minute flat", ids(&d))
	}
}

func TestAddingATargetMovesOnlyItsCalls(t *testing.T) {
	t.Parallel()
	src := `
destinations: {a: {uri: "sip:a"}, b: {uri: "sip:b"}, c: {uri: "sip:c"}}
rules: [{id: x, default: true, route: [[{to: a, weight: 3}, {to: b, weight: 2}NEW]]}]
`
	before, after := compile(t, strings.Replace(src, "NEW", "", 1)), compile(t, strings.Replace(src, "NEW", ", {to: c, weight: 5}", 1))
	const callList = 1_000_000
	moved := 0
	var d, e calls.Decision
	for i := range callList {
		req := calls.Request{At: noon, CallID: callmodel.CallID("call-" + strconv.Itoa(i)), To: "+1"}
		if err := errors.Join(before.RouteInto(&req, &d), after.RouteInto(&req, &e)); err != nil {
			t.Fatal(err)
		}
		if !assert.ObjectsAreEqual(d.Destinations[0], e.Destinations[0]) {
			if e.Destinations[0].ID != "c" {
				t.Fatalf("%s moved from %s to %s", req.CallID, d.Destinations[0].ID, e.Destinations[0].ID)
			}
			moved++
		}
	}
	assert.InDelta(t, 50, float64(moved)*100/callList, 0.3)
}

func TestByCostAllocatesNothing(t *testing.T) {
	r := byCost(t, "180")
	var d calls.Decision
	req := calls.Request{CallID: "c1", To: "+4930901820", From: "+1", At: newYear}
	require.NoError(t, r.RouteInto(&req, &d))
	assert.Zero(t, testing.AllocsPerRun(100, func() { _ = r.RouteInto(&req, &d) }))
	require.Len(t, d.Destinations, 5)
}

// FuzzRates reads rate rows as a rule set has them, and looks numbers up.
func FuzzRates(f *testing.F) {
	f.Add(`{prefix: "+49", per_minute: 0.0123, connect: "1", first_seconds: 30, next_seconds: 6, from: 2026-01-01T00:00:00Z}`, "+4930123456")
	f.Add(`[{prefix: "+", per_minute: 1}, {prefix: "112", per_minute: 0, until: 2026-01-01T00:00:00Z}]`, "112")
	f.Fuzz(func(t *testing.T, rows, number string) {
		rs, err := routing.Parse([]byte("currency: EUR\ndestinations: {a: {uri: \"sip:a\", rates: deck}}\nrules: [{id: x, default: " +
			"true, route: {order: cost, targets: [{to: a}]}}]\nrates: {deck: " + rows + "}\n"))
		if err != nil {
			return
		}
		r, err := routing.Compile(rs)
		if _, ok := errors.AsType[callmodel.FieldErrors](err); err != nil && !ok {
			t.Fatal(err)
		}
		if err != nil {
			return
		}
		d, err := r.Route(&calls.Request{To: number, At: newYear})
		want, ok := oracleRate(rs.Rates["deck"], number, newYear)
		if err != nil || ok != (d.Destinations[0].Cost != calls.Cost{}) || ok &&
			(d.Destinations[0].Cost.Prefix != want.Prefix || d.Destinations[0].Cost.Amount != want.Cost(3*time.Minute)) {
			t.Fatalf("%v, %+v; want %+v", err, d, want)
		}
	})
}
