package routing

import (
	"math"
	"math/bits"
	"slices"
)

// prefixes is a set of prefixes. It finds the longest that a number begins with,
// and from there every shorter one.
//
//	number ── key ──▶ levels ──▶ a key in the ordered list = a node
//	                                              └─ link ─▶ parent ─▶ …
//
// All stand in one ordered list of keys. So a number's longest prefix in the
// list is the last key that isn't behind the number's own, or one of those that
// this key begins with: they are linked from each. Which of them it is can be
// told from the key and its link alone, without a look at the others.
//
// A search's time is that of the memory it waits for, so the list is searched
// as a static B-tree: the first key of every 16 stands in a list of its own,
// and of that again, until 16 are left. The upper levels of a million prefixes
// fit a processor's own cache; one block of the lowest is read from afar.
type prefixes struct {
	// keys are the levels, the lowest first, each filled up to whole blocks
	// with endKey. The lowest begins with those of the first few nodes, 0.
	keys   []uint64
	levels []uint32 // where each level but the lowest begins in keys, the highest first
	links  []link   // a node each
}

// link leads from a node to those of the shorter prefixes of its own.
type link struct {
	parent uint32 // that of the longest
	above  uint16 // a bit for each prefix with a key: the number of its symbols
}

// Nodes that every set has.
const (
	rootNode      = iota // every callee, ""
	plusNode             // every international number, "+"
	emergencyNode        // every emergency call
	firstNode            // of those with a key
)

const (
	block  = 16 // keys: two cache lines, which are fetched together
	endKey = math.MaxUint64
)

// newPrefixes makes a set of keys in order, behind a 0 for each of the first
// few nodes. It fills them up, which takes no copy if they have room.
func newPrefixes(keys []uint64) prefixes {
	x := prefixes{keys: keys, links: make([]link, len(keys))}
	x.link()
	x.pile()
	return x
}

// length is how many bytes the node's number has.
func (x *prefixes) length(node uint32) int {
	switch node {
	case rootNode, emergencyNode:
		return 0
	case plusNode:
		return 1
	}
	key := x.keys[node]
	n := int(key & keySymbols)
	if key>>60 == national {
		return n - 1
	}
	return n + 1
}

func (x *prefixes) text(node uint32) string {
	switch node {
	case rootNode, emergencyNode:
		return ""
	case plusNode:
		return "+"
	}
	return prefixText(x.keys[node])
}

// longest is the node of the longest prefix of the number whose key it is, at
// least the root, or with a plus its node.
func (x *prefixes) longest(key uint64, plus bool) uint32 {
	at := x.before(key)
	have := x.keys[at]
	alike := symbolsAlike(have, key)
	if at >= firstNode && alike >= int(have&keySymbols) {
		return at
	}
	above := x.links[at].above
	if above&upTo(alike) == 0 {
		return first(plus)
	}
	for range bits.OnesCount16(above&^upTo(alike)) + 1 {
		at = x.links[at].parent
	}
	return at
}

// longestSymbols is how many symbols the longest prefix has, 0 if it is one of
// the first few nodes.
func (x *prefixes) longestSymbols(key uint64) int {
	at := x.before(key)
	have := x.keys[at]
	alike := symbolsAlike(have, key)
	if n := int(have & keySymbols); alike >= n {
		return n
	}
	return max(bits.Len16(x.links[at].above&upTo(alike))-1, 0)
}

// upTo has the bits of so many symbols and fewer.
func upTo(symbols int) uint16 { return uint16(2)<<symbols - 1 }

func first(plus bool) uint32 {
	if plus {
		return plusNode
	}
	return rootNode
}

// before is the last node whose key isn't behind key, or one of the first few.
func (x *prefixes) before(key uint64) uint32 {
	at := uint32(0)
	for _, level := range x.levels {
		at = at*block + within(x.keys[level+at*block:], key)
	}
	return at*block + within(x.keys[at*block:], key)
}

// within is the last of a block's keys that isn't behind key; the first never
// is. It counts those that are, all of them and without a branch: which way a
// search by halves would turn can't be foreseen, and turning wrongly takes
// longer than fifteen comparisons.
func within(keys []uint64, key uint64) uint32 {
	b := (*[block]uint64)(keys)
	return uint32(block - 1 - (behind(key, b[1]) + behind(key, b[2]) + behind(key, b[3]) + behind(key, b[4]) + behind(key, b[5]) +
		behind(key, b[6]) + behind(key, b[7]) + behind(key, b[8]) + behind(key, b[9]) + behind(key, b[10]) +
		behind(key, b[11]) + behind(key, b[12]) + behind(key, b[13]) + behind(key, b[14]) + behind(key, b[15])))
}

// behind is 1 if the other key is, else 0.
func behind(key, other uint64) uint64 {
	_, borrow := bits.Sub64(key, other, 0)
	return borrow
}

// link gives every node its parent. The keys are in order.
func (x *prefixes) link() {
	var open [keySymbols + 1]uint32 // the prefixes that the last one begins with, and it
	n := 0
	for i := firstNode; i < len(x.links); i++ {
		key := x.keys[i]
		for n > 0 && !covers(x.keys[open[n-1]], key) {
			n--
		}
		x.links[i].parent = first(key>>60 != national)
		if n > 0 {
			up := open[n-1]
			x.links[i] = link{up, x.links[up].above | 1<<(x.keys[up]&keySymbols)}
		}
		open[n] = uint32(i)
		n++
	}
}

// pile puts the levels above the lowest, which is all there is in keys.
func (x *prefixes) pile() {
	from := 0
	for {
		for len(x.keys)%block != 0 {
			x.keys = append(x.keys, endKey)
		}
		to := len(x.keys)
		if to-from <= block {
			break
		}
		x.levels = append(x.levels, uint32(to))
		for i := from; i < to; i += block {
			x.keys = append(x.keys, x.keys[i])
		}
		from = to
	}
	slices.Reverse(x.levels)
}

// levelKeys is how many keys the levels over n nodes have together.
func levelKeys(n int) int {
	all := 0
	for {
		n = (n + block - 1) / block
		all += n * block
		if n == 1 {
			return all
		}
	}
}
