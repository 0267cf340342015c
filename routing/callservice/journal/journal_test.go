package journal_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/routing/callservice/journal"
)

func open(t *testing.T, dir string, o *journal.Options) *journal.Journal {
	t.Helper()
	j, err := journal.Open(dir, o)
	require.NoError(t, err)
	return j
}

// dead is a copy of the directory as kill -9 would leave it: nothing was closed.
func dead(t *testing.T, dir string) string {
	t.Helper()
	copied := filepath.Join(t.TempDir(), "copy")
	require.NoError(t, os.CopyFS(copied, os.DirFS(dir)))
	return copied
}

func bodies(t *testing.T, j *journal.Journal) []string {
	t.Helper()
	list, err := j.Pending(0, 0)
	require.NoError(t, err)
	out := []string{}
	for _, e := range list {
		out = append(out, string(e.Body))
	}
	return out
}

func add(t *testing.T, j *journal.Journal, body string) uint64 {
	t.Helper()
	seq, err := j.Append([]byte(body))
	require.NoError(t, err)
	return seq
}

func files(t *testing.T, dir string) []string {
	t.Helper()
	list, err := filepath.Glob(filepath.Join(dir, "*.journal"))
	require.NoError(t, err)
	return list
}

// TestSurvivesItsProcess: what was appended and isn't done is there after a death
// at any moment, in its order, and what is done is not.
func TestSurvivesItsProcess(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	j := open(t, dir, &journal.Options{SegmentBytes: 100})
	want := []string{}
	for i := range 50 {
		seq := add(t, j, fmt.Sprint("entry ", i))
		if i%3 == 0 {
			j.Done(seq)
		} else {
			want = append(want, fmt.Sprint("entry ", i))
		}
		again := open(t, dead(t, dir), nil)
		require.Equal(t, want, bodies(t, again))
		require.NoError(t, again.Close())
	}
	require.NoError(t, j.Close())
	j = open(t, dir, nil)
	assert.Equal(t, want, bodies(t, j))
	some, err := j.Pending(2, 3)
	require.NoError(t, err)
	require.Len(t, some, 3)
	assert.Equal(t, "entry 2", string(some[0].Body))
	newer := add(t, j, "after the restart")
	all, err := j.Pending(0, 0)
	require.NoError(t, err)
	assert.Equal(t, newer, all[len(all)-1].Seq, "numbers go on growing")
	for _, e := range all {
		j.Done(e.Seq)
	}
	require.NoError(t, j.Close())
	assert.LessOrEqual(t, len(files(t, dir)), 1, "segments go when they are done")
	j = open(t, dir, nil)
	assert.Empty(t, bodies(t, j))
	assert.Empty(t, files(t, dir))
	require.NoError(t, j.Close())
}

// TestTornAndDamaged: every cut and every flipped byte costs only its own record.
func TestTornAndDamaged(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	j := open(t, dir, nil)
	var ends []int64 // of the records in the file
	for _, body := range []string{"first", "second", "third"} {
		add(t, j, body)
		ends = append(ends, j.Stats().Bytes)
	}
	require.NoError(t, j.Close())
	path := files(t, dir)[0]
	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	for i := range whole {
		for name, damaged := range map[string][]byte{
			"cut": whole[:i], "flipped": append(append(bytes.Clone(whole[:i]), whole[i]^0x55), whole[i+1:]...),
			"junk": append(append(bytes.Clone(whole[:i]), "junk"...), whole[i:]...),
		} {
			at := filepath.Join(t.TempDir(), "j")
			require.NoError(t, os.Mkdir(at, 0o700))
			require.NoError(t, os.WriteFile(filepath.Join(at, filepath.Base(path)), damaged, 0o600))
			j := open(t, at, nil)
			got := bodies(t, j)
			if name == "cut" {
				before, _ := slices.BinarySearch(ends, int64(i)+1)
				assert.Len(t, got, before, "cut at %d", i)
			} else {
				assert.GreaterOrEqual(t, len(got), 2, "%s at %d", name, i)
			}
			assert.Subset(t, []string{"first", "second", "third"}, got)
			add(t, j, "more")
			assert.Equal(t, "more", bodies(t, j)[len(got)])
			require.NoError(t, j.Close())
		}
	}
}

