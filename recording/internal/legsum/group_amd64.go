//go:build !purego

package legsum

import (
	"crypto/sha256"
	"encoding/binary"
	"hash"

	"golang.org/x/sys/cpu"
)

// hasSHA is whether the processor has the SHA instructions, which CPUID's leaf 7
// tells in bit 29 of EBX, and what else the assembly needs. A processor without
// SSE4.1 may not have that leaf.
var hasSHA = cpu.X86.HasSSSE3 && cpu.X86.HasSSE41 && extended()&(1<<29) != 0 //nolint:gochecknoglobals // never changes

const (
	blockBytes  = sha256.BlockSize
	bufferBytes = 64<<10 + blockBytes // what a stream may be ahead of another: what a decoder reads at a time, and a rest
	goneWrites  = 64                  // of others, without one of its own: such a stream isn't waited for
)

// Group hashes streams that are written in turns, by one goroutine. Its zero
// value is ready.
type Group struct {
	digests []*digest // whose Sum wasn't asked for
	writes  int       // so far
}

// New is a hash of another stream.
func (g *Group) New() hash.Hash {
	if !hasSHA {
		return sha256.New()
	}
	d := &digest{group: g}
	d.Reset()
	return d
}

// partner is another stream with a whole block that waits; nil for none.
func (g *Group) partner(d *digest) *digest {
	for _, p := range g.digests {
		if p != d && p.waiting() > 0 {
			return p
		}
	}
	return nil
}

// alone reports whether no other stream has been written to for long.
func (g *Group) alone(d *digest) bool {
	for _, p := range g.digests {
		if p != d && g.writes-p.last < goneWrites {
			return false
		}
	}
	return true
}

func (g *Group) leave(d *digest) {
	for i, p := range g.digests {
		if p == d {
			g.digests = append(g.digests[:i], g.digests[i+1:]...)
			return
		}
	}
}

// digest is one stream's hash. What was written and not yet hashed is
// buffer[from:to]: less than a block, or more that waits for another stream.
type digest struct {
	group    *Group
	state    state
	bytes    uint64
	last     int // its newest write, as the group counts them
	buffer   []byte
	from, to int
}

// state is a hash's eight words, in the order F, E, B, A, H, G, D, C.
type state [8]uint32

// waiting is how many whole blocks wait.
func (d *digest) waiting() int { return (d.to - d.from) / blockBytes }

// Write implements hash.Hash.
func (d *digest) Write(p []byte) (int, error) {
	n := len(p)
	d.bytes += uint64(n)
	d.group.writes++
	d.last = d.group.writes
	for len(p) > 0 {
		if d.from == d.to {
			d.from, d.to = 0, 0
			if p = p[d.ahead(p):]; len(p) == 0 {
				break
			}
		}
		p = p[d.keep(p):]
		d.drain(len(p) > 0)
	}
	return n, nil
}

// ahead hashes as much of p as needn't wait, without a copy: as much as another
// stream has waiting, or all of it if there is no other.
func (d *digest) ahead(p []byte) int {
	done := 0
	for len(p)-done >= blockBytes {
		other := d.group.partner(d)
		if other == nil {
			break
		}
		k := min((len(p)-done)/blockBytes, other.waiting())
		two(&look, &d.state, &other.state, &p[done], &other.buffer[other.from], k)
		other.from += k * blockBytes
		done += k * blockBytes
	}
	if k := (len(p) - done) / blockBytes; k > 0 && d.group.alone(d) {
		one(&look, &d.state, &p[done], k)
		done += k * blockBytes
	}
	return done
}

// keep copies what it can of p behind what waits; if that is less than a block
// and another stream waits, only the rest of the block, for ahead to go on with.
func (d *digest) keep(p []byte) int {
	if d.buffer == nil {
		d.buffer = make([]byte, bufferBytes)
	}
	if have := d.to - d.from; have > 0 && have < blockBytes && len(p) > blockBytes-have && d.group.partner(d) != nil {
		p = p[:blockBytes-have]
	}
	if d.from > 0 && len(p) > len(d.buffer)-d.to {
		d.from, d.to = 0, copy(d.buffer, d.buffer[d.from:d.to])
	}
	n := copy(d.buffer[d.to:], p)
	d.to += n
	return n
}

// drain hashes what waits together with what waits of another stream, and the
// rest alone if there must be room.
func (d *digest) drain(room bool) {
	for d.waiting() > 0 {
		other := d.group.partner(d)
		if other == nil {
			break
		}
		k := min(d.waiting(), other.waiting())
		two(&look, &d.state, &other.state, &d.buffer[d.from], &other.buffer[other.from], k)
		d.from += k * blockBytes
		other.from += k * blockBytes
	}
	if k := d.waiting(); k > 0 && (room || d.group.alone(d)) {
		one(&look, &d.state, &d.buffer[d.from], k)
		d.from += k * blockBytes
	}
}

// Sum implements hash.Hash. The stream may go on.
func (d *digest) Sum(b []byte) []byte {
	d.group.leave(d)
	end := d.state
	rest := d.buffer[d.from:d.to]
	if k := len(rest) / blockBytes; k > 0 {
		one(&look, &end, &rest[0], k)
		rest = rest[k*blockBytes:]
	}
	// FIPS 180-4 section 5.1.1: a bit, zeros, and the length in bits.
	var last [2 * blockBytes]byte
	n := copy(last[:], rest)
	last[n] = 0x80
	blocks := (n+8)/blockBytes + 1
	binary.BigEndian.PutUint64(last[blocks*blockBytes-8:], d.bytes*8)
	one(&look, &end, &last[0], blocks)
	for _, i := range [8]int{3, 2, 7, 6, 1, 0, 5, 4} { // A to H
		b = binary.BigEndian.AppendUint32(b, end[i])
	}
	return b
}

// Reset implements hash.Hash.
func (d *digest) Reset() {
	d.group.leave(d)
	d.group.digests = append(d.group.digests, d)
	d.state = state{0x9b05688c, 0x510e527f, 0xbb67ae85, 0x6a09e667, 0x5be0cd19, 0x1f83d9ab, 0xa54ff53a, 0x3c6ef372}
	d.bytes, d.last, d.from, d.to = 0, d.group.writes, 0, 0
}

// Size implements hash.Hash.
func (d *digest) Size() int { return sha256.Size }

// BlockSize implements hash.Hash.
func (d *digest) BlockSize() int { return blockBytes }
