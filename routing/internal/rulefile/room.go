package rulefile

import (
	"hash/maphash"
	"strings"
)

// room holds the tree of one part at a time. A million rules have some ten million
// nodes, and the room of a part's nodes serves for the next part's.
type room struct {
	nodes slab[node]
	lists slab[*node]
	open  []*node // the children, so far, of what has not ended
}

// clear makes room for the next tree. The one before may not be used any more.
func (r *room) clear() {
	r.nodes.clear()
	r.lists.clear()
	r.open = r.open[:0]
}

func (r *room) node() *node {
	n := &r.nodes.take(1)[0]
	*n = node{}
	return n
}

// close gives n the children that were opened since there were so many.
func (r *room) close(n *node, since int) *node {
	n.Content = r.lists.take(len(r.open) - since)
	copy(n.Content, r.open[since:])
	r.open = r.open[:since]
	return n
}

// slab gives out slices that all end at once.
type slab[T any] struct {
	chunks      [][]T
	chunk, used int
}

const slabChunk = 512

func (s *slab[T]) clear() { s.chunk, s.used = 0, 0 }

func (s *slab[T]) take(n int) []T {
	for ; s.chunk < len(s.chunks); s.chunk, s.used = s.chunk+1, 0 {
		if c := s.chunks[s.chunk]; s.used+n <= len(c) {
			s.used += n
			return c[s.used-n : s.used : s.used]
		}
	}
	s.chunks = append(s.chunks, make([]T, max(n, slabChunk)))
	s.used = n
	return s.chunks[s.chunk][:n:n]
}

// texts gives out copies of texts that are parts of longer ones, so that none of
// those is held on to. Texts that come again soon, as the names of destinations do,
// are one.
type texts struct {
	seed maphash.Seed
	had  []string
}

const (
	textsHad  = 4096
	shortText = 64 // bytes
)

func newTexts() texts { return texts{maphash.MakeSeed(), make([]string, textsHad)} }

func (t *texts) own(s string) string {
	if len(s) > shortText {
		return strings.Clone(s)
	}
	had := &t.had[maphash.String(t.seed, s)%textsHad]
	if *had != s {
		*had = strings.Clone(s)
	}
	return *had
}
