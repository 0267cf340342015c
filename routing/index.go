package routing

import "github.com/switchtape/switchtape/routing/internal/prefix"

// index leads from a number to the postings of its longest prefix, and from there
// to the postings of every shorter one.
//
//	number ──▶ prefixes ──▶ node ──▶ its posting, or where its postings stand
//	                         └─ parent ─▶ node ─▶ …
//
// Nearly every prefix has one rule, so each node has one posting at its own place.
// Where a node has more, that posting says where they stand.
type index struct {
	prefix.Index

	postings []posting
	groups   []groupSlot
}

// posting is a rule under one callee prefix, for one tenant.
type posting struct {
	rule  uint32 // the place of its id in Router.ids, which identifies the rule
	plan  uint32 // index in Router.plans
	kind  uint32 // index in Router.kinds, with the flags below
	whose uint32 // the number of the tenant, 0 for all; above it the length of the id
}

// A posting may stand for several. Then its rule is the index of the first and its
// plan the index behind the last. They are in rank order, or in runs behind a
// header: see groups.go.
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

// idBytes returns the length of the rule's id. It is kept here so that a decision
// needn't read the id itself, which lies far away in memory.
func (p *posting) idBytes() uint32 { return p.whose >> tenantBits }

// span returns the first posting of the node, which may be a header, and the end.
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

// bytes returns the memory that the index holds.
func (x *index) bytes() int {
	return x.Bytes() + cap(x.postings)*16 + cap(x.groups)*8
}
