package routing

import (
	"cmp"
	"fmt"
	"math"
	"math/bits"
	"slices"
	"strings"
)

// trie finds, for a number, every prefix of it that has rules. It is a tree
// over the symbols '+' and 0-9 with the children of a node side by side, so a
// node is a bit for each child it has, the place of the first, and its span of
// rules: 12 bytes and at most one cache line a digit.
//
// Prefixes are keyed by their exact symbols: "1" and "1000" differ by length,
// never by padding.
type trie struct {
	nodes []trieNode
	// rules holds the rule indexes of all nodes; a node's are
	// rules[first:first+count], in rank order.
	rules []uint32
}

type trieNode struct {
	children uint16 // bit s: there is a child for symbol s
	count    uint16 // rules here; overflow is guarded by maxRulesPerPrefix
	base     uint32 // index of the first child
	first    uint32 // index in rules of the first rule
}

// maxRulesPerPrefix is how many rules may share one callee prefix.
const maxRulesPerPrefix = math.MaxUint16

const plusSymbol = 10

// symbol is the branch that c takes, or -1.
func symbol(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c == '+':
		return plusSymbol
	}
	return -1
}

// entry is a prefix and a rule that has it.
type entry struct {
	prefix string
	rule   uint32
}

// newTrie builds the tree of the entries; rank orders the rules of one prefix.
func newTrie(entries []entry, rank func(a, b uint32) int) (*trie, error) {
	slices.SortFunc(entries, func(a, b entry) int {
		if c := strings.Compare(a.prefix, b.prefix); c != 0 {
			return c
		}
		return rank(a.rule, b.rule)
	})
	t := &trie{nodes: make([]trieNode, 1, len(entries)+1), rules: make([]uint32, 0, len(entries))}
	// Breadth first: a level's nodes are laid out while their parents, in
	// order, are given their spans of the sorted entries.
	type span struct{ node, from, to, depth int }
	queue := []span{{0, 0, len(entries), 0}}
	for len(queue) > 0 {
		s := queue[0]
		queue = queue[1:]
		i := s.from
		t.nodes[s.node].first = uint32(len(t.rules))
		for ; i < s.to && len(entries[i].prefix) == s.depth; i++ {
			t.rules = append(t.rules, entries[i].rule)
		}
		if i-s.from > maxRulesPerPrefix {
			return nil, fmt.Errorf("%d rules are for calls to %q, at most %d may share a callee; tell them apart by a longer prefix",
				i-s.from, entries[s.from].prefix, maxRulesPerPrefix)
		}
		t.nodes[s.node].count = uint16(i - s.from)
		t.nodes[s.node].base = uint32(len(t.nodes))
		children := make([]span, 0, 11)
		for i < s.to {
			c := entries[i].prefix[s.depth]
			j := i
			for j < s.to && entries[j].prefix[s.depth] == c {
				j++
			}
			t.nodes[s.node].children |= 1 << symbol(c)
			children = append(children, span{0, i, j, s.depth + 1})
			i = j
		}
		slices.SortFunc(children, func(a, b span) int {
			return cmp.Compare(symbol(entries[a.from].prefix[s.depth]), symbol(entries[b.from].prefix[s.depth]))
		})
		for _, c := range children {
			c.node = len(t.nodes)
			t.nodes = append(t.nodes, trieNode{})
			queue = append(queue, c)
		}
	}
	return t, nil
}

// path fills nodes with the nodes along number that have rules, shortest
// prefix first, and returns how many.
func (t *trie) path(number string, nodes *[maxPrefixSymbols + 1]uint32) int {
	n, at := 0, uint32(0)
	for i := 0; ; i++ {
		node := &t.nodes[at]
		if node.count > 0 {
			nodes[n] = at
			n++
		}
		if i == len(number) || i == maxPrefixSymbols {
			return n
		}
		s := symbol(number[i])
		if s < 0 || node.children>>s&1 == 0 {
			return n
		}
		at = node.base + uint32(bits.OnesCount16(node.children&(1<<s-1)))
	}
}

func (t *trie) at(node uint32) []uint32 {
	n := &t.nodes[node]
	return t.rules[n.first : n.first+uint32(n.count)]
}
