package rulefile_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/switchtape/switchtape/routing/internal/rulefile"
)

// outline is what the decoder reads of a tree.
func outline(n *yaml.Node) string {
	var b strings.Builder
	var walk func(n *yaml.Node)
	walk = func(n *yaml.Node) {
		fmt.Fprintf(&b, "(%d %s %q line %d anchor %q merge %t", n.Kind, n.ShortTag(), n.Value, n.Line, n.Anchor, n.Tag == "!!merge")
		for _, c := range n.Content {
			walk(c)
		}
		b.WriteByte(')')
	}
	walk(n)
	return b.String()
}

// sameTree: what the quick parser takes has the tree that the whole language has.
func sameTree(t *testing.T, data string, quick *yaml.Node, whole func(string) (*yaml.Node, error)) {
	t.Helper()
	if quick == nil {
		return
	}
	n, err := whole(data)
	require.NoError(t, err, data)
	require.Equal(t, outline(n), outline(quick), data)
}

// plainTexts are texts that the quick parsers take.
func plainTexts() (yamls, jsons []string) {
	yamls = []string{
		"name: a b c\n", "a: +1212\nb: 0800\nc: 1_000\nd: true\ne: yes\nf: 12:30\ng: 2026-01-01\nh: 1e3\ni: Null\nj: 0x1f\nk: 0o17\nl: 1.5\n",
		"# one\nrules: # two\n  # three\n- id: r1 # four\n  to: [a, 'b c', \"d\"]\n\n- id: r2\n  match: {to: {prefix: \"+1\", list: []}, tenant: x, when: {weekly: [mon-fri 08:00-18:00]}}\n",
		"rules:\n  -\n    id: r1\n  - - a\n    - b\n  -   x: y\n      z: [[{to: a}], [{to: b}]]\n  - plain text, with [brackets] and so on\n",
		"a:\r\n  b: c\r\n  d:\r\n  - e\r\n", "  a: b\n  c: d", "\"a\": \"b\"\n'c': 'd'\n", "a: sip:x@y.example;transport=tcp\nb: {uri: \"sip:a\", c: {}}\nd: a (b) c!\n",
		"- a\n- b: c\n", "a: +1212*\nb: [+1212*, *21]\n", "a: [x y, z/1, u:v]\n",
	}
	jsons = []string{
		`{"a":"b","c":[1,-2,0,true,false,null],"d":{},"e":[ ]}`, " {\n\"a\" : \"\\u00e9 \\\" \xc3\xa9\",\n\t\"b\":\n[\n{}\n]}\n", `"x"`, "[\"\xff\"]", `{"a":{"a":[[[[[[[[[[[[1]]]]]]]]]]]]}}`,
	}
	return yamls, jsons
}

func TestPlainTextsAreTheWholeLanguage(t *testing.T) {
	t.Parallel()
	yamls, jsons := plainTexts()
	for i, data := range yamls {
		quick := rulefile.PlainYAML(data)
		if i != 9 { // a star alone begins an alias
			require.NotNil(t, quick, data)
		}
		sameTree(t, data, quick, rulefile.WholeYAML)
	}
	for _, data := range jsons {
		quick := rulefile.PlainJSON(data)
		require.NotNil(t, quick, data)
		sameTree(t, data, quick, rulefile.WholeJSON)
	}
}

func FuzzPlainYAML(f *testing.F) {
	yamls, _ := plainTexts()
	for _, data := range append(yamls, layouts...) {
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data string) {
		sameTree(t, data, rulefile.PlainYAML(data), rulefile.WholeYAML)
	})
}

func FuzzPlainJSON(f *testing.F) {
	_, jsons := plainTexts()
	for _, data := range append(jsons, layouts...) {
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data string) {
		sameTree(t, data, rulefile.PlainJSON(data), rulefile.WholeJSON)
	})
}
