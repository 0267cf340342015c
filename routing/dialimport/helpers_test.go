package dialimport_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/routing"
	"github.com/switchtape/switchtape/routing/dialimport"
)

// noon is a time for calls whose time decides nothing.
var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

var update = flag.Bool("update", false, "write the golden files")

func text(name, body string) dialimport.Source {
	return dialimport.Source{Name: name, R: bytes.NewReader([]byte(body))}
}

// files opens testdata.
func files(t *testing.T, names ...string) []dialimport.Source {
	t.Helper()
	var list []dialimport.Source
	for _, n := range names {
		b, err := os.ReadFile(filepath.Join("testdata", n))
		require.NoError(t, err)
		list = append(list, text(n, string(b)))
	}
	return list
}

type tb interface { // of tests and of rapid
	require.TestingT
	Helper()
}

func mustImport(t tb, f dialimport.Format, o *dialimport.Options, sources ...dialimport.Source) *dialimport.Result {
	t.Helper()
	out, err := dialimport.Import(f, sources, o)
	require.NoError(t, err)
	return out
}

// golden holds the rule set and the report against files that were read by a person.
func golden(t *testing.T, name string, out *dialimport.Result) {
	t.Helper()
	var rules, report bytes.Buffer
	require.NoError(t, dialimport.WriteYAML(&rules, out.Rules))
	for _, part := range []struct {
		name  string
		notes dialimport.Notes
	}{{"skipped", out.Report.Skipped}, {"approximated", out.Report.Approximated}, {"price", out.Report.Prices}, {"remark", out.Report.Remarks}} {
		for _, n := range part.notes.List {
			report.WriteString(part.name + ": " + n.String() + "\n")
		}
	}
	for ext, got := range map[string][]byte{".yaml": rules.Bytes(), ".report": report.Bytes()} {
		file := filepath.Join("testdata", name+ext)
		if *update {
			require.NoError(t, os.WriteFile(file, got, 0o600))
		}
		want, err := os.ReadFile(file)
		require.NoError(t, err)
		require.Equal(t, string(want), string(got), file)
	}
	if out.Fragment {
		return
	}
	back, err := routing.Parse(rules.Bytes())
	require.NoError(t, err)
	require.Equal(t, out.Rules.Hash(), back.Hash(), "what is written is what was meant")
}

// sent is where a call goes: the ids of its destinations in order, nil for nowhere.
func sent(t tb, r *routing.Router, req calls.Request) []string {
	t.Helper()
	d, err := r.Route(&req)
	if err != nil {
		require.ErrorIs(t, err, routing.ErrNoRoute)
		return nil
	}
	ids := make([]string, len(d.Destinations))
	for i := range d.Destinations {
		ids[i] = d.Destinations[i].ID
	}
	return ids
}
