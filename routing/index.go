package routing

import (
	"math"
	"math/bits"
	"slices"
	"strings"
)

// index finds the longest prefix of a number that has rules, and from there
// every shorter one.
//
//	number ── key ──▶ levels ──▶ a key in the ordered list = a node ──▶ its postings
//	                                                          └─ parent ─▶ node ─▶ …
//
// All prefixes stand in one ordered list, each as a word: a symbol takes four
// bits, the first the highest, 1 to 10 for a digit and 0 for none, and the last
// four bits count the symbols. So a number's longest prefix in the list is the
// last key that isn't behind the number's own, or a parent of that: its own
// shorter prefixes are linked from each.
//
// "1" and "1000" differ by what they hold, never by padding: 0 is no digit.
//
// A decision's time is that of the memory it waits for, so the list is searched
// as a static B-tree: the first key of every 16 stands in a list of its own,
// and of that again, until 16 are left. The upper levels of a million rules fit
// a processor's own cache; one block of the lowest is read from afar.
type index struct {
	// keys are the levels, the lowest first, each filled up to whole blocks
	// with endKey. The lowest begins with those of the first few nodes, 0.
	keys     []uint64
	levels   []uint32 // where each level but the lowest begins in keys, the highest first
	nodes    []node   // and one more, which ends the last one's postings
	postings []posting
	groups   []groupSlot
}

// node is a prefix that has rules. Its postings are in rank order, or in runs
// behind a header: see groups.go.
type node struct {
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

const (
	block      = 16 // keys: two cache lines, which are fetched together
	endKey     = math.MaxUint64
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
	if plus && len(number) > 8 {
		if eight, ok := eightDigits(number[1:9]); ok {
			key, i, shift = eight<<32, 9, 28
		}
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

// eightDigits packs eight digits into symbols, all at once; false if one of
// them is none.
func eightDigits(s string) (uint64, bool) {
	const ones = 0x0101010101010101
	_ = s[7]
	w := uint64(s[0])<<56 | uint64(s[1])<<48 | uint64(s[2])<<40 | uint64(s[3])<<32 |
		uint64(s[4])<<24 | uint64(s[5])<<16 | uint64(s[6])<<8 | uint64(s[7])
	// A byte is a digit if its high half is 3, also after 6 is added to it.
	if (w&(0xf0*ones))|((w+6*ones)&(0xf0*ones))>>4 != 0x33*ones {
		return 0, false
	}
	w = w&(0x0f*ones) + ones
	w = (w | w>>4) & 0x00ff00ff00ff00ff
	w = (w | w>>8) & 0x0000ffff0000ffff
	return (w | w>>16) & 0xffffffff, true
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
	key := x.keys[node]
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
	return prefixText(x.keys[node])
}

// longest is the node of the longest prefix of number, at least the root.
func (x *index) longest(number string) uint32 {
	key, plus := keyOf(number)
	at := x.before(key)
	for at >= firstNode {
		have := x.keys[at]
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
func (x *index) link() {
	var above [keySymbols + 1]uint32
	n := 0
	for i := firstNode; i < len(x.nodes)-1; i++ {
		key := x.keys[i]
		for n > 0 && !covers(x.keys[above[n-1]], key) {
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
}

// pile puts the levels above the lowest, which is all there is in keys.
func (x *index) pile() {
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

func covers(prefix, key uint64) bool { return (prefix^key)>>(64-4*(prefix&keySymbols)) == 0 }

// bytes is what the index holds, in bytes.
func (x *index) bytes() int {
	return cap(x.keys)*8 + cap(x.nodes)*8 + cap(x.postings)*16 + cap(x.groups)*8
}
