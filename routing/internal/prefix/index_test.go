package prefix_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/switchtape/switchtape/routing/internal/prefix"
)

// build makes an index of the prefixes, none of which is "" or "+".
func build(prefixes []string) prefix.Index {
	keys := make([]uint64, len(prefixes))
	for i, p := range prefixes {
		keys[i] = prefix.Key(p)
	}
	slices.Sort(keys)
	keys = slices.Compact(keys)
	x := prefix.New(prefix.FirstNode + len(keys))
	for i, key := range keys {
		x.Set(uint32(prefix.FirstNode+i), key)
	}
	x.Build()
	return x
}

// chain is the texts of the nodes to which a number leads, the longest first.
func chain(x *prefix.Index, number string) []string {
	var texts []string
	for node := x.Longest(prefix.KeyOf(number)); node != prefix.Root; node = x.Parent(node) {
		texts = append(texts, x.Text(node))
	}
	return texts
}

// TestAgainstScan compares every look-up with a scan through all prefixes.
func TestAgainstScan(t *testing.T) {
	t.Parallel()
	number := rapid.StringMatching(`\+[1-4][0-3]{1,6}|[0-3]{1,6}|[*#][0-3*#]{0,6}`)
	rapid.Check(t, func(t *rapid.T) {
		prefixes := rapid.SliceOfN(number, 0, 300).Draw(t, "prefixes")
		x := build(prefixes)
		dialled := rapid.StringMatching(`\+[1-4][0-3]{0,12}|[0-3]{0,9}|\+|\+0[0-3]*|[0-3]+x[0-3]+|[*#][0-3*#]{0,9}|\+[1-4][0-3]*[*#][0-3]*|sip:1`).Draw(t, "number")
		want := []string{}
		if strings.HasPrefix(dialled, "+") {
			want = append(want, "+")
		}
		longest := 0
		for _, p := range prefixes {
			if strings.HasPrefix(dialled, p) && !slices.Contains(want, p) {
				want = append(want, p)
				longest = max(longest, len(p))
			}
		}
		slices.SortFunc(want, func(a, b string) int { return len(b) - len(a) })
		require.ElementsMatch(t, want, chain(&x, dialled), "%s in %q", dialled, prefixes)
		require.Equal(t, longest, x.LongestLen(prefix.KeyOf(dialled)))
	})
}

func TestNodes(t *testing.T) {
	x := build([]string{"+1212", "611", "+1"})
	assert.Equal(t, prefix.FirstNode+3, x.Nodes())
	for node := range uint32(x.Nodes()) {
		assert.Len(t, x.Text(node), x.Len(node))
	}
	assert.Equal(t, []string{"+1212", "+1", "+"}, chain(&x, "+12125550100"))
	assert.Equal(t, []string{"+"}, chain(&x, "+442079460123"))
	assert.Empty(t, chain(&x, "1212"), "without a plus it is a short code")
	assert.Positive(t, x.Bytes())
	key, plus := prefix.KeyOf("+12125550100")
	assert.Zero(t, testing.AllocsPerRun(100, func() { _ = x.Longest(key, plus) }))
}
