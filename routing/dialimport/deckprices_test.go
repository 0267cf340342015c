package dialimport_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/routing"
	"github.com/switchtape/switchtape/routing/dialimport"
)

// TestNorthAmericanDeck: a deck of area codes and exchanges is of +1, so that it takes
// no call to Egypt, +20.
func TestNorthAmericanDeck(t *testing.T) {
	t.Parallel()
	for body, want := range map[string][]string{
		"NPANXX,Rate\n201200,0.004\n":                     {"+1201200"},
		"npa-nxx;Rate\n201-200;0.004\n":                   {"+1201200"},
		"NPA NXX,Rate\n(201) 200,0.004\n":                 {"+1201200"},
		"NPANXX,Rate\n1201200,0.004\n+1202,0.004\n":       {"+1201200", "+1202"},
		"NPA,NXX,Rate\n201,200,0.004\n":                   {"+1201200"},
		"NPANXXX,Rate\n2012001,0.004\n":                   {"+12012001"},
		"NPANXX,Rate\n201200-201209,0.004\n":              {"+120120"},
		"NPANXX,Rate\n201200,0.004\n01120,0.1\n":          {"+1201200", "+20"},
		"NPANXX,Rate Center,Rate\n201200,OGDEN 2,0.004\n": {"+1201200"},
	} {
		rows, report := deckOf(t, nil, body)
		require.Zero(t, report.Skipped.Count, "%s: %v", body, report.Skipped.List)
		require.Len(t, rows, len(want), body)
		for _, code := range want {
			require.Equal(t, amount(t, map[bool]string{true: "0.1", false: "0.004"}[code == "+20"]), rows[code].PerMinute, body)
		}
	}
	_, report := deckOf(t, nil, "NPANXX,Rate\n201200,0.004\n101200,0.004\n020,1\n")
	require.Equal(t, 2, report.Skipped.Count, "no area code begins with 0 or 1")

	out := mustImport(t, dialimport.CSV, &dialimport.Options{Currency: "USD", Destinations: map[string]string{"us": "sip:us.example"}},
		text("us.csv", "NPANXX,Rate\n201200,0.004\n"))
	router, err := routing.Compile(out.Rules)
	require.NoError(t, err)
	require.Equal(t, []string{"us"}, sent(t, router, calls.Request{At: noon, CallID: "c", To: "+12012005555"}))
	_, err = router.Route(&calls.Request{At: noon, CallID: "c", To: "+201200555555"})
	require.ErrorIs(t, err, routing.ErrNoRate)
}

// TestDeckCountryAndAccess: what stands before codes can be said, and is refused where
// it says nothing.
func TestDeckCountryAndAccess(t *testing.T) {
	t.Parallel()
	access := func(s string) *string { return &s }
	rows, _ := deckOf(t, &dialimport.Options{Currency: "USD", Country: "1"}, "prefix,rate\n201200,1\n")
	require.Contains(t, rows, "+1201200")
	rows, report := deckOf(t, &dialimport.Options{Currency: "USD", Access: access("011")}, "prefix,rate\n01144,1\n49,1\n")
	require.Contains(t, rows, "+44")
	require.Equal(t, 1, report.Skipped.Count)
	rows, _ = deckOf(t, nil, "Country Code,Prefix,Rate\nDE,49,1\nUnited Kingdom,44,1\n")
	require.Len(t, rows, 2, "letters are no country code")
	require.Contains(t, rows, "+49")
	for _, c := range []struct {
		format dialimport.Format
		o      dialimport.Options
		body   string
		path   string
	}{
		{dialimport.CSV, dialimport.Options{Currency: "USD", Country: "1"}, "cc,code,rate\n1,2,1\n", "country"},
		{dialimport.CSV, dialimport.Options{Currency: "USD", Country: "44"}, "npanxx,rate\n201200,1\n", "country"},
		{dialimport.CSV, dialimport.Options{Currency: "USD", Country: "01"}, "code,rate\n1,1\n", "country"},
		{dialimport.CSV, dialimport.Options{Currency: "USD", ShortCodes: true}, "code,rate\n1,1\n", "short_codes"},
		{dialimport.CSV, dialimport.Options{Currency: "USD", Weights: true}, "code,rate\n1,1\n", "weights"},
		{dialimport.CSV, dialimport.Options{Currency: "USD", Groups: map[string]callmodel.TenantID{"1": "a"}}, "code,rate\n1,1\n", "groups"},
		{dialimport.CSV, dialimport.Options{Currency: "USD"}, "setting,value\nname,x\n", "currency"},
		{dialimport.OpenSIPS, dialimport.Options{Currency: "USD"}, "", "currency"},
		{dialimport.OpenSIPS, dialimport.Options{SortOrder: 1}, "", "sort_order"},
		{dialimport.Kamailio, dialimport.Options{Weights: true}, "", "weights"},
		{dialimport.Kamailio, dialimport.Options{Country: "1"}, "", "country"},
		{dialimport.KamailioLCR, dialimport.Options{TimeZone: "Europe/Berlin"}, "", "timezone"},
		{dialimport.KamailioLCR, dialimport.Options{Destinations: map[string]string{"a": "sip:a"}}, "", "destinations"},
		{dialimport.CSV, dialimport.Options{Currency: "USD", Accept: []dialimport.PriceChange{"all"}}, "code,rate\n1,1\n", "accept"},
	} {
		_, err := dialimport.Import(c.format, []dialimport.Source{text("a.csv", c.body)}, &c.o)
		var faults callmodel.FieldErrors
		require.ErrorAs(t, err, &faults, "%s: %v", c.path, err)
		require.Equal(t, c.path, faults[0].Path)
	}
}

