package dialimport_test

import (
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/routing"
	"github.com/switchtape/switchtape/routing/dialimport"
)

func deckOf(t tb, o *dialimport.Options, body string) (map[string]routing.RateRow, *dialimport.Report) {
	if o == nil {
		o = &dialimport.Options{Currency: "EUR"}
	}
	out := mustImport(t, dialimport.CSV, o, text("a.csv", body))
	rows := map[string]routing.RateRow{}
	for _, r := range out.Rules.Rates["a"] {
		rows[r.Prefix] = r
	}
	return rows, &out.Report
}

// accepting are options of a deck in euros with which these changes are taken.
func accepting(changes ...dialimport.PriceChange) *dialimport.Options {
	return &dialimport.Options{Currency: "EUR", Accept: changes}
}

func amount(t tb, s string) callmodel.Amount {
	a, err := callmodel.ParseAmount(s)
	require.NoError(t, err)
	return a
}

func TestDeckHeadersAndValues(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		body  string
		code  string
		price string
		first int
		next  int
	}{
		{"Prefix,Destination,Rate\n49,Germany,0.0123\n", "+49", "0.0123", 0, 0},
		{"Dial Code\tCountry\tPrice/min\tBilling Increment\n+49\tGermany\t€ 0.5\t60/6\n", "+49", "0.5", 60, 6},
		{"\xef\xbb\xbfCode;Preis;Taktung\r\n0049;0,0123;60/60\r\n", "+49", "0.0123", 60, 60},
		{"country code|area code|rate per minute|initial increment|next increment\n49|30|1.234,5|30|1\n", "+4930", "1234.5", 30, 1},
		{"Destination Code,Rate\n\"49,30\",1\n", "+49", "1", 0, 0},
		{"code,rate\n\"4\"\"9\",1\n49,2E-3\n", "+49", "0.002", 0, 0},
		{"code,rate\n\n\n49,1\n,,\n", "+49", "1", 0, 0},
		{"Country Code,Rate\n49,3 EUR\n", "+49", "3", 0, 0},
		{"code,rate,minimum\n49,1,60 sec\n", "+49", "1", 60, 0},
	} {
		rows, _ := deckOf(t, nil, c.body)
		require.Contains(t, rows, c.code, c.body)
		r := rows[c.code]
		require.Equal(t, amount(t, c.price), r.PerMinute, c.body)
		require.Equal(t, [2]int{c.first, c.next}, [2]int{int(r.First / time.Second), int(r.Next / time.Second)}, c.body)
	}
}

func TestDeckEncodings(t *testing.T) {
	t.Parallel()
	const body = "Vorwahl;Ziel;Preis\n43;Österreich;0,02\n"
	units := utf16.Encode([]rune(body))
	var little, big []byte
	for _, u := range units {
		little, big = append(little, byte(u), byte(u>>8)), append(big, byte(u>>8), byte(u))
	}
	latin := strings.ReplaceAll(body, "Ö", "\xd6")
	for name, s := range map[string]string{
		"utf-8": body, "bom": "\xef\xbb\xbf" + body, "latin-1": latin,
		"utf-16le": string(little), "utf-16be": string(big), "utf-16le bom": "\xff\xfe" + string(little), "utf-16be bom": "\xfe\xff" + string(big),
		"half a unit": string(little) + "x",
	} {
		rows, _ := deckOf(t, nil, s)
		require.Equal(t, amount(t, "0.02"), rows["+43"].PerMinute, name)
	}
}

func TestDeckCodes(t *testing.T) {
	t.Parallel()
	for code, want := range map[string][]string{
		"44-7700, 7701":    {"+447700", "+447701"},
		"8201-8209":        {"+8201", "+8202", "+8203", "+8204", "+8205", "+8206", "+8207", "+8208", "+8209"},
		"8200-8299":        {"+82"},
		"4915100-4915219":  {"+49151", "+491520", "+491521"},
		"1-242":            {"+1242"},
		"44-7700-7701":     {"+447700", "+447701"},
		"4930 ; 4940/4989": {"+4930", "+4940", "+4989"},
		"+49 ":             {"+49"},
	} {
		rows, report := deckOf(t, nil, "code,rate\n\""+code+"\",1\n")
		require.Zero(t, report.Skipped.Count, report.Skipped.List)
		require.Len(t, rows, len(want), code)
		for _, w := range want {
			require.Contains(t, rows, w, code)
		}
	}
	for _, code := range []string{"abc1", "030", "44-77", "8209-8201", "1234567890123456", "49-30-40-50", "1000000-9000001234"} {
		_, report := deckOf(t, nil, "code,rate\n49,1\n\""+code+"\",1\n")
		require.Equal(t, 1, report.Skipped.Count, code)
	}
}

