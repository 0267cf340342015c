package legfile

import (
	"hash"

	"github.com/switchtape/switchtape/recording/internal/legsum"
)

// sums are the hashes that are made of a file while it is read.
type sums struct {
	file hash.Hash
	leg  hash.Hash // of all files of the leg; nil if it has only this one
}

func (h *sums) write(p []byte) {
	h.file.Write(p)
	if h.leg != nil {
		h.leg.Write(p)
	}
}

// legSums makes the hashes of one leg's files, and of all of them together.
type legSums struct {
	group *legsum.Group // of all legs
	chain hash.Hash     // of all files of the leg, one after the other
}

// alone hashes the only file of a leg.
func (l *legSums) alone() *sums { return &sums{file: l.group.New()} }

// next hashes a leg's next file.
func (l *legSums) next() *sums {
	if l.chain == nil {
		l.chain = l.group.New()
	}
	return &sums{file: l.group.New(), leg: l.chain}
}