// TestDeckPriceChanges: what would make a price another fails the import until it is
// accepted by its name, and is listed either way.
func TestDeckPriceChanges(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		body   string
		change dialimport.PriceChange // "": there is none
		want   routing.RateRow        // of +49
	}{
		{"code,rate\n49,1\n49,2\n", dialimport.DuplicateRates, routing.RateRow{PerMinute: 2}},
		{"code,rate\n49,1\n49,1\n", "", routing.RateRow{PerMinute: 1}},
		{"code,rate,Interval\n49,1,60/6\n", "", routing.RateRow{PerMinute: 1, First: time.Minute, Next: 6 * time.Second}},
		{"code,rate,Interval\n49,1,60\n", "", routing.RateRow{PerMinute: 1, First: time.Minute, Next: time.Minute}},
		{
			"dialprefix,rateinitial,initblock,billingblock,connectcharge,disconnectcharge\n49,1,30,6,2,0\n", "",
			routing.RateRow{PerMinute: 1, Connect: 2, First: 30 * time.Second, Next: 6 * time.Second},
		},
		{
			"dialprefix,rateinitial,initblock,billingblock,connectcharge,disconnectcharge\n49,1,30,6,2,3\n", dialimport.DisconnectCharge,
			routing.RateRow{PerMinute: 1, Connect: 5, First: 30 * time.Second, Next: 6 * time.Second},
		},
		{"dialprefix,rateinitial,stepchargea,chargea,timechargea\n49,1,0,0,0\n", "", routing.RateRow{PerMinute: 1}},
		{"dialprefix,rateinitial,stepchargea,chargea,timechargea\n49,1,0,2,0\n", dialimport.TwoStepRates, routing.RateRow{PerMinute: 1}},
		{
			"Destination,Description,Interval 1,Interval N,Price 1,Price N\n49,Germany,30,6,2,1\n", dialimport.TwoStepRates,
			routing.RateRow{PerMinute: 1, First: 30 * time.Second, Next: 6 * time.Second},
		},
		{
			"Destination,Description,Interval 1,Interval N,Price 1,Price N\n49,Germany,30,6,1,1\n", "",
			routing.RateRow{PerMinute: 1, First: 30 * time.Second, Next: 6 * time.Second},
		},
		{"code,rate,increments,initial\n49,1,60/60,30\n", dialimport.OtherSteps, routing.RateRow{PerMinute: 1, First: 30 * time.Second, Next: time.Minute}},
		{"prefix,rate,initblock,Interval\n49,1,60,6\n", "", routing.RateRow{PerMinute: 1, First: time.Minute, Next: 6 * time.Second}},
		{"prefix,rate,initblock,Interval,billingblock\n49,1,60,6,1\n", dialimport.OtherSteps, routing.RateRow{PerMinute: 1, First: time.Minute, Next: time.Second}},
		{"code,rate\n49,0.000000014\n", dialimport.RoundedRates, routing.RateRow{}},
		{"code,rate,peak rate\n49,1,2\n", dialimport.UnusedColumns, routing.RateRow{PerMinute: 1}},
		{"code,rate,peak rate\n49,1,1\n", "", routing.RateRow{PerMinute: 1}},
		{"code,current rate,new rate\n49,1,2\n", dialimport.UnusedColumns, routing.RateRow{PerMinute: 1}},
		{"code,rate,old rate,rate change\n49,1,2,-50%\n", "", routing.RateRow{PerMinute: 1}},
		{"code,rate,Post Call Surcharge\n49,1,2\n", dialimport.UnusedColumns, routing.RateRow{PerMinute: 1}},
		{"code,rate,Post Call Surcharge\n49,1,0\n", "", routing.RateRow{PerMinute: 1}},
		{"code,Interstate,Intrastate\n49,1,2\n", dialimport.CallerRates, routing.RateRow{PerMinute: 1}},
		{"Destination Prefixes,Origination Prefixes,Price / min\n49,ALL,1\n", "", routing.RateRow{PerMinute: 1}},
		{"Destination Prefixes,Origination Prefixes,Price / min\n49,\"30, 31\",1\n", dialimport.CallerRates, routing.RateRow{PerMinute: 1}},
	} {
		source := func() []dialimport.Source { return []dialimport.Source{text("a.csv", c.body)} }
		units := func(r routing.RateRow) routing.RateRow {
			whole, err := callmodel.ParseAmount("1")
			require.NoError(t, err)
			r.PerMinute, r.Connect = r.PerMinute*whole, r.Connect*whole
			return r
		}
		out, err := dialimport.Import(dialimport.CSV, source(), &dialimport.Options{Currency: "EUR"})
		if c.change != "" {
			var refused *dialimport.PriceError
			require.ErrorAs(t, err, &refused, c.body)
			require.Equal(t, []dialimport.PriceChange{c.change}, refused.Changes, c.body)
			require.ErrorContains(t, err, string(c.change))
			require.Equal(t, c.change, out.Report.Prices.List[0].Change)
			out, err = dialimport.Import(dialimport.CSV, source(), accepting(c.change))
		}
		require.NoError(t, err, c.body)
		want := units(c.want)
		if want.Prefix = "+49"; c.change == dialimport.RoundedRates {
			want.PerMinute = 1 // the least amount
		}
		require.Equal(t, []routing.RateRow{want}, out.Rules.Rates["a"], c.body)
		require.Equal(t, c.change != "", out.Report.Prices.Count > 0, c.body)
	}
	// A column that was mapped, to another field or to nothing, is spoken for.
	_, report := deckOf(t, &dialimport.Options{Currency: "EUR", Columns: map[string]string{"peak rate": "", "new rate": "rate"}},
		"code,rate,peak rate,new rate\n49,1,2,3\n")
	require.Zero(t, report.Prices.Count)
}

