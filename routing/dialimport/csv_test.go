package dialimport_test

import (
	"bytes"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/routing"
	"github.com/switchtape/switchtape/routing/dialimport"
)

type memFile struct{ bytes.Buffer }

func (*memFile) Close() error { return nil }

// export writes a rule set to sources.
func export(t tb, rs *routing.RuleSet) ([]dialimport.Source, *dialimport.Report) {
	var list []dialimport.Source
	report, err := dialimport.ExportCSV(rs, func(name string) (io.WriteCloser, error) {
		f := &memFile{}
		list = append(list, dialimport.Source{Name: name, R: f})
		return f, nil
	})
	require.NoError(t, err)
	return list, report
}

// ruleSet draws a set of what CSV holds, and, if asked, of what it doesn't.
func ruleSet(t *rapid.T, beyond bool) *routing.RuleSet {
	rs := &routing.RuleSet{
		Name: "set, \"quoted\"", Order: rapid.SampledFrom([]routing.Order{"", routing.PrefixFirst, routing.PriorityFirst}).Draw(t, "order"),
		Lists: map[string][]string{"vip": {"+4930*", "+442079460123"}},
		Destinations: map[string]routing.DestinationSpec{
			"a": {URI: "sip:a.example;x=\"1\""[:13], Strip: 2, Prepend: "0", Emergency: rapid.Bool().Draw(t, "emergency"), Rates: "deck"},
			"b": {
				URI: "sip:b.example", Limits: &routing.Limits{Concurrent: 3},
				Caller: &routing.CallerSpec{Policy: routing.CallerReplace, Replace: []string{"+4930", "+4931"}},
			},
			"d": {URI: "sip:d.example", StripPlus: true, Caller: &routing.CallerSpec{StripPlus: true}},
			"c": {URI: "tel:+4930123456", Replace: "112", Caller: &routing.CallerSpec{Policy: routing.CallerWithhold}},
		},
		Currency: "EUR",
		Rates: map[string][]routing.RateRow{"deck": {
			{Prefix: "+", PerMinute: 5, First: time.Minute, Next: 6 * time.Second},
			{Prefix: "+49", PerMinute: 1, Connect: 7, From: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), Until: time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)},
		}},
	}
	for i := range rapid.IntRange(1, 8).Draw(t, "rules") {
		// Each has its own priority, so that none are level.
		r := routing.Rule{ID: fmt.Sprintf("r%d", i), Priority: i * rapid.SampledFrom([]int{1, -1}).Draw(t, "sign"), Route: drawRoute(t)}
		if r.Priority < 0 {
			r.Priority -= 10
		}
		drawMatch(t, &r)
		if beyond && rapid.Bool().Draw(t, "beyond") {
			r.Match.Metadata = map[string][]string{"plan": {"gold"}}
		}
		rs.Rules = append(rs.Rules, r)
	}
	return rs
}

func drawMatch(t *rapid.T, r *routing.Rule) {
	m := &r.Match
	switch rapid.IntRange(0, 4).Draw(t, "to") {
	case 0:
		r.Default = true
	case 1:
		m.To.List = []string{"vip"}
	case 2:
		m.To.Exact = []string{"+493012345678", "112"}
		m.To.Service = []string{routing.ServiceEmergency}
	default:
		m.To.Prefix = rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"+", "+4", "+49", "+4930", "1", "11"}), 1, 3, rapid.ID[string]).Draw(t, "prefix")
	}
	if rapid.Bool().Draw(t, "from") {
		m.From = routing.NumberMatch{Prefix: []string{"+44"}, Exact: []string{"+12125550100"}, List: []string{"vip"}}
	}
	if rapid.Bool().Draw(t, "tenant") {
		m.Tenant = []callmodel.TenantID{"t1", "t2"}
	}
	if rapid.Bool().Draw(t, "type") {
		m.Type = []calls.Type{calls.TypeVoice, calls.TypeEmergency}
	}
	if rapid.Bool().Draw(t, "more") {
		m.Direction, m.Trunk = []calls.Direction{calls.Outbound}, []string{"trunk-1"}
		m.CallPriority = &routing.PriorityRange{Min: 2, Max: 9}
	}
	if rapid.Bool().Draw(t, "capabilities") {
		m.CapabilitiesAny, m.CapabilitiesAll = []string{"opus", "g722"}, []string{"srtp"}
	}
	if rapid.Bool().Draw(t, "valid") {
		m.ValidFrom, m.ValidUntil = "2026-02-01T00:00:00+01:00", "2026-03-01T00:00:00Z"
	}
}

func drawRoute(t *rapid.T) []routing.Tier {
	ids := rapid.Permutation([]string{"a", "b", "c"}).Draw(t, "ids")
	switch rapid.IntRange(0, 3).Draw(t, "route") {
	case 0:
		return []routing.Tier{{Order: routing.AsListed, Targets: []routing.Target{{To: ids[0]}, {To: ids[1]}}}, {Targets: []routing.Target{{To: ids[2]}}}}
	case 1:
		return []routing.Tier{{Order: routing.ByCost, Assume: 30 * time.Second, RequireRate: true, Targets: []routing.Target{{To: "a"}, {To: "b"}}}}
	case 2:
		return []routing.Tier{{Order: routing.ByQuality, ExplorePercent: 10, Targets: []routing.Target{{To: ids[0], Weight: 3}, {To: ids[1]}}}}
	}
	return []routing.Tier{{Targets: []routing.Target{{To: ids[0], Weight: 3}, {To: ids[1], Weight: 1}, {To: ids[2]}}}}
}

