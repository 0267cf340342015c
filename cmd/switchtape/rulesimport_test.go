package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/cmd/internal/cli"
	"github.com/switchtape/switchtape/routing"
	"github.com/switchtape/switchtape/routing/dialimport"
)

// runRules runs the commands in a grammar of their own.
func runRules(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var grammar struct {
		Import rulesImportCommand `cmd:""`
		Export rulesExportCommand `cmd:""`
	}
	var out, errs bytes.Buffer
	code = cli.Run(t.Context(), "rules", "", &grammar, args, cli.Streams{Out: &out, Err: &errs})
	return code, out.String(), errs.String()
}

func TestRulesImportAndExport(t *testing.T) {
	t.Parallel()
	testdata := filepath.Join("..", "..", "routing", "dialimport", "testdata")
	dump, dir := filepath.Join(testdata, "drouting-mysql.sql"), t.TempDir()
	rules := filepath.Join(dir, "rules.yaml")

	// To standard output, with the report beside it; what is lost fails.
	code, out, errs := runRules(t, "import", "--format", "opensips", "--timezone", "Europe/Berlin", dump)
	require.Equal(t, cli.ExitFailed, code, errs)
	require.Contains(t, errs, "dr_rules 7: prefix *98")
	require.Contains(t, errs, "--allow-loss")
	_, err := routing.Parse([]byte(out))
	require.NoError(t, err)

	code, out, errs = runRules(t, "import", "--format", "opensips", "--group", "2=acme", "--allow-loss", "--out", rules, "--json", dump)
	require.Zero(t, code, errs)
	var report struct {
		Rules  int
		Report dialimport.Report
	}
	require.NoError(t, json.Unmarshal([]byte(out), &report))
	require.Equal(t, 2, report.Report.Skipped.Count)
	require.Equal(t, 6, report.Rules, "rule 4 is of a tenant and of a group")

	// Canonical forms, and CSV, which can't hold the metadata.
	for _, format := range []string{"yaml", "json"} {
		code, out, errs = runRules(t, "export", "--format", format, rules)
		require.Zero(t, code, errs)
		_, err = routing.Parse([]byte(out))
		require.NoError(t, err)
	}
	code, out, _ = runRules(t, "export", "--format", "csv", "--out", filepath.Join(dir, "csv"), rules)
	require.Equal(t, cli.ExitFailed, code)
	require.Contains(t, out, "rule rule-1: metadata")
	back := filepath.Join(dir, "back.json")
	code, out, errs = runRules(t, "import", "--format", "csv", "--out", back,
		filepath.Join(dir, "csv", "settings.csv"), filepath.Join(dir, "csv", "destinations.csv"),
		filepath.Join(dir, "csv", "rates.csv"), filepath.Join(dir, "csv", "rules.csv"))
	require.Zero(t, code, errs+out)
	body, err := os.ReadFile(back)
	require.NoError(t, err)
	set, err := routing.Parse(body)
	require.NoError(t, err)
	require.Len(t, set.Rules, 2, "those of the tenant alone")
}

func TestRulesImportDeck(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	deck := filepath.Join(dir, "a.csv")
	require.NoError(t, os.WriteFile(deck, []byte("Vorwahl;Preis\n49;0,0123\n"), 0o600))
	code, out, errs := runRules(t, "import", "--format", "csv", "--currency", "EUR", deck)
	require.Zero(t, code, errs)
	require.Contains(t, errs, "to be put into a rule set")
	require.Contains(t, out, `{prefix: "+49", per_minute: "0.0123"}`)
	code, out, errs = runRules(t, "import", "--format", "csv", "--currency", "EUR", "--destination", "a=sip:a.example", "--map", "Preis=rate", deck)
	require.Zero(t, code, errs)
	_, err := routing.Parse([]byte(out))
	require.NoError(t, err)
}

// TestRulesImportPrices: a changed price fails the import, whose report is printed, and
// writes nothing until it is accepted by its name.
func TestRulesImportPrices(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	deck, rules := filepath.Join(dir, "a.csv"), filepath.Join(dir, "rules.yaml")
	require.NoError(t, os.WriteFile(deck, []byte("code,rate\n49,1\n49,2\n"), 0o600))
	args := []string{"import", "--format", "csv", "--currency", "EUR", "--out", rules, deck}
	code, out, errs := runRules(t, append(args, "--allow-loss")...)
	require.Equal(t, cli.ExitFailed, code)
	require.Contains(t, out, "price (duplicates): "+deck+":2")
	require.Contains(t, out, "--accept duplicates takes these prices")
	require.Contains(t, errs, "duplicates")
	require.NoFileExists(t, rules)
	code, out, _ = runRules(t, append(args, "--json")...)
	require.Equal(t, cli.ExitFailed, code)
	var report struct{ Report dialimport.Report }
	require.NoError(t, json.Unmarshal([]byte(out), &report))
	require.Equal(t, 1, report.Report.PriceChanges[dialimport.DuplicateRates])
	code, out, errs = runRules(t, append(args, "--accept", "duplicates")...)
	require.Zero(t, code, errs)
	require.Contains(t, out, "price (duplicates)")
	require.FileExists(t, rules)

	require.NoError(t, os.WriteFile(deck, []byte("code,rate\n030,1\n"), 0o600))
	code, out, errs = runRules(t, args...)
	require.Equal(t, cli.ExitFailed, code, errs)
	require.Contains(t, out, "begins with 0, which no country code does", "why nothing came of it")
}

func TestRulesImportUsage(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "x")
	require.NoError(t, os.WriteFile(file, []byte("nothing"), 0o600))
	for _, c := range []struct {
		args []string
		code int
	}{
		{[]string{"import", "--format", "asterisk", file}, cli.ExitUsage},
		{[]string{"import", "--format", "opensips", file, "--json"}, cli.ExitUsage},
		{[]string{"import", "--format", "opensips", file}, cli.ExitFailed},
		{[]string{"import", "--format", "csv", "--map", "a=b", file}, cli.ExitFailed},
		{[]string{"import", "--format", "opensips", "/no/such/file"}, cli.ExitUsage},
		{[]string{"export", "--format", "yaml", file}, cli.ExitFailed},
		{[]string{"export", "--format", "csv", file}, cli.ExitFailed},
	} {
		code, _, errs := runRules(t, c.args...)
		require.Equal(t, c.code, code, "%v: %s", c.args, errs)
		require.NotEmpty(t, errs)
	}
}