// TestDeckPatterns: codes that are written as patterns of first digits are prefixes.
func TestDeckPatterns(t *testing.T) {
	t.Parallel()
	for _, code := range []string{"^93.*", "^93", "93.*", "93%", "^0093.*", `^\+93.*`, "_93.", "93*", `^93\d*$`} {
		rows, report := deckOf(t, nil, "code,rate\n"+code+",1\n")
		require.Zero(t, report.Skipped.Count, "%s: %v", code, report.Skipped.List)
		require.Contains(t, rows, "+93", code)
	}
	for _, code := range []string{"^93$", "^9[34].*", "_9X."} {
		_, report := deckOf(t, nil, "code,rate\n49,1\n"+code+",1\n")
		require.Equal(t, 1, report.Skipped.Count, code)
	}
}

// TestDeckHeadersOfCarriers are read without a map.
func TestDeckHeadersOfCarriers(t *testing.T) {
	t.Parallel()
	for _, body := range []string{
		"ISO,Country,Description,Destination Prefixes,Price / min\nDE,Germany,Germany,49,1\n",
		"Country ISO,Country Name,Prefix,Rate (USD)\nDE,Germany,49,1\n",
		"Country,Breakout,Dial Code,Rate,Effective Date,Billing Increment\nGermany,Germany Fixed,49,1,2026-01-01,1/1\n",
		"Destination;Country Code;Area Code;Price in EUR;Valid From\nGermany;49;;1;2026-01-01\n",
		"Destination Name,Dialed Digits,Rate per Minute (USD),Eff. Date,Min. Duration,Billing Interval\nGermany,49,1,2026-01-01,1,1\n",
		"Codes,Zone,Tariff,Interval 1,Interval N\n49,Germany,1,1,1\n",
		"Destination,Description,Interval 1,Interval N,Price 1,Price N,Effective From\n49,Germany,1,1,1,1,2026-01-01\n",
		"E164 Prefix|Destination|Voice Rate|Initial Increment|Subsequent Increment\n49|Germany|1|1|1\n",
		"dialprefix;destination;rateinitial;initblock;billingblock\n49;Germany;1;1;1\n",
		"Country,Codes,New Rate Per Min,Begin Date\nGermany,49,1,2026-01-01\n",
	} {
		o := &dialimport.Options{}
		if out, err := dialimport.Import(dialimport.CSV, []dialimport.Source{text("a.csv", body)}, nil); err != nil || out.Rules.Currency == "" {
			o.Currency = "EUR"
		}
		out, err := dialimport.Import(dialimport.CSV, []dialimport.Source{text("a.csv", body)}, o)
		require.NoError(t, err, "%s: %v", body, out.Report)
		require.Zero(t, out.Report.Skipped.Count, "%s: %v", body, out.Report.Skipped.List)
		rows := map[string]routing.RateRow{"+49": out.Rules.Rates["a"][0]}
		require.Equal(t, amount(t, "1"), rows["+49"].PerMinute, body)
	}
}

// TestReportOfNothing: why nothing could be converted is said.
func TestReportOfNothing(t *testing.T) {
	t.Parallel()
	for format, body := range map[dialimport.Format]string{
		dialimport.CSV:         "code,rate\n030,1\n",
		dialimport.OpenSIPS:    "ruleid,groupid,prefix,gwlist\n1,1,*98,a\n",
		dialimport.KamailioLCR: "id,lcr_id,prefix,from_uri,enabled\n1,1,*98,,1\n",
	} {
		o := &dialimport.Options{}
		if format == dialimport.CSV {
			o.Currency = "EUR"
		}
		out, err := dialimport.Import(format, []dialimport.Source{text("dr_rules.csv", body)}, o)
		require.ErrorContains(t, err, "nothing of the source", format)
		require.NotNil(t, out, format)
		require.Equal(t, 1, out.Report.Skipped.Count, format)
	}
}
