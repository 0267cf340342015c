package directory

import (
	"hash/maphash"
	"sync/atomic"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/users"
)

// node is a user, with its numbers: the DIDs are the last of the keys.
type node struct {
	users.Facts

	keys []uint64
	dids uint8
}

func (n *node) facts() *users.Facts {
	if n == nil {
		return nil
	}
	return &n.Facts
}

// table finds nodes by keys. One goroutine writes, any number read meanwhile without a
// lock: a slot's key never changes once it is there, and its node is one word.
//
//	hash ─▶ slot, slot … until the node is found, or a slot without a key
type table struct {
	by    keyKind
	seed  maphash.Seed
	slots atomic.Pointer[[]slot] // a power of two of them, at most three quarters with a key
	keys  int                    // slots with a key
	live  int                    // slots with a node
}

// keyKind is what the keys of a table are, and so which nodes a key may lead to.
type keyKind uint8

const (
	byNumber keyKind = iota // packed numbers: one node of each tenant
	byDID                   // packed numbers: one node
	byID                    // hashes of ids, which several may have
)

type slot struct {
	key  atomic.Uint64 // 0: none
	node atomic.Pointer[node]
}

// is reports whether a key of the table that leads to n leads to what is looked for.
func (t *table) is(n *node, tenant callmodel.TenantID, id users.ID) bool {
	switch t.by {
	case byDID:
		return true
	case byID:
		return n.ID == id && n.TenantID == tenant
	case byNumber:
	}
	return n.TenantID == tenant
}

// hash is where the key of a tenant begins to be looked for.
func (t *table) hash(key uint64, tenant callmodel.TenantID) uint64 {
	h := key * 0x9e3779b97f4a7c15 // Knuth's multiplicative hashing, by 2^64 over the golden ratio
	if t.by != byDID {
		h ^= maphash.String(t.seed, string(tenant))
	}
	h ^= h >> 32
	h *= 0xd6e8feb86659fd93
	return h ^ h>>32
}

// find is the node that the key leads to; nil for none.
func (t *table) find(key uint64, tenant callmodel.TenantID, id users.ID) *node {
	slots := t.slots.Load()
	if slots == nil {
		return nil
	}
	list := *slots
	mask := uint64(len(list) - 1)
	for i := t.hash(key, tenant) & mask; ; i = (i + 1) & mask {
		switch list[i].key.Load() {
		case 0:
			return nil
		case key:
			if n := list[i].node.Load(); n != nil && t.is(n, tenant, id) {
				return n
			}
		}
	}
}

// put has the key lead to the node, in the place of what it led to.
func (t *table) put(key uint64, n *node) {
	t.grow()
	list := *t.slots.Load()
	mask := uint64(len(list) - 1)
	var free *slot
	for i := t.hash(key, n.TenantID) & mask; ; i = (i + 1) & mask {
		s := &list[i]
		switch s.key.Load() {
		case 0:
			t.live++
			if free != nil {
				free.node.Store(n)
				return
			}
			t.keys++
			s.node.Store(n)
			s.key.Store(key) // readers see it from now on, with its node
			return
		case key:
			has := s.node.Load()
			if has != nil && t.is(has, n.TenantID, n.ID) {
				s.node.Store(n)
				return
			}
			if has == nil && free == nil {
				free = s
			}
		}
	}
}

// drop has the key lead nowhere, if it leads to the node.
func (t *table) drop(key uint64, n *node) {
	slots := t.slots.Load()
	if slots == nil {
		return
	}
	list := *slots
	mask := uint64(len(list) - 1)
	for i := t.hash(key, n.TenantID) & mask; ; i = (i + 1) & mask {
		switch list[i].key.Load() {
		case 0:
			return
		case key:
			if list[i].node.CompareAndSwap(n, nil) {
				t.live--
				return
			}
		}
	}
}

const fewest = 64 // slots

// grow makes room for one more key: in twice as many slots, or in as many where keys
// lead nowhere any more.
func (t *table) grow() {
	size := fewest
	if slots := t.slots.Load(); slots != nil {
		if size = len(*slots); (t.keys+1)*4 <= size*3 {
			return
		}
	}
	for (t.live+1)*2 > size {
		size *= 2
	}
	next := make([]slot, size)
	mask := uint64(size - 1)
	if slots := t.slots.Load(); slots != nil {
		for i := range *slots {
			s := &(*slots)[i]
			n := s.node.Load()
			if n == nil {
				continue
			}
			key := s.key.Load()
			at := t.hash(key, n.TenantID) & mask
			for next[at].key.Load() != 0 {
				at = (at + 1) & mask
			}
			next[at].key.Store(key)
			next[at].node.Store(n)
		}
	}
	t.keys = t.live
	t.slots.Store(&next)
}

// pack is a number, or the digits of an extension, as a key that no other has; 0 for
// what is neither.
func pack(number string) uint64 {
	plus := uint64(0)
	digits := number
	if digits != "" && digits[0] == '+' {
		plus, digits = 1, digits[1:]
	}
	if digits == "" || len(digits) > 15 {
		return 0
	}
	v := uint64(0)
	for i := range len(digits) {
		c := digits[i] - '0'
		if c > 9 {
			return 0
		}
		v = v*10 + uint64(c)
	}
	return v<<5 | uint64(len(digits))<<1 | plus
}
