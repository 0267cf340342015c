package ruleedit_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/routing"
	"github.com/switchtape/switchtape/routing/ruleedit"
)

const office = `# The office's rules.
name: office   # one site
destinations:
  a: {uri: "sip:a.example.com"}
  b: {uri: "sip:b.example.com"}

rules:
  # --- Abroad ---

  # Two carriers, since the outage in March.
  - id: london
    match: {to: {prefix: "+4420"}}   # the city
    route: [[{to: a}], [{to: b}]]

  # --- Home ---

  # By contract.
  - {id: berlin, match: {to: {prefix: "+4930"}}, route: [[{to: b}]]}

  - id: rest
    default: true
    route: [[{to: a}]]
# the end
order: prefix-first
`

func TestEditsKeepTheText(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		edits []ruleedit.Edit
		want  func(string) string
	}{
		"change": {
			[]ruleedit.Edit{{Op: ruleedit.Change, Rule: []byte("id: london\ndescription: |\n  Two lines,\n\n  and a third\n# why\nmatch:\n  to: {prefix: \"+4420\"}\nroute: [[{to: b}]]\n")}},
			func(s string) string {
				return strings.Replace(s, "    match: {to: {prefix: \"+4420\"}}   # the city\n    route: [[{to: a}], [{to: b}]]\n",
					"    description: |\n      Two lines,\n\n      and a third\n    # why\n    match:\n      to: {prefix: \"+4420\"}\n    route: [[{to: b}]]\n", 1)
			},
		},
		"change to JSON, with a comment that goes": {
			[]ruleedit.Edit{{Op: ruleedit.Put, ID: "rest", Rule: []byte(`{"default": true, "route": [[{"to": "b"}]]}`)}},
			func(s string) string {
				return strings.Replace(s, "  - id: rest\n    default: true\n    route: [[{to: a}]]\n", "  - {id: rest, default: true, route: [[{to: b}]]}\n", 1)
			},
		},
		"add last": {
			[]ruleedit.Edit{{Op: ruleedit.Add, Rule: []byte("# New.\nid: paris\nmatch: {to: {prefix: \"+331\"}}\nroute: [[{to: a}]]")}},
			func(s string) string {
				return strings.Replace(s, "# the end", "\n  # New.\n  - id: paris\n    match: {to: {prefix: \"+331\"}}\n    route: [[{to: a}]]\n# the end", 1)
			},
		},
		"add before": {
			[]ruleedit.Edit{{Op: ruleedit.Add, Before: "berlin", Rule: []byte("{id: paris, match: {to: {prefix: \"+331\"}}, route: [[{to: a}]]}")}},
			func(s string) string {
				return strings.Replace(s, "  # By contract.", "  - {id: paris, match: {to: {prefix: \"+331\"}}, route: [[{to: a}]]}\n\n  # By contract.", 1)
			},
		},
		"remove, and the headings stay": {
			[]ruleedit.Edit{{Op: ruleedit.Remove, ID: "london"}},
			func(s string) string {
				at, end := strings.Index(s, "  # Two carriers"), strings.Index(s, "  # --- Home")
				return s[:at] + s[end:]
			},
		},
		"remove the last": {
			[]ruleedit.Edit{{Op: ruleedit.Remove, ID: "rest"}},
			func(s string) string {
				return strings.Replace(s, "\n  - id: rest\n    default: true\n    route: [[{to: a}]]\n", "", 1)
			},
		},
		"move to the front": {
			[]ruleedit.Edit{{Op: ruleedit.Move, ID: "berlin", Before: "london"}},
			func(s string) string {
				const berlin = "  # By contract.\n  - {id: berlin, match: {to: {prefix: \"+4930\"}}, route: [[{to: b}]]}\n\n"
				s = strings.Replace(s, berlin, "", 1)
				return strings.Replace(s, "  # Two carriers", berlin+"  # Two carriers", 1)
			},
		},
		"the same again": {
			[]ruleedit.Edit{{Op: ruleedit.Put, Rule: []byte("id: rest\ndefault: true\nroute: [[{to: a}]]\n")}},
			func(s string) string { return s },
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, _, err := ruleedit.Apply([]byte(office), test.edits)
			require.NoError(t, err)
			assert.Equal(t, test.want(office), string(got))
			placed, ok, err := ruleedit.ApplyInPlace([]byte(office), test.edits)
			require.NoError(t, err)
			assert.True(t, ok)
			assert.Equal(t, string(got), string(placed), "without a look at the whole")
		})
	}
}

