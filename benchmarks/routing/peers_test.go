package routing_test

import (
	"database/sql"
	"slices"
	"strings"
	"testing"

	iradix "github.com/hashicorp/go-immutable-radix/v2"
	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite" // a peer
)

// The peers find the longest prefix, and nothing more: to be held against
// BenchmarkPrefix.

// BenchmarkPrefixIradix is hashicorp/go-immutable-radix.
func BenchmarkPrefixIradix(b *testing.B) {
	bySize(b, func(b *testing.B, s *subject) {
		b.Helper()
		tree := iradix.New[int]().Txn()
		for i, p := range s.prefixes {
			tree.Insert([]byte(p), i)
		}
		root := tree.Commit().Root()
		var number [32]byte
		s.peer(b, func(to string) bool {
			_, _, ok := root.LongestPrefix(number[:copy(number[:], to)])
			return ok
		})
	})
}

// BenchmarkPrefixSorted is a sorted list of texts, searched for each length of
// prefix, the longest first.
func BenchmarkPrefixSorted(b *testing.B) {
	bySize(b, func(b *testing.B, s *subject) {
		b.Helper()
		sorted := slices.Sorted(slices.Values(s.prefixes))
		longest := 0
		for _, p := range sorted {
			longest = max(longest, len(p))
		}
		s.peer(b, func(to string) bool {
			for n := min(longest, len(to)); n > 0; n-- {
				if _, ok := slices.BinarySearch(sorted, to[:n]); ok {
					return true
				}
			}
			return false
		})
	})
}

// BenchmarkPrefixSQL asks a database in memory at every call, as billing
// systems do: for the longest of the number's own prefixes.
func BenchmarkPrefixSQL(b *testing.B) {
	bySize(b, func(b *testing.B, s *subject) {
		b.Helper()
		db, err := sql.Open("sqlite", ":memory:")
		require.NoError(b, err)
		b.Cleanup(func() { require.NoError(b, db.Close()) })
		db.SetMaxOpenConns(1)
		_, err = db.ExecContext(b.Context(), "CREATE TABLE prefixes (prefix TEXT PRIMARY KEY, rule INTEGER NOT NULL) WITHOUT ROWID")
		require.NoError(b, err)
		fill(b, db, s.prefixes)
		const most = 16
		query, err := db.PrepareContext(b.Context(), "SELECT rule FROM prefixes WHERE prefix IN (?"+strings.Repeat(", ?", most-1)+") ORDER BY length(prefix) DESC LIMIT 1")
		require.NoError(b, err)
		b.Cleanup(func() { require.NoError(b, query.Close()) })
		args := make([]any, most)
		s.peer(b, func(to string) bool {
			for i := range args {
				args[i] = to[:min(i+1, len(to))]
			}
			var rule int
			return query.QueryRowContext(b.Context(), args...).Scan(&rule) == nil
		})
	})
}

func fill(b *testing.B, db *sql.DB, prefixes []string) {
	b.Helper()
	tx, err := db.BeginTx(b.Context(), nil)
	require.NoError(b, err)
	insert, err := tx.PrepareContext(b.Context(), "INSERT INTO prefixes VALUES (?, ?)")
	require.NoError(b, err)
	defer insert.Close()
	for i, p := range prefixes {
		_, err = insert.ExecContext(b.Context(), p, i)
		require.NoError(b, err)
	}
	require.NoError(b, tx.Commit())
}

// peer times find over the same calls, and holds a thousand against ours.
func (s *subject) peer(b *testing.B, find func(to string) bool) {
	b.Helper()
	for i := range 1000 {
		_, ours := s.router.LongestPrefix(s.zipf[i].to)
		require.Equal(b, ours, find(s.zipf[i].to), s.zipf[i].to)
	}
	b.ReportAllocs()
	i := 0
	before := cpu(b)
	for b.Loop() {
		if !find(s.zipf[i%callCount].to) {
			b.Fatal(s.zipf[i%callCount].to)
		}
		i++
	}
	b.ReportMetric(float64((cpu(b)-before).Nanoseconds())/float64(i), "cpu-ns/op")
}
