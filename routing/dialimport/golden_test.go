package dialimport_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/routing/dialimport"
)

func TestGolden(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		format dialimport.Format
		files  []string
		o      dialimport.Options
	}{
		{"drouting-mysql", dialimport.OpenSIPS, []string{"drouting-mysql.sql"}, dialimport.Options{Name: "proxy", TimeZone: "Europe/Berlin"}},
		{
			"kamailio-csv", dialimport.Kamailio,
			[]string{"kamailio/dr_rules.csv", "kamailio/dr_gateways.csv", "kamailio/dr_gw_lists.csv", "kamailio/dr_groups.csv"},
			dialimport.Options{TimeZone: "Europe/Berlin"},
		},
		{"lcr-pg", dialimport.KamailioLCR, []string{"lcr-pg.sql"}, dialimport.Options{}},
		{"deck", dialimport.CSV, []string{"deck.csv"}, dialimport.Options{Currency: "EUR", Accept: []dialimport.PriceChange{dialimport.RoundedRates}}},
		{"deck-routed", dialimport.CSV, []string{"deck.csv"}, dialimport.Options{
			Currency: "EUR", Destinations: map[string]string{"a": "sip:a.example"}, Accept: []dialimport.PriceChange{dialimport.RoundedRates},
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			out := mustImport(t, c.format, &c.o, files(t, c.files...)...)
			golden(t, c.name, out)
			require.Positive(t, out.Report.Converted)
		})
	}
}