// TestFull: a journal at its bound refuses entries and takes them again when
// some are done.
func TestFull(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	j := open(t, dir, &journal.Options{SegmentBytes: 1000, MaxBytes: 5000})
	var seqs []uint64
	for {
		seq, err := j.Append(make([]byte, 100))
		if err != nil {
			require.ErrorIs(t, err, journal.ErrFull)
			break
		}
		seqs = append(seqs, seq)
	}
	require.Len(t, bodies(t, j), len(seqs))
	require.Equal(t, len(seqs), j.Stats().Entries)
	require.LessOrEqual(t, j.Stats().Bytes, int64(5000))
	for _, seq := range seqs {
		j.Done(seq)
	}
	add(t, j, "room again")
	assert.Equal(t, []string{"room again"}, bodies(t, j))
	_, err := j.Append(make([]byte, journal.MaxEntry+1))
	require.ErrorContains(t, err, "larger")
	require.NoError(t, j.Close())
}

// TestDirectoryGone: a disk that takes nothing is an error, and the journal works
// again when the disk does.
func TestDirectoryGone(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "journal")
	j := open(t, dir, &journal.Options{SegmentBytes: 1})
	add(t, j, "before")
	require.NoError(t, os.Rename(dir, dir+".away"))
	_, err := j.Append([]byte("lost"))
	require.Error(t, err)
	require.NoError(t, os.Rename(dir+".away", dir))
	add(t, j, "after")
	assert.Equal(t, []string{"before", "after"}, bodies(t, j))
	require.NoError(t, j.Close())
}

// TestOneProcess: two can't write one journal.
func TestOneProcess(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	j := open(t, dir, nil)
	_, err := journal.Open(dir, nil)
	require.ErrorContains(t, err, "another process")
	require.NoError(t, j.Close())
	require.NoError(t, open(t, dir, nil).Close())
}

// TestManyAtOnce: appends, dones and syncs beside each other.
func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	j := open(t, dir, &journal.Options{SegmentBytes: 4 << 10, SyncEvery: time.Millisecond})
	ctx, cancel := context.WithCancel(t.Context())
	ran := make(chan error, 1)
	go func() { ran <- j.Run(ctx) }()
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for i := range 200 {
				seq, err := j.Append(fmt.Appendf(nil, "%d-%d", w, i))
				assert.NoError(t, err)
				if i%2 == 0 {
					j.Done(seq)
				}
			}
		})
	}
	wg.Wait()
	cancel()
	require.NoError(t, <-ran)
	again := open(t, dead(t, dir), nil)
	assert.Len(t, bodies(t, again), 800)
	require.NoError(t, again.Close())
	require.NoError(t, j.Close())
}

// FuzzOpen: no file breaks the journal, and what is appended to it then is kept.
func FuzzOpen(f *testing.F) {
	dir := f.TempDir()
	j, err := journal.Open(dir, nil)
	require.NoError(f, err)
	for _, body := range []string{"a", "bb", ""} {
		seq, err := j.Append([]byte(body))
		require.NoError(f, err)
		if body == "a" {
			j.Done(seq)
		}
	}
	require.NoError(f, j.Close())
	list, err := filepath.Glob(filepath.Join(dir, "*.journal"))
	require.NoError(f, err)
	b, err := os.ReadFile(list[0])
	require.NoError(f, err)
	f.Add(b)
	f.Add(b[1:])
	f.Add([]byte("\xf5Jr\x01\x00\x00\x00\x00\xff\xff\xff\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		dir := t.TempDir()
		require.NoError(t, os.WriteFile(filepath.Join(dir, "0000000000000001.journal"), b, 0o600))
		j := open(t, dir, nil)
		before := len(bodies(t, j))
		_, err := j.Append([]byte("new"))
		require.NoError(t, err)
		require.Len(t, bodies(t, j), before+1)
		require.NoError(t, j.Close())
	})
}
