package prefix

import (
	"math"
	"math/bits"
	"slices"
)

// Index finds the longest of its prefixes that a number begins with, and from
// there every shorter one. Each prefix is a node, numbered in the order of keys.
//
//	number ── KeyOf ──▶ levels ──▶ a key in the ordered list = a node
//	                                              └─ link ─▶ parent ─▶ …
//
// All keys stand in one ordered list. The longest prefix of a number is the last
// key that is not behind the number's own key, or a prefix of that key, to which
// the key is linked. The key and its link alone tell which of them it is.
//
// A search takes as long as it waits for memory, so the list is searched as a
// static B-tree: the first key of every 16 stands in a list of its own, and so on
// until 16 keys are left. The upper levels of a million prefixes fit into a
// processor's own cache, so that one block of the lowest level is read from afar.
type Index struct {
	// keys holds the levels, the lowest first, each filled up to whole blocks
	// with endKey. The lowest begins with a 0 for each node below FirstNode.
	keys   []uint64
	levels []uint32 // where each level but the lowest begins in keys, the highest first
	links  []link   // one for each node
	nodes  int
}

// link leads from a node to the nodes of its shorter prefixes.
type link struct {
	parent uint32 // the node of the longest one
	above  uint16 // has bit n set if a prefix of n symbols has a key
}

// Nodes that every index has.
const (
	Root      = iota // every callee, ""
	Plus             // every international number, "+"
	Emergency        // every emergency call
	FirstNode        // the first node with a key
)

const (
	block  = 16 // keys: two cache lines, which are fetched together
	endKey = math.MaxUint64
)

// New makes an index with room for so many nodes, those below [FirstNode]
// included. Every other node gets its key by [Index.Set] before [Index.Build].
func New(nodes int) Index {
	return Index{keys: make([]uint64, nodes, levelKeys(nodes)), nodes: nodes}
}

// Set gives a node its key. Keys ascend with the nodes.
func (x *Index) Set(node uint32, key uint64) { x.keys[node] = key }

// Build links the nodes and makes the index ready for searches.
func (x *Index) Build() {
	x.links = make([]link, x.nodes)
	x.linkParents()
	x.addLevels()
}

// Nodes returns how many nodes the index has.
func (x *Index) Nodes() int { return x.nodes }

// Parent returns the node of the next shorter prefix, [Root] at the end.
func (x *Index) Parent(node uint32) uint32 { return x.links[node].parent }

// Bytes returns the memory that the index holds.
func (x *Index) Bytes() int { return cap(x.keys)*8 + cap(x.links)*8 }

// Len returns how many bytes the text of the node's prefix has.
func (x *Index) Len(node uint32) int {
	switch node {
	case Root, Emergency:
		return 0
	case Plus:
		return 1
	}
	key := x.keys[node]
	n := int(key & keySymbols)
	if key>>60 == national {
		return n - 1
	}
	return n + 1
}

// Text returns the node's prefix: "+4930", "611", "" for [Root] and [Emergency].
func (x *Index) Text(node uint32) string {
	switch node {
	case Root, Emergency:
		return ""
	case Plus:
		return "+"
	}
	return keyText(x.keys[node])
}

// Longest returns the node of the longest prefix that the number begins with, by
// what [KeyOf] says of it. [Root] and, for a number with a plus, [Plus] always match.
func (x *Index) Longest(key uint64, plus bool) uint32 {
	at := x.before(key)
	have := x.keys[at]
	alike := sharedSymbols(have, key)
	if at >= FirstNode && alike >= int(have&keySymbols) {
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

// LongestLen returns how many bytes of the number its longest prefix with a key
// takes, 0 if there is none.
func (x *Index) LongestLen(key uint64, plus bool) int {
	switch n := x.longestSymbols(key); {
	case n == 0:
		return 0
	case plus:
		return n + 1
	default:
		return n - 1
	}
}

// longestSymbols returns how many symbols the longest prefix with a key has, 0
// if there is none.
func (x *Index) longestSymbols(key uint64) int {
	at := x.before(key)
	have := x.keys[at]
	alike := sharedSymbols(have, key)
	if n := int(have & keySymbols); alike >= n {
		return n
	}
	return max(bits.Len16(x.links[at].above&upTo(alike))-1, 0)
}

// upTo returns the bits of 0 to that many symbols.
func upTo(symbols int) uint16 { return uint16(2)<<symbols - 1 }

func first(plus bool) uint32 {
	if plus {
		return Plus
	}
	return Root
}

// before returns the last node whose key is not behind key; it may be one below
// FirstNode.
func (x *Index) before(key uint64) uint32 {
	at := uint32(0)
	for _, level := range x.levels {
		at = at*block + within(x.keys[level+at*block:], key)
	}
	return at*block + within(x.keys[at*block:], key)
}

// within returns the place of the last key of a block that is not behind key; the
// first never is. It counts the keys that are, all of them and without a branch:
// the processor can't foresee which way a search by halves turns, and a wrong
// guess takes longer than fifteen comparisons.
func within(keys []uint64, key uint64) uint32 {
	b := (*[block]uint64)(keys)
	return uint32(block - 1 - (behind(key, b[1]) + behind(key, b[2]) + behind(key, b[3]) + behind(key, b[4]) + behind(key, b[5]) +
		behind(key, b[6]) + behind(key, b[7]) + behind(key, b[8]) + behind(key, b[9]) + behind(key, b[10]) +
		behind(key, b[11]) + behind(key, b[12]) + behind(key, b[13]) + behind(key, b[14]) + behind(key, b[15])))
}

// behind returns 1 if other is behind key, else 0.
func behind(key, other uint64) uint64 {
	_, borrow := bits.Sub64(key, other, 0)
	return borrow
}

// linkParents gives every node its parent. The keys are in order.
func (x *Index) linkParents() {
	var open [keySymbols + 1]uint32 // the last node and its shorter prefixes, the shortest first
	n := 0
	for i := FirstNode; i < len(x.links); i++ {
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

// addLevels puts the upper levels behind the lowest, which is all that keys holds.
func (x *Index) addLevels() {
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

// levelKeys returns how many keys all levels over n nodes have together.
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