func TestDiffs(t *testing.T) {
	t.Parallel()
	at := func(i int) *int { return &i }
	rule := func(s string) json.RawMessage { return json.RawMessage(s) }
	_, diffs, err := ruleedit.Apply([]byte(office), []ruleedit.Edit{
		{Op: ruleedit.Remove, ID: "berlin"},
		{Op: ruleedit.Add, After: "london", Rule: []byte(`{"id":"paris","match":{"to":{"prefix":["+331"]}},"route":[[{"to":"a"}]]}`)},
		{Op: ruleedit.Move, ID: "rest", Before: "paris"},
		{Op: ruleedit.Put, ID: "rest", Rule: []byte(`default: true` + "\n" + `route: [[{to: a}]]`)},
	})
	require.NoError(t, err)
	assert.Equal(t, []ruleedit.Diff{
		{ID: "berlin", Kind: ruleedit.Removed, From: at(1), Before: rule(`{"id":"berlin","match":{"to":{"prefix":["+4930"]}},"route":[[{"to":"b"}]]}`)},
		{ID: "paris", Kind: ruleedit.Added, To: at(1), After: rule(`{"id":"paris","match":{"to":{"prefix":["+331"]}},"route":[[{"to":"a"}]]}`)},
		{ID: "rest", Kind: ruleedit.Moved, From: at(2), To: at(1)},
	}, diffs, "what is put as it stands is no change")
}

func TestEditsThatAreRefused(t *testing.T) {
	t.Parallel()
	const one = "destinations: {a: {uri: \"sip:a.example.com\"}}\nrules:\n- {id: all, default: true, route: [[{to: a}]]}\n"
	for name, test := range map[string]struct {
		text string
		edit ruleedit.Edit
		code callmodel.Code
		says string
	}{
		"no such rule":        {office, ruleedit.Edit{Op: ruleedit.Remove, ID: "paris"}, callmodel.CodeNotFound, `no rule "paris"`},
		"no such neighbour":   {office, ruleedit.Edit{Op: ruleedit.Move, ID: "rest", Before: "paris"}, callmodel.CodeNotFound, `no rule "paris"`},
		"there already":       {office, ruleedit.Edit{Op: ruleedit.Add, Rule: []byte("{id: rest, default: true}")}, callmodel.CodeConflict, `a rule "rest"`},
		"not a rule":          {office, ruleedit.Edit{Op: ruleedit.Put, Rule: []byte("{id: rest, defaults: true}")}, callmodel.CodeInvalid, "edits[0].rule.defaults"},
		"not YAML":            {office, ruleedit.Edit{Op: ruleedit.Put, Rule: []byte("{id: rest")}, callmodel.CodeMalformed, "edits[0].rule"},
		"another id":          {office, ruleedit.Edit{Op: ruleedit.Put, ID: "rest", Rule: []byte("{id: all}")}, callmodel.CodeInvalid, "another id"},
		"no id":               {office, ruleedit.Edit{Op: ruleedit.Put, Rule: []byte("{default: true}")}, callmodel.CodeInvalid, "edits[0].rule.id"},
		"unknown destination": {office, ruleedit.Edit{Op: ruleedit.Put, Rule: []byte("{id: rest, default: true, route: [[{to: c}]]}")}, callmodel.CodeInvalid, `"c"`},
		"the only rule":       {one, ruleedit.Edit{Op: ruleedit.Remove, ID: "all"}, callmodel.CodeInvalid, "at least one rule"},
		"two neighbours":      {office, ruleedit.Edit{Op: ruleedit.Move, ID: "rest", Before: "london", After: "berlin"}, callmodel.CodeInvalid, "next to one"},
		"no neighbour":        {office, ruleedit.Edit{Op: ruleedit.Move, ID: "rest"}, callmodel.CodeInvalid, "edits[0].before"},
		"no op":               {office, ruleedit.Edit{ID: "rest"}, callmodel.CodeInvalid, "edits[0].op"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, _, err := ruleedit.Apply([]byte(test.text), []ruleedit.Edit{test.edit})
			require.Error(t, err)
			assert.Equal(t, test.code, callmodel.CodeOf(err), "%v", err)
			assert.ErrorContains(t, err, test.says)
		})
	}
	_, _, err := ruleedit.Apply([]byte(office), nil)
	assert.Equal(t, callmodel.CodeInvalid, callmodel.CodeOf(err))
}

