package dialimport_test

import (
	"bytes"
	"io"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/switchtape/switchtape/routing"
	"github.com/switchtape/switchtape/routing/dialimport"
)

// oddTexts are values that YAML, JSON or CSV read as something else where they
// aren't quoted or escaped.
func oddTexts() []string {
	return []string{
		"no", "null", "~", "", " lead", "trail ", "#c", "a: b", "x\nbreak", "x\r\ny", "a\n\n b\n", "\n", "  ", "\"", "'q'", "!t", "*a", "&b", "- x",
		"? y", "%z", "@w", "`v",
		"0o17", "1_000", "1e3", "0x1F", "=", "<<", "2026-01-01", "\t", "\u0085", "a\u0085b", "\u2028", "\ufeffx", "\u007f", "\u0080", "\u0001",
		"\u00a0", "\u200b", "\uffff", "\U0001F600", "\\N", "NULL",
	}
}

// TestCanonicalFormsOfOddTexts: whatever a text holds, it is read as it was.
func TestCanonicalFormsOfOddTexts(t *testing.T) {
	t.Parallel()
	check := func(t require.TestingT, values []string) {
		rs := &routing.RuleSet{
			Destinations: map[string]routing.DestinationSpec{"null": {URI: "sip:a"}, "no": {URI: "sip:b"}, "1e3": {URI: "sip:c"}},
			Rules: []routing.Rule{{
				ID: "true", Default: true, Match: routing.Match{Metadata: map[string][]string{"k": values, "<<": {"x"}, "a: b": {"y"}}},
				Route: []routing.Tier{{Targets: []routing.Target{{To: "null"}, {To: "no"}, {To: "1e3"}}}},
			}},
		}
		for _, write := range []func(io.Writer, *routing.RuleSet) error{dialimport.WriteYAML, dialimport.WriteJSON} {
			var b bytes.Buffer
			require.NoError(t, write(&b, rs))
			back, err := routing.Parse(b.Bytes())
			require.NoError(t, err, b.String())
			require.Equal(t, values, back.Rules[0].Match.Metadata["k"], b.String())
			require.Equal(t, rs.Hash(), back.Hash())
		}
	}
	check(t, oddTexts())
	rapid.Check(t, func(t *rapid.T) { check(t, rapid.SliceOfN(rapid.String(), 1, 4).Draw(t, "values")) })
}

// TestOwnCSVKeepsNull: in what export wrote, a rule named null is one.
func TestOwnCSVKeepsNull(t *testing.T) {
	t.Parallel()
	rs, err := routing.Parse([]byte("destinations: {\"null\": {uri: \"sip:a\"}}\nrules: [{id: \"null\", default: true, route: [[{to: \"null\"}]]}]\n"))
	require.NoError(t, err)
	sources, report := export(t, rs)
	require.Zero(t, report.Skipped.Count)
	require.Equal(t, rs.Hash(), mustImport(t, dialimport.CSV, nil, sources...).Rules.Hash())
}
