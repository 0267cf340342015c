package rulefile_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/routing/internal/rulefile"
)

// file has what rule files have: lists and mappings of lists, texts and numbers.
type file struct {
	Name  string            `json:"name,omitempty"`
	Lists map[string][]text `json:"lists,omitempty"`
	Dests map[string]dest   `json:"dests,omitempty"`
	Rules []rule            `json:"rules,omitempty"`
}

type text = string

type dest struct {
	URI   string `json:"uri,omitempty" required:"give an address"`
	Limit int    `json:"limit,omitempty" unsaid:"give 1 or more"`
}

type rule struct {
	ID    string            `json:"id,omitempty"`
	To    []text            `json:"to,omitempty"`
	Meta  map[string]string `json:"meta,omitempty"`
	Note  string            `json:"note,omitempty"`
	First bool              `json:"first,omitempty"`
}

func none(any, *yaml.Node) any { return nil }

// read decodes in parts of so many bytes.
func read(data string, size int) (v file, lines *rulefile.Lines, err error) {
	lines, err = rulefile.DecodeInParts([]byte(data), &v, none, size)
	return v, lines, err
}

const wholeFile = 1 << 20

// layouts are files that mean something, laid out in many ways.
var layouts = []string{
	"0:\n 0\n\t",             // a tab where a line is indented
	"#X\x80b 0\n0:\n-",       // no UTF-8, in a comment
	"# \x01\n0:\n- 1\n- 2\n", // a character that YAML doesn't allow
	"name: a\nrules:\n- id: r1\n  to: [a, b]\n- id: r2\n  to: a\n- id: r3\n",
	"---\n# head\nname: a\n\nrules:   # many\n\n  # one\n  - id: r1\n    note: |\n      - id: not a rule\n      x: y\n\n      # text\n  -\n    id: r2\n  # two\n  - {id: r3, to: [\"+1\", '+2']}\n",
	"dests:\n  a:\n    uri: x\n  b: {uri: y,\n    limit: 3}\n  \"c d\": {uri: z}\nlists:\n  l1:\n  - a\n  - b\n  l2: [c]\n  l3:\n    - d\nrules: []\n",
	"rules:\r\n- id: r1\r\n  note: \"two\r\n\r\n    lines\"\r\n- id: r2\r\nname: x\r\n",
	"dests: {\n  a: {uri: x},\n  b: {uri: y}\n}\nrules: [\n{id: r1},\n{id: r2}\n]\n",
	"name: \"a\nrules:\n- b\"\nrules:\n- id: r1\n- id: \"r\n- 2\"\n",
	"  name: a\n  rules:\n  - id: r1\n  - id: r2\n",
	"\xef\xbb\xbfname: a\nrules:\n- id: r1\n",
	"rules:\n- id: r1\n  meta:\n    rules: x\n    - y: z\n- id: r2\n", // broken
	"? name\n: a\nrules:\n- id: r1\n",
	"'rules':\n- id: r1\n- id: r2\n'name': b\n",
	"rules: &all\n- id: r1\n- id: r2\n",
	"name: a\n...\n---\nname: b\n",
	"- id: r1\n- id: r2\n",
	"rules:\n  - id: r1\n - id: r2\n",
	"rules:\n- - id: r1\n- id: r2\n",
	"rules:\n- id: r1\n\tto: x\n- id: r2\n",
	"rules:\n- id: r1\nrules:\n- id: r2\nname: \nnonsense: x\ndests: {a: {limit: 0}, a: {uri: y}}\n",
	`{"name":"a","lists":{"l":["a","b","c"],"m":[]},"rules":[{"id":"r1"},{"id":"r2","to":["x","y"]},` + "\n" + `{"id":"r3","note":"a\"]}"}]}`,
	"{\"rules\":[\n\t{\"id\":\"r1\"}\n\t,\n{\"id\":\"r2\",\"meta\":{\"a\":\"b\"}}],\n\"dests\":{\"a\":{\"uri\":\"x\"},\n\"b\":{\"limit\":0}}}\n",
	`{"rules":[{"id":"r1"},]}`, `{"rules":[{"id":"r1"}}`, `{"rules":[{"id":"r1"} {"id":"r2"}]}`, `{"rules":{"id":"r1"},"rules":[]}`,
	`{"name":null,"rules":[null,1,{"id":2},{"idd":"x"}]}`, `{"name":"a" "rules":[]}`, `{}`, `{"rules":[]}`, `{"rules":[1,2,3`, `{"ru\u006ces":[{"id":"x"},{"id":"y"}]}`,
	"{\"name\":\"a\"}\n{\"id\":\"r1\"}\n\n{\"id\":\"r2\",\n\"to\":\"x\"}\n", "{\"rules\":[]}\n{\"id\":\"r1\"}\n", "{\"name\":\"a\"}\n{\"id\":1}\n{\"x\":2}\n",
	"{\"name\":\"a\"}\n[1]\n", "{\"name\":\"a\"} x", "{\"name\":\"a\"}\n{\"id\":\"r1\"}\n{\"id\":",
	"dests:\n\n # one\n b: {uri: x}\n c: {}\n",
	"dests:\n  \"\": {limit: 0}\n", `{"dests":{"":{"limit":0}}}`,
	strings.Repeat("k", 1030) + ":\n- - id: r1\n", // no key for YAML
	"", "# nothing\n", "name\n", "name: [\n",
}