// TestOddLayouts: texts in which rules don't stand on lines of their own are edited, too,
// and lines that only look like rules aren't taken for any.
func TestOddLayouts(t *testing.T) {
	t.Parallel()
	const head = "destinations: {a: {uri: \"sip:a.example.com\"}} # one\n"
	for name, text := range map[string]string{
		"flow":         head + "rules: [{id: x, match: {to: {prefix: '+1'}}, route: [[{to: a}]]},\n {id: y, default: true, route: [[{to: a}]]}]\n",
		"quoted key":   head + "\"rules\":\n- {id: x, match: {to: {prefix: '+1'}}, route: [[{to: a}]]}\n- {id: y, default: true, route: [[{to: a}]]}\n",
		"document":     "---\n" + head + "rules:\n- {id: x, match: {to: {prefix: '+1'}}, route: [[{to: a}]]}\n- {id: y, default: true, route: [[{to: a}]]}\n",
		"quoted lines": head + "rules:\n- {id: x, match: {to: {prefix: '+1'}}, route: [[{to: a}]], description: 'one\n\n- id: y\n\n  two'}\n- {id: y, default: true, route: [[{to: a}]]}\n",
		"id behind":    head + "rules:\n- route: [[{to: a}]]\n  match: {to: {prefix: '+1'}}\n  id: x\n-   \n    default: true\n    'id': \"y\"\n    route: [[{to: a}]]\n",
		"no line end":  head + "rules:\n- {id: x, match: {to: {prefix: '+1'}}, route: [[{to: a}]]}\n- {id: y, default: true, route: [[{to: a}]]}",
		"line ends":    strings.ReplaceAll(head+"rules:\n- {id: x, match: {to: {prefix: '+1'}}, route: [[{to: a}]]}\n- {id: y, default: true, route: [[{to: a}]]}\n", "\n", "\r\n"),
		"JSON":         `{"rules":[{"id":"x","match":{"to":{"prefix":"+1"}},"route":[[{"to":"a"}]]},{"id":"y","default":true,"route":[[{"to":"a"}]]}],"destinations":{"a":{"uri":"sip:a.example.com"}}}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			before, err := routing.Parse([]byte(text))
			require.NoError(t, err)
			got, _, err := ruleedit.Apply([]byte(text), []ruleedit.Edit{
				{Op: ruleedit.Add, Before: "y", Rule: []byte("id: z\nmatch: {to: {prefix: '+49'}}\nroute: [[{to: a}]]\n")},
				{Op: ruleedit.Move, ID: "x", After: "y"},
			})
			require.NoError(t, err)
			after, err := routing.Parse(got)
			require.NoError(t, err, "%s", got)
			ids := func(rs *routing.RuleSet) (list []string) {
				for i := range rs.Rules {
					list = append(list, rs.Rules[i].ID)
				}
				return list
			}
			assert.Equal(t, []string{"x", "y"}, ids(before))
			assert.Equal(t, []string{"z", "y", "x"}, ids(after))
			assert.Equal(t, before.Rules[0], after.Rules[2])
			assert.Equal(t, strings.Count(text, "#"), strings.Count(string(got), "#"), "the comment stays")
			found, err := ruleedit.Find([]byte(text), "y")
			require.NoError(t, err)
			assert.Equal(t, 1, found.Index)
			read, err := routing.ParseRule(found.Text)
			require.NoError(t, err, "%s", found.Text)
			assert.Equal(t, before.Rules[1], *read)
		})
	}
}

// TestPlacesAgreeWithTheSet: edits by the places of rules in a text give the set that the
// same edits give of the list of rules, in every layout.
func TestPlacesAgreeWithTheSet(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		n := func(most int) int { return rapid.IntRange(0, most-1).Draw(t, "n") }
		var rules []string
		for i := range 1 + n(6) {
			rules = append(rules, rule(n, fmt.Sprintf("r%d", i)))
		}
		text := layOut(n, rules)
		before, err := routing.Parse([]byte(text))
		require.NoError(t, err, "%s", text)
		want := slices.Clone(before.Rules)
		find := func(id string) int { return slices.IndexFunc(want, func(r routing.Rule) bool { return r.ID == id }) }
		var edits []ruleedit.Edit
		for i := range 1 + n(4) {
			at := n(len(want))
			switch n(4) {
			case 0:
				id := fmt.Sprintf("new%d", i)
				r := rule(n, id)
				parsed, err := routing.ParseRule([]byte(r))
				require.NoError(t, err)
				edits = append(edits, ruleedit.Edit{Op: ruleedit.Add, Rule: []byte(r), Before: want[at].ID})
				want = slices.Insert(want, at, *parsed)
			case 1:
				r := rule(n, want[at].ID)
				parsed, err := routing.ParseRule([]byte(r))
				require.NoError(t, err)
				edits = append(edits, ruleedit.Edit{Op: ruleedit.Put, Rule: []byte(r)})
				want[at] = *parsed
			case 2:
				if len(want) > 1 {
					edits = append(edits, ruleedit.Edit{Op: ruleedit.Remove, ID: want[at].ID})
					want = slices.Delete(want, at, at+1)
				}
			default:
				if beside := want[n(len(want))].ID; beside != want[at].ID {
					moved := want[at]
					edits = append(edits, ruleedit.Edit{Op: ruleedit.Move, ID: moved.ID, After: beside})
					want = slices.Delete(want, at, at+1)
					want = slices.Insert(want, find(beside)+1, moved)
				}
			}
		}
		if len(edits) == 0 {
			return
		}
		got, ok, err := ruleedit.ApplyInPlace([]byte(text), slices.Clone(edits))
		require.NoError(t, err, "%s", text)
		require.True(t, ok, "%s", text)
		after, err := routing.Parse(got)
		require.NoError(t, err, "%s\n---\n%s", text, got)
		before.Rules = want
		assert.Equal(t, before.Hash(), after.Hash(), "%s\n---\n%s", text, got)
		assert.Equal(t, strings.Count(text, "# keep"), bytes.Count(got, []byte("# keep")), "%s\n---\n%s", text, got)
		again, _, err := ruleedit.Apply([]byte(text), edits)
		require.NoError(t, err)
		assert.Equal(t, string(got), string(again))
	})
}

// rule is a rule in one of the ways in which rules are written. Its prefix is its own.
func rule(n func(int) int, id string) string {
	prefix := "+1" + strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return '9'
		}
		return r
	}, id) + fmt.Sprint(n(1000)+1000)
	switch n(5) {
	case 0:
		return fmt.Sprintf(`{"id":%q,"match":{"to":{"prefix":[%q]}},"route":[[{"to":"a"}]]}`, id, prefix)
	case 1:
		return fmt.Sprintf("id: %s\nmatch:\n  to: {prefix: %q}\nroute:\n- - to: a\n    weight: %d", id, prefix, 1+n(5))
	case 2:
		return fmt.Sprintf("# above %s\nid: '%s' # its id\ndescription: |\n  # no comment\n\n  - id: x\nmatch: {to: {prefix: %q}}\nroute: [[{to: a}]]", id, id, prefix)
	case 3:
		return fmt.Sprintf("route: [[{to: b}]]\nmatch: {to: {prefix: %q}}\nid: \"%s\"", prefix, id)
	default:
		return fmt.Sprintf("{id: %s, match: {to: {prefix: %q}},\n  route: [[{to: b}, {to: a}]]}", id, prefix)
	}
}

// layOut writes rules as a set in one of the layouts.
func layOut(n func(int) int, rules []string) string {
	const destinations = `{"a":{"uri":"sip:a.example.com"},"b":{"uri":"sip:b.example.com"}}`
	asJSON := func() []string {
		var list []string
		for _, r := range rules {
			parsed, err := routing.ParseRule([]byte(r))
			if err != nil {
				return nil
			}
			b, err := json.Marshal(parsed)
			if err != nil {
				return nil
			}
			list = append(list, string(b))
		}
		return list
	}
	switch n(5) {
	case 0:
		return `{"rules": [` + strings.Join(asJSON(), ", ") + `], "destinations":` + destinations + "}"
	case 1:
		var out bytes.Buffer
		_ = json.Indent(&out, []byte(`{"destinations":`+destinations+`,"rules":[`+strings.Join(asJSON(), ",")+"]}"), "", "    ")
		return out.String()
	case 2:
		return `{"destinations":` + destinations + "}\n" + strings.Join(asJSON(), "\n") + "\n"
	default:
		margin := strings.Repeat(" ", n(3))
		var b strings.Builder
		b.WriteString("# keep\ndestinations: " + destinations + "\nrules: # keep\n")
		for i, r := range rules {
			if n(3) == 0 {
				b.WriteString("\n" + margin + "# keep " + fmt.Sprint(i) + "\n\n")
			}
			first := true
			for line := range strings.Lines(r) {
				switch {
				case strings.HasPrefix(line, "# above"):
					b.WriteString(margin + line)
				case first:
					b.WriteString(margin + "- " + line)
					first = false
				case strings.TrimSpace(line) == "":
					b.WriteString("\n")
				default:
					b.WriteString(margin + "  " + line)
				}
			}
			b.WriteString("\n" + strings.Repeat("\n", n(2)))
		}
		return b.String() + "# keep\n" + []string{"", "order: prefix-first\n"}[n(2)]
	}
}
