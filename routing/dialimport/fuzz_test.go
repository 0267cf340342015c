package dialimport_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/routing"
	"github.com/switchtape/switchtape/routing/dialimport"
)

// seeds adds the examples of testdata.
func seeds(f *testing.F) {
	f.Helper()
	for _, pattern := range []string{"*.sql", "*.csv", "kamailio/*.csv"} {
		names, err := filepath.Glob(filepath.Join("testdata", pattern))
		require.NoError(f, err)
		for _, n := range names {
			b, err := os.ReadFile(n)
			require.NoError(f, err)
			for i := range 4 {
				f.Add(uint8(i), b)
			}
		}
	}
	f.Add(uint8(0), []byte("INSERT INTO dr_gateways (gwid,address) VALUES('a','b');INSERT INTO dr_rules "+
		"(ruleid,groupid,prefix,timerec,gwlist,sort_alg) VALUES (1,'1','','20260101T000000|PT1H|DAILY','a=1','W');"))
	f.Add(uint8(4), []byte("1 sip:10.0.0.1:5060 0 5 weight=50\n2 sip:10.0.0.2 4\n"))
	f.Add(uint8(5), []byte("INSERT INTO dispatcher VALUES (1,1,'sip:10.0.0.1','',0,0,'3',0,'','');"))
	f.Add(uint8(6), []byte("INSERT INTO carriers VALUES (1,'a',1);INSERT INTO carrier_gateway VALUES (1,1,'sofia/external/','@192.0.2.1','',1);"+
		"INSERT INTO lcr (digits,rate,carrier_id,date_start,date_end) VALUES ('49',0.1,1,'2026-01-01','2027-01-01'),('49',0.2,1,'2026-06-01',NULL);"))
	f.Add(uint8(3), []byte("rule,to,tier,destination\nr,default,1,a\n"))
	f.Add(uint8(3), []byte("\xff\xfec\x00o\x00d\x00e\x00,\x00r\x00a\x00t\x00e\x00\n\x00"))
}

// Whatever it is given, an import ends, and what it makes compiles.
func FuzzImport(f *testing.F) {
	seeds(f)
	formats := []dialimport.Format{
		dialimport.OpenSIPS, dialimport.Kamailio, dialimport.KamailioLCR, dialimport.CSV, dialimport.KamailioDispatcher, dialimport.OpenSIPSDispatcher,
		dialimport.FreeSWITCHLCR,
	}
	f.Fuzz(func(t *testing.T, which uint8, body []byte) {
		const most = 64 << 10
		if len(body) > most {
			return
		}
		format := formats[int(which)%len(formats)]
		var o dialimport.Options // those that the format has
		switch format {
		case dialimport.CSV, dialimport.FreeSWITCHLCR:
			o.Currency, o.Accept = "EUR", dialimport.PriceChanges()
		case dialimport.OpenSIPS:
			o.ShortCodes, o.Weights = which&64 != 0, which&128 != 0
		case dialimport.KamailioDispatcher, dialimport.OpenSIPSDispatcher:
			if which&128 != 0 {
				o.Algorithm = "9"
			}
		default:
			o.ShortCodes = which&128 != 0
		}
		out, err := dialimport.Import(format, []dialimport.Source{text("x", string(body))}, &o)
		if err != nil {
			require.NotContains(t, err.Error(), "has no use for it")
			if format != dialimport.CSV && strings.Contains(err.Error(), "does not compile") || strings.HasPrefix(err.Error(), "deck ") {
				t.Fatal(err)
			}
			return
		}
		if out.Fragment {
			return
		}
		router, err := routing.Compile(out.Rules)
		require.NoError(t, err)
		_, _ = router.Route(&calls.Request{At: noon, CallID: "c", To: "+4930123456", From: "+442079460123"})
	})
}

// FuzzDeckRow reads each text as rows of every kind of a deck's values.
func FuzzDeckRow(f *testing.F) {
	f.Add("49", "1", "60/60", "2026-01-01", "")
	f.Add("44-7700, 8201-8209", "1.234,5", "1", "31/12/2026 10:00", "1E-05")
	f.Fuzz(func(t *testing.T, code, rate, increments, from, connect string) {
		quote := func(s string) string { return `"` + strings.ReplaceAll(s, `"`, `""`) + `"` }
		body := "code,rate,increments,from,connect\n" +
			strings.Join([]string{quote(code), quote(rate), quote(increments), quote(from), quote(connect)}, ",") + "\n"
		out, err := dialimport.Import(dialimport.CSV, []dialimport.Source{text("x", body)}, &dialimport.Options{Currency: "EUR"})
		if err != nil {
			require.NotContains(t, err.Error(), "deck x")
			return
		}
		require.LessOrEqual(t, len(out.Rules.Rates["x"]), 10_000)
	})
}
