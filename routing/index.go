package routing

import "github.com/switchtape/switchtape/routing/internal/prefix"

// index leads from a number to the postings of its longest prefix, and from
// there to those of every shorter one.
//
//	number ──▶ prefixes ──▶ node ──▶ its posting, or where its postings stand
//	                         └─ parent ─▶ node ─▶ …
//
// Nearly every prefix has one rule, so a posting stands at each node's own
// place. In a node with more, it says where they are.
type index struct {
	prefix.Index

	postings []posting
	groups   []groupSlot
}

// posting is a rule under one callee prefix, for one tenant.
type posting struct {
	rule  uint32 // where its id stands in Router.ids, which tells rules apart
	plan  uint32 // index in Router.plans
	kind  uint32 // index in Router.kinds, with the flags below
	whose uint32 // the tenant, interned, 0 for all, and above it the length of the id
}

// A posting that stands for several is the index of the first as its rule, and
// the index behind the last as its plan. They are in rank order, or in runs
// behind a header: see groups.go.
const (
	lastOfRun = 1 << 31 // in posting.kind: no more of the node, or of the run
	several   = 1 << 30 // it stands for several
	grouped   = 1 << 29 // which have a header
	kindBits  = 1<<29 - 1
)

const (
	tenantBits = 24
	maxTenants = 1<<tenantBits - 1
)

func (p *posting) tenant() uint32 { return p.whose & maxTenants }

// idBytes is how long the rule's id is. It stands here so that the id itself,
// far away in memory, isn't read before somebody wants to see it.
func (p *posting) idBytes() uint32 { return p.whose >> tenantBits }

// span is the first posting of the node, maybe a header, and the end of them.
func (x *index) span(node uint32) (first, end uint32, runs bool) {
	p := &x.postings[node]
	if p.kind&several == 0 {
		return node, node + 1, false
	}
	return p.rule, p.plan, p.kind&grouped != 0
}

// none reports whether the node has no postings.
func (x *index) none(node uint32) bool {
	first, end, _ := x.span(node)
	return first == end
}

// bytes is what the index holds, in bytes.
func (x *index) bytes() int {
	return x.Bytes() + cap(x.postings)*16 + cap(x.groups)*8
}