func callList(t *rapid.T) []calls.Request {
	var list []calls.Request
	for i := range 30 {
		req := calls.Request{
			CallID: callmodel.CallID(fmt.Sprint("c", i)), TenantID: rapid.SampledFrom([]callmodel.TenantID{"t1", "t3"}).Draw(t, "tenant"),
			From: rapid.SampledFrom([]string{"+442079460123", "+12125550100", "+33123456789", "anonymous"}).Draw(t, "from"),
			To:   rapid.SampledFrom([]string{"+493012345678", "+491701234567", "+12125550100", "112", "11"}).Draw(t, "to"),
			Type: rapid.SampledFrom([]calls.Type{calls.TypeVoice, calls.TypeFax, calls.TypeEmergency}).Draw(t, "type"),
			At:   time.Date(2026, 2, 15, 0, 0, 0, 0, time.UTC), Metadata: map[string]string{"plan": "gold"},
		}
		if rapid.Bool().Draw(t, "equipped") {
			req.Direction, req.Trunk, req.Priority, req.Capabilities = calls.Outbound, "trunk-1", 5, []string{"srtp", "opus"}
		}
		list = append(list, req)
	}
	return list
}

func TestExportAndImportDecideAlike(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		rs := ruleSet(t, rapid.Bool().Draw(t, "beyond"))
		sources, report := export(t, rs)
		held := *rs
		held.Rules = nil
		for _, r := range rs.Rules {
			if r.Match.Metadata == nil {
				held.Rules = append(held.Rules, r)
			}
		}
		require.Equal(t, len(rs.Rules)-len(held.Rules), report.Skipped.Count)
		require.Equal(t, len(held.Rules), report.Converted)
		if len(held.Rules) == 0 {
			return
		}
		want, err := routing.Compile(&held)
		require.NoError(t, err)
		out := mustImport(t, dialimport.CSV, nil, sources...)
		require.Zero(t, out.Report.Skipped.Count)
		got, err := routing.Compile(out.Rules)
		require.NoError(t, err)
		require.Equal(t, rs.Name, out.Rules.Name)
		for _, req := range callList(t) {
			a, aerr := want.Route(&req)
			b, berr := got.Route(&req)
			require.Equal(t, aerr, berr)
			a.RuleSet, b.RuleSet = "", ""
			require.Equal(t, a, b)
		}
	})
}

// The canonical forms are read as what they were made of.
func TestCanonicalForms(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		rs := ruleSet(t, true)
		for _, write := range []func(io.Writer, *routing.RuleSet) error{dialimport.WriteYAML, dialimport.WriteJSON} {
			var b bytes.Buffer
			require.NoError(t, write(&b, rs))
			back, err := routing.Parse(b.Bytes())
			require.NoError(t, err, b.String())
			require.Equal(t, rs.Hash(), back.Hash())
		}
	})
}

func TestOwnCSVFaults(t *testing.T) {
	t.Parallel()
	destinations := "id,uri\na,sip:a.example\n"
	for _, rules := range []string{
		"rule,to,tier,destination\nr,+49*,2,a\n",
		"rule,to,tier,destination\nr,+49*,x,a\n",
		"rule,to,tier,destination,priority\nr,+49*,1,a,1\nr,+44*,1,a,2\n",
		"rule,to,tier,destination,call_priority\nr,+49*,1,a,high\n",
		"rule,to,tier,destination\nr,49x,1,a\n",
		"rule,to,tier,destination\nr,+49*,1,b\n",
	} {
		_, err := dialimport.Import(dialimport.CSV, []dialimport.Source{text("destinations.csv", destinations), text("rules.csv", rules)}, nil)
		var faults callmodel.FieldErrors
		require.ErrorAs(t, err, &faults, rules)
	}
}

// What can't be written is an error that names the file.
func TestExportReportsTheWriter(t *testing.T) {
	t.Parallel()
	rs := &routing.RuleSet{
		Destinations: map[string]routing.DestinationSpec{"a": {URI: "sip:a.example"}},
		Rules:        []routing.Rule{{ID: "r", Default: true, Route: []routing.Tier{{Targets: []routing.Target{{To: "a"}}}}}},
	}
	_, err := dialimport.ExportCSV(rs, func(string) (io.WriteCloser, error) { return full{}, nil })
	require.ErrorContains(t, err, dialimport.SettingsFile)
	_, err = dialimport.ExportCSV(rs, func(string) (io.WriteCloser, error) { return nil, io.ErrClosedPipe })
	require.ErrorIs(t, err, io.ErrClosedPipe)
	_, err = dialimport.ExportCSV(&routing.RuleSet{}, nil)
	require.Error(t, err)
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, io.ErrShortWrite }
func (full) Close() error              { return nil }
