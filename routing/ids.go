package routing

import (
	"hash/maphash"
	"math"
	"math/bits"

	"github.com/switchtape/switchtape/callmodel"
)

// ids keeps the ids of rules and finds equal ones. It is a hash table of the rules'
// numbers, at most half full, and takes a third of the time and memory of a map.
type ids struct {
	texts  []byte   // of the ids; a byte with the length stands before each
	places []uint32 // where each rule's begins
	seed   maphash.Seed
	slots  []idSlot
	// odd are those that no rule may have, and the first rule that has them. A set
	// with one has a fault.
	odd   map[string]uint32
	bytes uint64 // of all of them; texts has fewer if they are too many
}

type idSlot struct {
	print uint32 // of the id's hash
	rule  uint32 // its number plus one, 0 for none
}

// newIDs makes room for the ids of so many rules.
func newIDs(rules int) *ids {
	const usual = 12 // bytes of an id, with its length
	return &ids{
		texts: make([]byte, 0, usual*rules), places: make([]uint32, 0, rules),
		seed: maphash.MakeSeed(), slots: make([]idSlot, 1<<bits.Len(uint(2*rules))), odd: map[string]uint32{},
	}
}

// add adds the id of rule i, the next one, and returns the first rule with it: i
// itself, or one that was added before.
func (t *ids) add(i uint32, id string) uint32 {
	t.places = append(t.places, uint32(len(t.texts)))
	t.bytes += uint64(1 + len(id))
	if !callmodel.ValidID(id) || t.tooLong() {
		first, ok := t.odd[id]
		if !ok {
			first = i
			t.odd[id] = i
		}
		return first
	}
	t.texts = append(append(t.texts, byte(len(id))), id...)
	h := maphash.String(t.seed, id)
	for at := h >> 32; ; at++ {
		slot := &t.slots[at&uint64(len(t.slots)-1)]
		if slot.rule == 0 {
			*slot = idSlot{uint32(h), i + 1}
			return i
		}
		if slot.print == uint32(h) && string(t.id(slot.rule-1)) == id {
			return slot.rule - 1
		}
	}
}

// id is that of a rule.
func (t *ids) id(rule uint32) []byte {
	at := t.places[rule]
	return t.texts[at+1 : at+1+uint32(t.texts[at])]
}

// tooLong reports whether the ids are more than a Router can hold.
func (t *ids) tooLong() bool { return t.bytes > math.MaxUint32 }