// A range's prefixes take the numbers within it, and no others.
func TestDeckRangeCoversItself(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		low := rapid.IntRange(10_000, 99_999).Draw(t, "low")
		high := rapid.IntRange(low, 99_999).Draw(t, "high")
		rows, report := deckOf(t, nil, fmt.Sprintf("code,rate\n%d-%d,1\n", low, high))
		require.Zero(t, report.Skipped.Count)
		for range 50 {
			n := rapid.IntRange(10_000, 99_999).Draw(t, "n")
			covered := 0
			for p := range rows {
				if strings.HasPrefix(fmt.Sprintf("+%d", n), p) {
					covered++
				}
			}
			want := 0
			if n >= low && n <= high {
				want = 1
			}
			require.Equal(t, want, covered, "%d in %d-%d", n, low, high)
		}
	})
}

// TestDeckCurrencies: what a price or its column says of its currency holds.
func TestDeckCurrencies(t *testing.T) {
	t.Parallel()
	for body, skipped := range map[string]int{
		"code,rate\n49,$0.01\n48,0.01\n":               1,
		"code,rate\n49,0.01 USD\n48,1\n":               1,
		"code,rate\n49,€0.01\n48,EUR 0.01\n47,0.01€\n": 0,
		"code,Rate (USD)\n49,0.01\n48,1 EUR\n":         1,
		"code,Rate (USD/min)\n49,0.01 €\n":             0,
		"code,rate_usd\n49,0.01\n48,1€\n":              1,
		"code,Rate (EUR)\n49,0.01\n":                   0,
		"code,rate,currency\n49,$0.01,EUR\n":           0,
		"code,rate,setup\n49,0.01,£1\n48,1,\n":         1,
		"code,rate (all incl.)\n49,0.01\n":             0,
	} {
		_, report := deckOf(t, nil, body)
		require.Equal(t, skipped, report.Skipped.Count, "%s: %v", body, report.Skipped.List)
	}
	for body, want := range map[string]string{"code,Rate (USD)\n49,0.01\n": "USD", "code,rate\n49,£1\n": "GBP", "code,rate\n49,1 CHF\n": "CHF"} {
		require.Equal(t, want, mustImport(t, dialimport.CSV, nil, text("a.csv", body)).Rules.Currency, body)
	}
	_, err := dialimport.Import(dialimport.CSV, []dialimport.Source{text("a.csv", "code,rate\n49,$1\n")}, nil)
	require.ErrorContains(t, err, "currency is not known", "a dollar may be of many")
	_, report := deckOf(t, &dialimport.Options{Currency: "CAD"}, "code,rate\n49,$1\n")
	require.Zero(t, report.Skipped.Count)
}

func TestDeckTimes(t *testing.T) {
	t.Parallel()
	day := func(y int, m time.Month, d int) time.Time { return time.Date(y, m, d, 0, 0, 0, 0, time.UTC) }
	for text, want := range map[string]time.Time{
		"2026-02-01": day(2026, 2, 1), "01.02.2026": day(2026, 2, 1), "1/2/2026": day(2026, 2, 1), "31/1/2026": day(2026, 1, 31),
		"Jan 31 2026": day(2026, 1, 31), "20260201": day(2026, 2, 1),
		"2026-02-01 00:00:00": day(2026, 2, 1), "01-Feb-26": day(2026, 2, 1), "2026-02-01T00:00:00Z": day(2026, 2, 1), "Feb 1, 2026": day(2026, 2, 1),
		"2/1/2026 10:30": time.Date(2026, 1, 2, 10, 30, 0, 0, time.UTC),
	} {
		rows, report := deckOf(t, nil, "code;rate;effective date\n49;1;"+text+"\n")
		require.Zero(t, report.Skipped.Count, report.Skipped.List)
		require.Equal(t, want, rows["+49"].From, text)
	}
	rows, _ := deckOf(t, &dialimport.Options{Currency: "EUR", MonthFirst: true, TimeZone: "Europe/Berlin"},
		"code;rate;from;end date\n49;1;2/1/2026;2/28/2026\n")
	require.Equal(t, time.Date(2026, 1, 31, 23, 0, 0, 0, time.UTC), rows["+49"].From)
	require.Equal(t, time.Date(2026, 2, 28, 23, 0, 0, 0, time.UTC), rows["+49"].Until, "the end date is the last day")
	// One whose month is first says that the others' may be, and which was which.
	rows, report := deckOf(t, accepting(dialimport.UnclearDates), "code;rate;from\n49;1;3/1/2026\n48;1;3/15/2026\n")
	require.Equal(t, day(2026, 3, 15), rows["+48"].From)
	require.Equal(t, 1, report.Prices.Count)
	require.Contains(t, report.Prices.List[0].String(), "a.csv:3: code 48: from 3/15/2026: the month stands first in it")
	_, report = deckOf(t, &dialimport.Options{Currency: "EUR", MonthFirst: true}, "code;rate;from\n49;1;15/3/2026\n48;1;\n")
	require.Equal(t, 1, report.Skipped.Count)
	_, report = deckOf(t, nil, "code;rate;from;until\n49;1;;\n49;1;soon;\n49;1;2026-02-01;2026-01-01\n")
	require.Equal(t, 2, report.Skipped.Count)
}

