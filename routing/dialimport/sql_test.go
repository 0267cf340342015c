package dialimport_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/routing/dialimport"
)

// The same rows as every dialect writes them.
func TestDumpsOfEveryDialect(t *testing.T) {
	t.Parallel()
	const gateway = "INSERT INTO dr_gateways (gwid, address, pri_prefix) VALUES ('a', 'sip:a.example', '+');\n"
	for name, dump := range map[string]string{
		"MySQL": "CREATE TABLE `dr_rules` (`ruleid` int, `groupid` char(255), `prefix` char(64), `gwlist` char(255), " +
			"`description` text, KEY `x` (`prefix`));\nINSERT INTO `dr_rules` VALUES (1,'1','49','a','it\\'s; \\\\ (odd), " +
			"''quoted'''),(2,'1','33','a',NULL);\n",
		"MariaDB": "-- MariaDB dump 10.19\ninsert ignore into dr_rules (ruleid,groupid,prefix,gwlist,description) values " +
			"(1,'1','49','a','\\'');\nREPLACE INTO dr_rules (ruleid,groupid,prefix,gwlist) VALUES (2,'1','33','a');\n",
		"PostgreSQL": "INSERT INTO public.dr_rules (ruleid, \"groupid\", prefix, gwlist, description) VALUES (1, '1', '49', 'a', " +
			"'back\\'), (2, '1'::text, '33', E'a', E'it\\'s') ON CONFLICT DO NOTHING;\n",
		"COPY": "COPY public.dr_rules (ruleid, groupid, prefix, gwlist, description) FROM stdin;\n1\t1\t49\ta\t\\N\n2\t1\t33\ta\ttab\\there\\\\\n\\.\n",
		"SQLite": "PRAGMA foreign_keys=OFF;\nBEGIN TRANSACTION;\nCREATE TABLE IF NOT EXISTS dr_rules (ruleid INTEGER PRIMARY KEY, " +
			"groupid TEXT, prefix TEXT DEFAULT '', gwlist TEXT, CHECK (ruleid > 0));\nINSERT INTO dr_rules VALUES(1,'1','49','a');\n" +
			"INSERT INTO \"dr_rules\" VALUES(2,'1','33','a');\nCOMMIT;\n",
	} {
		out := mustImport(t, dialimport.OpenSIPS, nil, text(name, gateway+dump))
		require.Zero(t, out.Report.Skipped.Count, "%s: %v", name, out.Report.Skipped.List)
		require.Len(t, out.Rules.Rules, 2, name)
		require.Equal(t, []string{"+49"}, out.Rules.Rules[0].Match.To.Prefix, name)
		require.Equal(t, []string{"+33"}, out.Rules.Rules[1].Match.To.Prefix, name)
	}
}

