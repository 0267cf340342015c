// Package seals makes tampering with an audit log show. Lines are written as ever, and
// sealed some seconds afterwards, a batch at a time:
//
//	lines ─▶ a digest each ─▶ seal ─▶ its hash is in the next seal, and so on
//
// Whoever changes, takes out or puts in a line that is sealed would have to make its
// seal anew, and every later one, whose hashes the service's log has told of. A seal
// keeps the digests, so that it is known which line it was.
//
// When old lines are pruned their seals stay, without the digests: the chain can be
// followed all the same. What a seal can't show is a line that was taken out before it
// was made.
package seals

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
	"time"
)

// Line is a line of the audit log as it is stored.
type Line struct {
	ID       int64
	TenantID string
	AtMicros int64 // since 1970 UTC
	Actor    string
	Action   string
	Subject  string
	Detail   string // as it is stored
}

// Digest is the SHA-256 of the line: of each field its length, 8 bytes, and its bytes; a
// number is its 8 bytes.
func (l *Line) Digest() [sha256.Size]byte {
	b := make([]byte, 0, 256)
	b = binary.BigEndian.AppendUint64(b, uint64(l.ID))
	b = binary.BigEndian.AppendUint64(b, uint64(l.AtMicros))
	for _, s := range []string{l.TenantID, l.Actor, l.Action, l.Subject, l.Detail} {
		b = binary.BigEndian.AppendUint64(b, uint64(len(s)))
		b = append(b, s...)
	}
	return sha256.Sum256(b)
}

// entry is the size of a line in Seal.Digests.
const entry = 8 + sha256.Size

// Seal is one seal.
type Seal struct {
	Seq      int64     `json:"seq"`     // from 1
	FromID   int64     `json:"from_id"` // the lines are behind this one, the last of the seal before
	ToID     int64     `json:"to_id"`   // the last line's
	Lines    int       `json:"lines"`
	Digests  []byte    `json:"-"`                  // of each line its id, 8 bytes, and its digest; nil once the lines were pruned
	LinesSHA string    `json:"lines_sha"`          // SHA-256 of Digests, in hex
	Previous string    `json:"previous"`           // hash of the seal before, "" for the first
	Hash     string    `json:"hash"`               // of all above but Digests, in hex
	SealedAt time.Time `json:"sealed_at"`          // the database's clock; no part of the hash
	PrunedAt time.Time `json:"pruned_at,omitzero"` // zero: the lines are there
}

// Next is the seal of the lines behind the seal before, which is nil for the first. There
// is at least one line, and their ids ascend.
func Next(before *Seal, lines []Line) Seal {
	s := Seal{Seq: 1, Lines: len(lines), Digests: make([]byte, 0, entry*len(lines))}
	if before != nil {
		s.Seq, s.FromID, s.Previous = before.Seq+1, before.ToID, before.Hash
	}
	for i := range lines {
		d := lines[i].Digest()
		s.Digests = append(binary.BigEndian.AppendUint64(s.Digests, uint64(lines[i].ID)), d[:]...)
		s.ToID = lines[i].ID
	}
	s.LinesSHA = shaOf(s.Digests)
	s.Hash = s.hash()
	return s
}

func shaOf(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

func (s *Seal) hash() string {
	return shaOf(fmt.Appendf(nil, "switchtape audit seal 1\n%d\n%d\n%d\n%d\n%s\n%s\n", s.Seq, s.FromID, s.ToID, s.Lines, s.LinesSHA, s.Previous))
}

// Kind says what is wrong.
type Kind string

// What can be wrong.
const (
	Changed  Kind = "changed"  // the line is another than was sealed
	Missing  Kind = "missing"  // the line was sealed and isn't there
	Inserted Kind = "inserted" // the line wasn't there when its place was sealed
	Broken   Kind = "broken"   // the seal itself isn't as it was made
	Cut      Kind = "cut"      // seals are missing
)

// Fault is one thing that is wrong.
type Fault struct {
	Kind   Kind   `json:"kind"`
	Seal   int64  `json:"seal"`              // its number; of Cut the first that is missing
	LineID int64  `json:"line_id,omitempty"` // of a line
	Detail string `json:"detail"`
}

func (f Fault) String() string {
	if f.LineID != 0 {
		return fmt.Sprintf("line %d is %s: %s", f.LineID, f.Kind, f.Detail)
	}
	return fmt.Sprintf("seal %d is %s: %s", f.Seal, f.Kind, f.Detail)
}

// CheckChain looks at a seal and at its place behind the one before, which is nil for
// the first.
func (s *Seal) CheckChain(before *Seal) []Fault {
	var faults []Fault
	broken := func(detail string) { faults = append(faults, Fault{Kind: Broken, Seal: s.Seq, Detail: detail}) }
	seq, from, previous := int64(1), int64(0), ""
	if before != nil {
		seq, from, previous = before.Seq+1, before.ToID, before.Hash
	}
	if s.Seq != seq {
		faults = append(faults, Fault{Kind: Cut, Seal: seq, Detail: fmt.Sprintf("seal %d follows where it should be", s.Seq)})
	} else if s.FromID != from || s.Previous != previous {
		broken("it doesn't follow the one before")
	}
	if s.hash() != s.Hash {
		broken("its hash is another")
	}
	if s.PrunedAt.IsZero() && (len(s.Digests) != entry*s.Lines || shaOf(s.Digests) != s.LinesSHA) {
		broken("its digests are others than it was made of")
	}
	return faults
}

// Compare holds the lines that are there now, from behind FromID to ToID and in the order
// of their ids, against those that were sealed.
func (s *Seal) Compare(lines []Line) []Fault {
	var faults []Fault
	add := func(k Kind, id int64, detail string) {
		faults = append(faults, Fault{Kind: k, Seal: s.Seq, LineID: id, Detail: detail})
	}
	rest := lines
	for sealed := range slices.Chunk(s.Digests, entry) {
		if len(sealed) < entry {
			break // CheckChain says so
		}
		id := int64(binary.BigEndian.Uint64(sealed))
		for len(rest) > 0 && rest[0].ID < id {
			add(Inserted, rest[0].ID, "it was not there when its place was sealed")
			rest = rest[1:]
		}
		if len(rest) == 0 || rest[0].ID != id {
			add(Missing, id, "it was sealed, and is not there")
			continue
		}
		if d := rest[0].Digest(); !bytes.Equal(d[:], sealed[8:]) {
			add(Changed, id, "it is another than was sealed")
		}
		rest = rest[1:]
	}
	for i := range rest {
		add(Inserted, rest[i].ID, "it was not there when its place was sealed")
	}
	return faults
}

// Report is what came of looking at a whole audit log.
type Report struct {
	Seals    int64   `json:"seals"`
	Lines    int64   `json:"lines"`    // that are sealed and there
	Pruned   int64   `json:"pruned"`   // that were sealed and are pruned
	Unsealed int64   `json:"unsealed"` // that are to be sealed
	Head     string  `json:"head"`     // hash of the last seal
	Faults   []Fault `json:"faults"`   // the first 1000
	More     int64   `json:"more"`     // faults that aren't listed
}