// TestPartsMeanTheWhole: in parts of a few bytes a file means what it means as one,
// with the same faults on the same lines.
func TestPartsMeanTheWhole(t *testing.T) {
	t.Parallel()
	for _, data := range layouts {
		for _, size := range []int{1, 20, 60} {
			samePartsAsWhole(t, data, size)
		}
	}
}

func samePartsAsWhole(t *testing.T, data string, size int) {
	t.Helper()
	whole, wholeLines, wholeErr := read(data, wholeFile)
	parts, partLines, err := read(data, size)
	if wholeErr != nil && !errors.As(wholeErr, new(callmodel.FieldErrors)) {
		require.EqualError(t, err, wholeErr.Error(), "in parts of %d:\n%s", size, data)
		return
	}
	if wholeErr == nil {
		require.NoError(t, err, "in parts of %d:\n%s", size, data)
	} else {
		require.EqualError(t, err, wholeErr.Error(), "in parts of %d:\n%s", size, data)
		return
	}
	require.Equal(t, whole, parts, "in parts of %d:\n%s", size, data)
	for _, path := range pathsOf(t, &whole) {
		assert.Equal(t, wholeLines.Of(path), partLines.Of(path), "%s in parts of %d:\n%s", path, size, data)
	}
}

// pathsOf lists the paths of what the file has.
func pathsOf(t *testing.T, v *file) []string {
	t.Helper()
	text, err := json.Marshal(v)
	require.NoError(t, err)
	var tree any
	require.NoError(t, json.Unmarshal(text, &tree))
	var out []string
	var walk func(path string, v any)
	walk = func(path string, v any) {
		out = append(out, path)
		switch v := v.(type) {
		case map[string]any:
			for k, e := range v {
				walk(strings.TrimPrefix(path+"."+k, "."), e)
			}
		case []any:
			for i, e := range v {
				walk(fmt.Sprintf("%s[%d]", path, i), e)
			}
		}
	}
	walk("", tree)
	return out[1:]
}

func FuzzPartsMeanTheWhole(f *testing.F) {
	for _, data := range layouts {
		f.Add(data, 1)
		f.Add(data, 40)
	}
	f.Fuzz(func(t *testing.T, data string, size int) {
		samePartsAsWhole(t, data[:min(len(data), 4096)], max(size, 1)%256)
	})
}

// TestLongFilesAreReadInParts: what is held beside the result doesn't grow with the
// file, in each of the three formats, and faults in the middle have their lines.
func TestLongFilesAreReadInParts(t *testing.T) {
	t.Parallel()
	const rules = 20_000
	var y, j, l strings.Builder
	y.WriteString("name: long\nrules:\n")
	j.WriteString("{\"name\":\"long\",\"rules\":[\n")
	l.WriteString("{\"name\":\"long\"}\n")
	for i := range rules {
		id := fmt.Sprintf("%q", fmt.Sprintf("r%d", i))
		if i == rules/2 {
			id = "[]"
		}
		fmt.Fprintf(&y, "- id: %s\n  to: [a, b]\n", id)
		fmt.Fprintf(&j, "{\"id\":%s,\"to\":[\"a\",\"b\"]}%s\n", id, strings.Repeat(",", min(1, rules-1-i)))
		fmt.Fprintf(&l, "{\"id\":%s,\"to\":[\"a\",\"b\"]}\n", id)
	}
	j.WriteString("]}\n")
	for _, c := range []struct {
		data     string
		line, to int
	}{{y.String(), 3 + rules, 4 + rules}, {j.String(), 2 + rules/2, 2 + rules/2}, {l.String(), 2 + rules/2, 2 + rules/2}} {
		var v file
		lines, faults, err := rulefile.Decode([]byte(c.data), &v, none)
		require.NoError(t, err)
		require.Greater(t, lines.Parts(), 4)
		require.Len(t, faults, 1)
		assert.Equal(t, c.line, faults[0].Line)
		assert.Equal(t, fmt.Sprintf("rules[%d].id", rules/2), faults[0].Path)
		require.Len(t, v.Rules, rules)
		assert.Equal(t, c.to, lines.Of(fmt.Sprintf("rules[%d].to", rules/2)))
	}
}