func TestBrokenDumps(t *testing.T) {
	t.Parallel()
	const gateway = "INSERT INTO dr_gateways (gwid, address, pri_prefix) VALUES ('a', 'sip:a.example', '+');\nINSERT INTO dr_rules " +
		"(ruleid,groupid,prefix,gwlist) VALUES (9,'1','1','a');\n"
	for name, c := range map[string]struct {
		dump    string
		skipped int
		rules   int
	}{
		"no columns known":   {"INSERT INTO dr_rules VALUES (1,'1','49','a');\n", 1, 1},
		"too few values":     {"INSERT INTO dr_rules (ruleid,groupid,prefix,gwlist) VALUES (1,'1'),(2,'1','33','a');\n", 1, 2},
		"no end":             {"INSERT INTO dr_rules (ruleid,groupid,prefix,gwlist) VALUES (1,'1','49','a", 1, 1},
		"copy with odd rows": {"COPY dr_rules (ruleid,groupid,prefix,gwlist) FROM stdin;\n1\t1\n2\t1\t33\ta\n\\.\n", 1, 2},
		"copy cut in a row":  {"COPY dr_rules (ruleid,groupid,prefix,gwlist) FROM stdin;\n1\t1\t33\ta\n2\t1\t34\tgw-numb", 1, 2},
		"copy cut by rows":   {"COPY dr_rules (ruleid,groupid,prefix,gwlist) FROM stdin;\n1\t1\t33\ta\n", 1, 2},
		"cut between rows":   {"INSERT INTO dr_rules (ruleid,groupid,prefix,gwlist) VALUES (1,'1','33','a'),\n", 1, 2},
		"cut behind a row":   {"INSERT INTO dr_rules (ruleid,groupid,prefix,gwlist) VALUES (1,'1','33','a')", 0, 2},
		"a huge value":       {"INSERT INTO dr_rules (ruleid,groupid,prefix,gwlist) VALUES (1,'1','49','" + strings.Repeat("a", 2<<20) + "');\n", 1, 1},
		"other tables":       {"INSERT INTO subscriber VALUES (1,'x'); CREATE INDEX i ON x (y); COPY acc (id) FROM stdin;\n1\n\\.\nDELETE FROM x;\n", 0, 1},
		"a million brackets": {"INSERT INTO dr_rules (ruleid,groupid,prefix,gwlist) VALUES " + strings.Repeat("(", 1<<20), 1, 1},
	} {
		out := mustImport(t, dialimport.OpenSIPS, nil, text("dump.sql", gateway+c.dump))
		require.Equal(t, c.skipped, out.Report.Skipped.Count, "%s: %v", name, out.Report.Skipped.List)
		require.Len(t, out.Rules.Rules, c.rules, name)
	}
	for _, body := range []string{"", "hello", "a,b,c\n1,2,3\n", "INSERT INTO acc (id) VALUES (1);", "ruleid,gwlist\n1,a\n", "gwid,address\na,b\n"} {
		_, err := dialimport.Import(dialimport.OpenSIPS, []dialimport.Source{text("x", body)}, nil)
		require.Error(t, err, body)
	}
	_, err := dialimport.Import("asterisk", nil, nil)
	require.Error(t, err)
	_, err = dialimport.Import(dialimport.OpenSIPS, nil, &dialimport.Options{TimeZone: "Mars", Tenant: "a b", SortOrder: 9})
	require.ErrorContains(t, err, "timezone")
}

// TestOddNames: what can't be an id becomes one, each its own.
func TestOddNames(t *testing.T) {
	t.Parallel()
	out := mustImport(t, dialimport.OpenSIPS, nil,
		text("dump.sql", "INSERT INTO dr_gateways (gwid, address, pri_prefix) VALUES ('_a', 'sip:a.example', '+'),('-a', "+
			"'sip:b.example', '+'),('a..b', 'sip:c.example', '+'),('!0', 'sip:d.example', '+'),('ä', 'sip:e.example', '+'),('x-a', 'sip:f.example', '+');\n"+
			"INSERT INTO dr_rules (ruleid,groupid,prefix,gwlist) VALUES (1,'1','49','_a,-a,a..b,!0,ä,x-a');"))
	require.Zero(t, out.Report.Skipped.Count, "%v", out.Report.Skipped.List)
	require.Len(t, out.Rules.Destinations, 6)
	require.NoError(t, out.Rules.Validate())
}

// TestTimeRecFaults: the reason names what was written, and no rule of our own.
func TestTimeRecFaults(t *testing.T) {
	t.Parallel()
	out := mustImport(t, dialimport.Kamailio, nil, text("dump.sql", "INSERT INTO dr_gateways (gwid, address, pri_prefix) VALUES ('a', 'sip:a.example', '+');\n"+
		"INSERT INTO dr_rules (ruleid,groupid,prefix,gwlist,timerec) VALUES "+
		"(1,'1','49','a',''),(2,'1','33','a','20260101T080000|PT10H|weekly|||1MO'),(3,'1','34','a','20260101T080000|PT10H|yearly||||31||2');"))
	require.Equal(t, 2, out.Report.Skipped.Count, "%v", out.Report.Skipped.List)
	for i, part := range []string{"BYDAY has a number, +1MO", "it never comes before"} {
		require.Contains(t, out.Report.Skipped.List[i].Why, part)
		require.NotContains(t, out.Report.Skipped.List[i].Why, "rules[0]")
	}
}