func TestDeckLevelRates(t *testing.T) {
	t.Parallel()
	out := mustImport(t, dialimport.CSV, accepting(dialimport.DuplicateRates, dialimport.OverlappingRates), text("a.csv",
		`code,rate,from,until,status
49,1,2026-01-01,2026-12-31,
49,2,2026-06-01,,increase
49,3,2026-06-01,,
33,1,2026-01-01,,
33,1,2026-01-01,,
44,1,2026-01-01,,
44,0,2026-03-01,,Deleted
1,0,,,closed
`))
	rates := out.Rules.Rates["a"]
	require.Len(t, rates, 4)
	table, err := routing.NewRateTable("EUR", rates)
	require.NoError(t, err)
	price := func(number string, month time.Month) string {
		r, ok := table.Lookup(number, time.Date(2026, month, 15, 0, 0, 0, 0, time.UTC))
		if !ok {
			return "none"
		}
		return r.PerMinute.String()
	}
	require.Equal(t, []string{"1", "3", "1", "1", "none", "none"}, []string{
		price("+4930123456", 1), price("+4930123456", 7), price("+33123456789", 1), price("+441234567890", 2), price("+441234567890", 4),
		price("+12125550100", 1),
	})
	require.Equal(t, map[dialimport.PriceChange]int{dialimport.DuplicateRates: 1, dialimport.OverlappingRates: 1}, out.Report.PriceChanges)
}

func TestDeckMapping(t *testing.T) {
	t.Parallel()
	rows, _ := deckOf(t, &dialimport.Options{Columns: map[string]string{"A": "code", "B": "rate", "C": "currency"}}, "A,B,C,Rate\n49,1,usd,5\n")
	require.Equal(t, amount(t, "1"), rows["+49"].PerMinute)
	for body, o := range map[string]*dialimport.Options{
		"code,rate\n49,1\n":                   {},                                                                       // no currency
		"A,B\n49,1\n":                         {Currency: "EUR"},                                                        // no header
		"code,rate\n49,1":                     {Currency: "EUR", Columns: map[string]string{"D": "rate"}},               // no such column
		"code,rate\n49,2\n":                   {Currency: "EUR", Columns: map[string]string{"code": "no"}},              // no such field
		"code,rate\nx,2\n":                    {Currency: "EUR"},                                                        // nothing left
		"":                                    {Currency: "EUR"},                                                        // nothing at all
		"code,rate,vendor\n49,2,a\n49,3,b\n":  {Currency: "EUR", Destinations: map[string]string{"a": "sip:a.example"}}, // b goes nowhere
		"code,rate,vendor\n49,2,a\n49,3,bb\n": {Currency: "EUR", Destinations: map[string]string{"a": "sip:a.example", "c": "sip:c.example"}},
	} {
		_, err := dialimport.Import(dialimport.CSV, []dialimport.Source{text("a.csv", body)}, o)
		require.Error(t, err, body)
	}
	out := mustImport(t, dialimport.CSV, &dialimport.Options{Tenant: "acme", Destinations: map[string]string{"a": "sip:a.example", "b": "sip:b.example"}},
		text("x.csv", "code,rate,vendor,currency\n49,2,a,EUR\n49,1,b,EUR\n33,1,a,EUR\n33,1,a,USD\n"))
	require.Equal(t, 1, out.Report.Skipped.Count, "a second currency")
	router, err := routing.Compile(out.Rules)
	require.NoError(t, err)
	require.Equal(t, []string{"b", "a"}, sent(t, router, calls.Request{At: noon, CallID: "c", TenantID: "acme", To: "+4930123456"}))
	require.Equal(t, []string{"a"}, sent(t, router, calls.Request{At: noon, CallID: "c", TenantID: "acme", To: "+33123456789"}))
}

// A quote that is never closed costs the rows behind it, which is said, and no
// more memory than a row may have.
func TestDeckBrokenQuotes(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	b.WriteString("code,rate\n49,1\n\"33,1\n")
	for b.Len() < 3<<20 {
		b.WriteString("44,1\n")
	}
	rows, report := deckOf(t, nil, b.String())
	require.Contains(t, rows, "+49")
	require.NotContains(t, rows, "+33")
	require.Positive(t, report.Skipped.Count)
	require.Contains(t, report.Skipped.List[0].Why, "quote")
}
