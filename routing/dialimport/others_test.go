package dialimport_test

import (
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/routing"
	"github.com/switchtape/switchtape/routing/dialimport"
)

// firsts counts which destination comes first of a thousand calls.
func firsts(t tb, out *dialimport.Result, metadata map[string]string) map[string]int {
	router, err := routing.Compile(out.Rules)
	require.NoError(t, err)
	count := map[string]int{}
	for i := range 1000 {
		ids := sent(t, router, calls.Request{At: noon, CallID: callmodel.CallID("c" + strconv.Itoa(i)), To: "+4930123456", Metadata: metadata})
		require.NotEmpty(t, ids)
		count[ids[0]]++
	}
	return count
}

// TestDispatcher: sets of Kamailio's and OpenSIPS's dispatcher, from dumps, from CSV and
// from dispatcher.list.
func TestDispatcher(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		format    dialimport.Format
		algorithm string
		body      string
		want      map[string]int // share of first places, in tenths
		notes     int            // of what is approximated
	}{
		"list by priority": {
			dialimport.KamailioDispatcher, "8", "# sets\n1 sip:10.0.0.1:5060 0 5\n\n1 sip:10.0.0.2:5060 0 10 weight=50 # the better\n1 sip:10.0.0.3 4 99\n",
			map[string]int{"10.0.0.2-5060": 10},
			0,
		},
		"Kamailio by weight": {
			dialimport.KamailioDispatcher, "9",
			"INSERT INTO dispatcher VALUES (1,1,'sip:10.0.0.1',0,0,'weight=70','a'),(2,1,'sip:10.0.0.2',0,0,'weight=30;duid=x','b');\n",
			map[string]int{"10.0.0.1": 7, "10.0.0.2": 3},
			0,
		},
		"relative weight": {
			dialimport.KamailioDispatcher, "11",
			"id,setid,destination,flags,priority,attrs,description\n1,1,sip:10.0.0.1,0,0,weight=1;rweight=20,\n2,1,sip:10.0.0.2,0,0,rweight=80,\n",
			map[string]int{"10.0.0.1": 2, "10.0.0.2": 8},
			0,
		},
		"in turn": {
			dialimport.KamailioDispatcher, "4", "1 sip:10.0.0.1 0 5\n1 sip:10.0.0.2 0 1\n", map[string]int{"10.0.0.1": 5, "10.0.0.2": 5}, 1,
		},
		"OpenSIPS": {
			dialimport.OpenSIPSDispatcher, "4",
			"INSERT INTO dispatcher VALUES (1,1,'sip:10.0.0.1','',0,0,'3',0,'',''),(2,1,'sip:10.0.0.2',NULL,1,0,'1',0,'','');\n",
			map[string]int{"10.0.0.1": 7, "10.0.0.2": 2},
			2,
		},
		"nobody says how": {dialimport.KamailioDispatcher, "", "1 sip:10.0.0.1 0 5\n1 sip:10.0.0.2 0 1\n", map[string]int{"10.0.0.1": 10}, 1},
	} {
		out := mustImport(t, c.format, &dialimport.Options{Algorithm: c.algorithm}, text("dispatcher", c.body))
		require.Zero(t, out.Report.Skipped.Count, "%s: %v", name, out.Report.Skipped.List)
		require.Equal(t, c.notes, out.Report.Approximated.Count, "%s: %v", name, out.Report.Approximated.List)
		got := firsts(t, out, nil)
		for id, share := range c.want {
			require.InDelta(t, 100*share, got[id], 60, "%s: %v", name, got)
		}
	}
	// Two sets are told apart by tenants, or by the call's metadata.
	const two = "1 sip:10.0.0.1 0 0\n2 sip:10.0.0.2 0 0\nx sip:10.0.0.3\n3 sip:bad host\n"
	out := mustImport(t, dialimport.KamailioDispatcher, &dialimport.Options{Algorithm: "8", Groups: map[string]callmodel.TenantID{"1": "acme"}},
		text("dispatcher.list", two))
	require.Equal(t, 2, out.Report.Skipped.Count, out.Report.Skipped.List)
	require.Equal(t, 3, out.Report.Skipped.List[0].Line)
	router, err := routing.Compile(out.Rules)
	require.NoError(t, err)
	require.Equal(t, []string{"10.0.0.1"}, sent(t, router, calls.Request{At: noon, CallID: "c", TenantID: "acme", To: "+4930123456"}))
	require.Equal(t, []string{"10.0.0.2"}, sent(t, router, calls.Request{At: noon, CallID: "c", To: "+4930123456", Metadata: map[string]string{"ds_set": "2"}}))
	require.Nil(t, sent(t, router, calls.Request{At: noon, CallID: "c", To: "+4930123456"}))
	for _, algorithm := range []string{"10", "12", "x"} {
		_, err := dialimport.Import(dialimport.KamailioDispatcher, []dialimport.Source{text("d", two)}, &dialimport.Options{Algorithm: algorithm})
		require.ErrorContains(t, err, "algorithm")
	}
}