// A dump of rows alone, as mysqldump -t and pg_dump --inserts write, names no
// columns: those of the tables as their programs create them are taken, of the
// version with so many.
func TestDumpsWithoutColumns(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		format dialimport.Format
		dump   string
	}{
		"OpenSIPS 3": {dialimport.OpenSIPS, "INSERT INTO `dr_gateways` VALUES " +
			"(1,'a',10,'a.example',0,'+',NULL,0,0,NULL,NULL),(2,'b',10,'b.example',0,'+',NULL,0,0,NULL,NULL);\n" +
			"INSERT INTO dr_carriers VALUES (1,'c','a=1,b=3',0,'W',0,NULL,NULL);\nINSERT INTO dr_rules VALUES " +
			"(1,'1','49',NULL,0,NULL,'#c','N',NULL,NULL,'x');\n"},
		"OpenSIPS 2": {dialimport.OpenSIPS, "INSERT INTO dr_gateways VALUES " +
			"(1,'a',10,'a.example',0,'+',NULL,0,0,NULL),(2,'b',10,'b.example',0,'+',NULL,0,0,NULL);\n" +
			"INSERT INTO dr_carriers VALUES (1,'c','a=1,b=3',1,0,NULL,NULL);\nINSERT INTO dr_rules VALUES (1,'1','49',NULL,0,NULL,'#c',NULL,'x');\n"},
		"OpenSIPS 1.6": {dialimport.OpenSIPS, "INSERT INTO dr_gateways VALUES " +
			"(1,10,'a.example',0,'+',NULL,0,'x'),(2,10,'b.example',0,'+',NULL,0,NULL);\n" +
			"INSERT INTO dr_gw_lists VALUES (7,'1,2','x');\nINSERT INTO dr_rules VALUES (1,'1','49',NULL,0,NULL,'#7','x');\n"},
		"OpenSIPS 1.8": {dialimport.OpenSIPS, "INSERT INTO dr_gateways VALUES " +
			"(1,'a',10,'a.example',0,'+',NULL,0,'x'),(2,'b',10,'b.example',0,'+',NULL,0,NULL);\n" +
			"INSERT INTO dr_carriers VALUES (1,'c','a=1,b=3',1,0,NULL,NULL);\nINSERT INTO dr_rules VALUES (1,'1','49',NULL,0,NULL,'#c',NULL,'x');\n"},
		"Kamailio": {dialimport.Kamailio, "COPY dr_gateways FROM stdin;\n1\t0\ta.example\t0\t+\t\\N\ta\n2\t0\tb.example\t0\t+\t\\N\tb\n\\.\n" +
			"COPY dr_gw_lists FROM stdin;\n7\t1,2\tx\n\\.\nCOPY dr_rules FROM stdin;\n1\t1\t49\t\t0\t\t#7\tx\n\\.\nINSERT INTO x VALUES (1);\n"},
		"lcr": {dialimport.KamailioLCR, "INSERT INTO lcr_gw VALUES " +
			"(1,1,'a','10.0.0.1',NULL,5060,NULL,1,1,0,'+',NULL,0,NULL),(2,1,'b','10.0.0.2',NULL,5060,NULL,1,1,0,'+',NULL,0,NULL);\n" +
			"INSERT INTO lcr_rule VALUES (1,1,'49',NULL,NULL,NULL,0,1);\nINSERT INTO lcr_rule_target VALUES (1,1,1,1,0,1),(2,1,1,2,0,1);\n"},
	} {
		out := mustImport(t, c.format, nil, text("dump.sql", c.dump))
		require.Zero(t, out.Report.Skipped.Count, "%s: %v", name, out.Report.Skipped.List)
		require.Zero(t, out.Report.Approximated.Count, "%s: %v", name, out.Report.Approximated.List)
		require.Len(t, out.Rules.Rules, 1, name)
		require.Equal(t, []string{"+49"}, out.Rules.Rules[0].Match.To.Prefix, name)
		targets := 0
		for _, tier := range out.Rules.Rules[0].Route {
			targets += len(tier.Targets)
		}
		require.Equal(t, 2, targets, name)
		said := 0
		for _, n := range out.Report.Remarks.List {
			if n.What == "columns" {
				said++
			}
		}
		require.GreaterOrEqual(t, said, 3, "%s: %v", name, out.Report.Remarks.List)
	}
}

