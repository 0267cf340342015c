package legsum_test

import (
	"bytes"
	"crypto/sha256"
	"hash"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/switchtape/switchtape/recording/internal/legsum"
)

// Streams of any length, written in any turns and sizes, have SHA-256's hashes;
// so have those that go on after their Sum, and those that begin anew.
func TestHashes(t *testing.T) {
	t.Parallel()
	noise := make([]byte, 1<<20)
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range noise {
		noise[i] = byte(rng.Uint32())
	}
	rapid.Check(t, func(t *rapid.T) {
		var g legsum.Group
		type stream struct {
			hash.Hash

			whole bytes.Buffer
		}
		streams := make([]*stream, rapid.IntRange(1, 5).Draw(t, "streams"))
		for i := range streams {
			streams[i] = &stream{Hash: g.New()}
		}
		check := func(s *stream) {
			want := sha256.Sum256(s.whole.Bytes())
			require.Equal(t, append([]byte("sum: "), want[:]...), s.Sum([]byte("sum: ")))
		}
		sizes := rapid.OneOf(rapid.IntRange(0, 200), rapid.SampledFrom([]int{55, 56, 63, 64, 65, 119, 128, 16 << 10, 32<<10 - 1, 32 << 10, 70000}))
		for range rapid.IntRange(0, 40).Draw(t, "writes") {
			s := rapid.SampledFrom(streams).Draw(t, "stream")
			size := sizes.Draw(t, "size")
			from := rapid.IntRange(0, len(noise)-size).Draw(t, "from")
			n, err := s.Write(noise[from : from+size])
			require.NoError(t, err)
			require.Equal(t, size, n)
			s.whole.Write(noise[from : from+size])
			switch rapid.IntRange(0, 20).Draw(t, "then") {
			case 0:
				check(s)
			case 1:
				s.Reset()
				s.whole.Reset()
			}
		}
		for _, s := range streams {
			check(s)
			check(s)
		}
	})
}

// Two and three streams in turns, as a recording reads its legs, of which one
// ends early and one is never ended.
func TestTurns(t *testing.T) {
	t.Parallel()
	var g legsum.Group
	_, _ = g.New().Write(make([]byte, 100)) // a file that was opened for its header alone
	a, b, c := g.New(), g.New(), g.New()
	block := bytes.Repeat([]byte("leg"), 5461)
	wantA, wantB, wantC := sha256.New(), sha256.New(), sha256.New()
	for i := range 300 {
		for k, h := range []hash.Hash{a, b, c, wantA, wantB, wantC} {
			if k%3 == 1 && i >= 100 { // b ends
				continue
			}
			block[0] = byte(k % 3)
			_, _ = h.Write(block)
		}
	}
	require.Equal(t, wantA.Sum(nil), a.Sum(nil))
	require.Equal(t, wantB.Sum(nil), b.Sum(nil))
	require.Equal(t, wantC.Sum(nil), c.Sum(nil))
	require.Equal(t, sha256.Size, a.Size())
	require.Equal(t, sha256.BlockSize, a.BlockSize())
}

func TestWritesAllocateNothing(t *testing.T) {
	var g legsum.Group
	a, b := g.New(), g.New()
	block := make([]byte, 16<<10)
	sum := make([]byte, 0, sha256.Size)
	require.Zero(t, testing.AllocsPerRun(100, func() {
		_, _ = a.Write(block)
		_, _ = b.Write(block[1:])
	}))
	require.Zero(t, testing.AllocsPerRun(10, func() { _ = a.Sum(sum) }))
}
