package routing

import (
	"strings"
)

// index finds the longest prefix of a number that has rules, and from there
// every shorter one.
//
//	number ── key ──▶ tables ──▶ a few keys in order ──▶ node ──▶ its postings
//	                                                      └─ parent ─▶ node ─▶ …
//
// All prefixes stand in one ordered list, each as a word: a symbol takes four
// bits, the first the highest, 1 to 10 for a digit and 0 for none, and the last
// four bits count the symbols. So a number's longest prefix in the list is the
// last key that isn't behind the number's own, or a parent of that: its own
// shorter prefixes are linked from each. Tables of two symbols narrow the
// search down to at most 14 neighbours.
//
// "1" and "1000" differ by what they hold, never by padding: 0 is no digit.
type index struct {
	nodes []node   // and one more, which ends the last one's postings
	slots []uint32 // of the tables, each of tableSlots
	root  uint32   // slot of all keys
	// postings of a node are in rank order, or in runs behind a header: see groups.go.
	postings []posting
	groups   []groupSlot
}

// node is a prefix that has rules. A decision reads the few that it searches
// among, so what it needs next stands beside the key.
type node struct {
	key    uint64 // 0 for the first few
	parent uint32
	first  uint32 // index of its first posting, with grouped; the next node's is the end
}

// posting is a rule under one callee prefix, for one tenant.
type posting struct {
	rule   uint32 // where its id stands in Router.ids, which tells rules apart
	plan   uint32 // index in Router.plans
	kind   uint32 // index in Router.kinds, with lastOfRun
	tenant uint32 // interned, 0 for all
}

// end is the index behind the node's last posting.
func (x *index) end(n uint32) uint32 { return x.nodes[n+1].first &^ grouped }

// Nodes that every index has.
const (
	rootNode      = iota // every callee, ""
	plusNode             // every international number, "+"
	emergencyNode        // every emergency call
	firstNode            // of those with a key
)

// A slot of a table stands for the keys that start with its symbols: the place
// of the first and, in the low bits, how many there are; or inTable, and the
// number of the table that goes on.
const (
	countBits  = 4
	inTable    = 1<<countBits - 1
	maxLeaf    = inTable - 1
	maxNodes   = 1 << (32 - countBits)
	tableSlots = 11 * 11
	keySymbols = 15
	national   = 1 // the first symbol of numbers without a plus; no country code has it, which is a 0
)

// keyOf is the key of as much of the number as is digits, with the highest count.
func keyOf(number string) (key uint64, plus bool) {
	i, shift := 0, 60
	if number != "" && number[0] == '+' {
		i, plus = 1, true
		if len(number) > 1 && number[1] == '0' {
			return keySymbols, true
		}
	} else {
		key, shift = national<<60, 56
	}
	for ; i < len(number) && shift > 0; i++ {
		d := number[i] - '0'
		if d > 9 {
			break
		}
		key |= uint64(d+1) << shift
		shift -= 4
	}
	return key | keySymbols, plus
}

// prefixKey is the key of a prefix that was found valid.
func prefixKey(prefix string) uint64 {
	key, plus := keyOf(prefix)
	n := uint64(len(prefix))
	if plus {
		n-- // the plus
	} else {
		n++ // the mark
	}
	return key&^keySymbols | n
}

// prefixText is the inverse of prefixKey.
func prefixText(key uint64) string {
	var b strings.Builder
	n := int(key & keySymbols)
	for i := range n {
		s := byte(key >> (60 - 4*i) & 15)
		if i == 0 {
			if s == national {
				continue
			}
			b.WriteByte('+')
		}
		b.WriteByte('0' + s - 1)
	}
	return b.String()
}

// length is how many bytes the node's number has.
func (x *index) length(node uint32) int {
	switch node {
	case rootNode, emergencyNode:
		return 0
	case plusNode:
		return 1
	}
	key := x.nodes[node].key
	n := int(key & keySymbols)
	if key>>60 == national {
		return n - 1
	}
	return n + 1
}

func (x *index) text(node uint32) string {
	switch node {
	case rootNode, emergencyNode:
		return ""
	case plusNode:
		return "+"
	}
	return prefixText(x.nodes[node].key)
}

// longest is the node of the longest prefix of number, at least the root.
func (x *index) longest(number string) uint32 {
	key, plus := keyOf(number)
	at := x.before(key)
	for at >= firstNode {
		have := x.nodes[at].key
		if (have^key)>>(64-4*(have&keySymbols)) == 0 {
			return at
		}
		at = x.nodes[at].parent
	}
	if plus {
		return plusNode
	}
	return rootNode
}

// before is the last node whose key isn't behind key, or one of the first few.
func (x *index) before(key uint64) uint32 {
	slot := x.root
	for shift := 56; slot&inTable == inTable; shift -= 8 {
		pair := key >> shift
		slot = x.slots[slot>>countBits*tableSlots+uint32(pair>>4&15*11+pair&15)]
	}
	lo := slot >> countBits
	for n := slot & inTable; n > 0; {
		half := (n + 1) / 2
		if x.nodes[lo+half-1].key <= key {
			lo += half
			n -= half
		} else {
			n = half - 1
		}
	}
	return lo - 1
}

// build makes the tables and links of the nodes, which are in order from firstNode on.
func (x *index) build() {
	var above [keySymbols + 1]uint32
	n := 0
	for i := firstNode; i < len(x.nodes)-1; i++ {
		key := x.nodes[i].key
		for n > 0 && !covers(x.nodes[above[n-1]].key, key) {
			n--
		}
		switch {
		case n > 0:
			x.nodes[i].parent = above[n-1]
		case key>>60 != national:
			x.nodes[i].parent = plusNode
		}
		above[n] = uint32(i)
		n++
	}
	x.root = x.table(firstNode, len(x.nodes)-1, 56)
}

func covers(prefix, key uint64) bool { return (prefix^key)>>(64-4*(prefix&keySymbols)) == 0 }

// table makes the slot of keys[from:to], which agree in the symbols above shift.
func (x *index) table(from, to, shift int) uint32 {
	if to-from <= maxLeaf {
		return uint32(from)<<countBits | uint32(to-from)
	}
	at := len(x.slots) / tableSlots
	x.slots = append(x.slots, make([]uint32, tableSlots)...)
	i := from
	for s := range tableSlots {
		pair := uint64(s/11<<4 | s%11)
		start := i
		for i < to && x.nodes[i].key>>shift&255 <= pair {
			i++
		}
		slot := x.table(start, i, shift-8)
		x.slots[at*tableSlots+s] = slot
	}
	return uint32(at)<<countBits | inTable
}

// bytes is what the index holds, in bytes.
func (x *index) bytes() int {
	return cap(x.nodes)*16 + cap(x.slots)*4 + cap(x.postings)*16 + cap(x.groups)*8
}