// Prefixes with a plus among others without one don't turn those into short codes.
func TestMixedNumbering(t *testing.T) {
	t.Parallel()
	const head = "INSERT INTO dr_gateways (gwid, address, pri_prefix) VALUES ('a', 'sip:a.example', '+');\nINSERT INTO dr_rules " +
		"(ruleid,groupid,prefix,gwlist) VALUES "
	for rules, want := range map[string][]string{
		"(1,'1','49','a'),(2,'1','33','a'),(3,'1','+36','a'),(4,'1','112','a')":  {"+49", "+33", "+36", "+112", "112"},
		"(1,'1','+49','a'),(2,'1','+33','a'),(3,'1','36','a'),(4,'1','112','a')": {"+49", "+33", "36", "112"},
	} {
		out := mustImport(t, dialimport.OpenSIPS, nil, text("dump.sql", head+rules+";"))
		var got []string
		for _, r := range out.Rules.Rules {
			got = append(got, r.Match.To.Prefix...)
		}
		require.ElementsMatch(t, want, got)
		require.NotEmpty(t, out.Report.Approximated.List)
		require.Contains(t, out.Report.Approximated.List[0].String(), "begin with a plus")
	}
	out := mustImport(t, dialimport.OpenSIPS, nil, text("dump.sql", head+"(1,'1','+49','a'),(4,'1','112','a');"))
	for _, n := range out.Report.Approximated.List {
		require.NotContains(t, n.String(), "begin with a plus")
	}
}

// Each is listed with what it is and why it can't be said.
func TestDroutingWhatCantBeSaid(t *testing.T) {
	t.Parallel()
	gateways := "gwid,address,strip,pri_prefix,state\na,a.example,0,+,0\na,b.example,0,+,0\nb,,0,+,0\nc,c.example,x,+,0\n" +
		"d,d.example,0,abc,0\ne,bad host,0,+,0\n"
	rules := `ruleid,groupid,prefix,timerec,priority,gwlist
1,1,49,,0,a
2,1,x,,0,a
3,1,030,,0,a
4,1,1,,many,a
5,1,2,,0,zzz
6,1,3,20260101T000000|PT1H|DAILY&20260101T000000|PT1H|DAILY,0,a
7,1,4,20260101T000000||DAILY,0,a
8,1,5,20260101T000001|PT1H|DAILY,0,a
9,1,6,|PT1H|DAILY,0,a
10,1,7,never,0,a
11,1,8,20260101T000000|PT1H|DAILY|20251231,0,a
12,1,9,20260101T000000|PT1H|DAILY|||XX,0,a
13,1,33,,0,"a,#none"
`
	out := mustImport(t, dialimport.OpenSIPS, nil, text("dr_gateways.csv", gateways), text("dr_rules.csv", rules))
	require.Len(t, out.Rules.Rules, 2)
	got := map[string]bool{}
	for _, n := range out.Report.Skipped.List {
		require.NotEmpty(t, n.Why)
		require.NotZero(t, n.Line)
		got[n.Row] = true
	}
	for _, row := range []string{
		"dr_gateways a", "dr_gateways b", "dr_gateways c", "dr_gateways d", "dr_gateways e", "dr_rules 2", "dr_rules 3", "dr_rules 4", "dr_rules 5",
		"dr_rules 6", "dr_rules 7", "dr_rules 8", "dr_rules 9", "dr_rules 10", "dr_rules 11", "dr_rules 12", "dr_rules 13",
	} {
		require.True(t, got[row], row)
	}
	require.Equal(t, 19, out.Report.Rows)
	require.Equal(t, 3, out.Report.Converted)
}

func TestKamailioSortOrder(t *testing.T) {
	t.Parallel()
	for order, want := range map[int][][]string{
		0: {{"gw-1"}, {"gw-2"}, {"gw-3"}, {"gw-4"}, {"gw-5"}},
		1: {{"gw-1", "gw-2"}, {"gw-3", "gw-4"}, {"gw-5"}},
		2: {{"gw-1", "gw-2"}, {"gw-3", "gw-4"}, {"gw-5"}},
	} {
		out := mustImport(t, dialimport.Kamailio, &dialimport.Options{SortOrder: order},
			text("dr_gateways.csv", "gwid,address,pri_prefix\n1,a,+\n2,b,+\n3,c,+\n4,d,+\n5,e,+\n"),
			text("dr_rules.csv", "ruleid,groupid,prefix,gwlist\n1,1,49,\"1,2;3|4,1;5\"\n"))
		var got [][]string
		for _, tier := range out.Rules.Rules[0].Route {
			var ids []string
			for _, g := range tier.Targets {
				if ids = append(ids, g.To); order == 0 {
					got = append(got, []string{g.To})
				}
			}
			if order != 0 {
				got = append(got, ids)
			}
		}
		require.Equal(t, want, got, order)
	}
}