// TestFreeSWITCHLCR: a call takes the carriers of the longest digits, the cheapest first,
// and then those of shorter ones.
func TestFreeSWITCHLCR(t *testing.T) {
	t.Parallel()
	const dump = `CREATE TABLE carriers (id int, carrier_name text, enabled bool);
INSERT INTO carriers VALUES (1,'alpha',1),(2,'beta',1),(3,'gone',0);
INSERT INTO carrier_gateway VALUES (1,1,'sofia/external/','@192.0.2.1:5060','',1),(2,2,'sofia/gateway/beta/','','PCMU',1),(3,3,'sofia/external/','@192.0.2.3','',1);
INSERT INTO lcr (id,digits,rate,carrier_id,lead_strip,trail_strip,prefix,suffix,lcr_profile,date_start,date_end,enabled) VALUES
 (1,'49',0.02,1,0,0,'','','0','1970-01-01 00:00:00','2099-12-31 00:00:00',1),
 (2,'49',0.01,2,2,0,'0','','0','1970-01-01 00:00:00','2099-12-31 00:00:00',1),
 (3,'4930',0.05,1,0,0,'','','0','1970-01-01 00:00:00','2099-12-31 00:00:00',1),
 (4,'33',0.01,3,0,0,'','','0','1970-01-01 00:00:00','2099-12-31 00:00:00',1),
 (5,'33',0.01,1,0,0,'','','0','1970-01-01 00:00:00','2020-01-01 00:00:00',1),
 (6,'34',0.01,1,0,2,'','','0',NULL,NULL,1),
 (7,'35',0.01,1,0,0,'','','0',NULL,NULL,0);
`
	out := mustImport(t, dialimport.FreeSWITCHLCR, &dialimport.Options{
		Now: noon, Currency: "USD", Destinations: map[string]string{"beta": "sip:beta.example"},
	}, text("lcr.sql", dump))
	require.Equal(t, 2, out.Report.Skipped.Count, out.Report.Skipped.List)
	router, err := routing.Compile(out.Rules)
	require.NoError(t, err)
	decide := func(to string) calls.Decision {
		d, err := router.Route(&calls.Request{At: noon, CallID: "c", To: to})
		require.NoError(t, err)
		return d
	}
	d := decide("+4940123456")
	require.Equal(t, []string{"beta", "alpha"}, []string{d.Destinations[0].ID, d.Destinations[1].ID})
	require.Equal(t, "040123456", d.Destinations[0].Number)
	require.Equal(t, "sip:beta.example", d.Destinations[0].URI)
	require.Equal(t, "USD", d.Destinations[0].Cost.Currency)
	require.Equal(t, "sip:192.0.2.1:5060", d.Destinations[1].URI)
	d = decide("+4930123456")
	require.Equal(t, []string{"alpha", "beta"}, []string{d.Destinations[0].ID, d.Destinations[1].ID}, "of the longest digits first, though dearer")
	for _, to := range []string{"+33123456789", "+34123456789", "+35123456789"} {
		_, err := router.Route(&calls.Request{At: noon, CallID: "c", To: to})
		require.ErrorIs(t, err, routing.ErrNoRoute, to)
	}
	out = mustImport(t, dialimport.FreeSWITCHLCR, nil, text("lcr.sql", dump))
	require.Equal(t, 4, out.Report.Skipped.Count, "beta's address isn't known: %v", out.Report.Skipped.List)
	_, err = dialimport.Import(dialimport.FreeSWITCHLCR, []dialimport.Source{
		text("lcr.csv",
			"digits,rate,intrastate_rate,carrier_id\n1,0.01,0.02,1\n"), text("carriers.csv", "id,carrier_name\n1,a\n"),
		text("carrier_gateway.csv", "id,carrier_id,prefix,suffix\n1,1,sofia/external/,@a.example\n"),
	}, nil)
	require.ErrorContains(t, err, "caller")
}
