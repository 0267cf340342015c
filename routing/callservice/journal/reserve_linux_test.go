package journal_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/routing/callservice/journal"
	"github.com/switchtape/switchtape/storage/storetest/smalldisk"
)

// TestFullDisk: what somebody else fills the disk with leaves room for the entries that
// the reserve is for, and a process that comes after has them.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	smalldisk.Run(t, 4, fullDisk)
}

func fullDisk(t *testing.T, dir string) {
	t.Helper()
	o := &journal.Options{SegmentBytes: 64 << 10, Reserve: 512 << 10, SyncEvery: time.Millisecond}
	in := filepath.Join(dir, "journal")
	j, err := journal.Open(in, o)
	require.NoError(t, err)
	require.Equal(t, int64(512<<10), j.Stats().Reserve)
	fill := func() *os.File {
		t.Helper()
		f, err := os.Create(filepath.Join(dir, "others"))
		require.NoError(t, err)
		for err == nil {
			_, err = f.Write(make([]byte, 4096))
		}
		require.ErrorIs(t, err, syscall.ENOSPC)
		return f
	}
	body := make([]byte, 1000)
	var kept []uint64
	whileItGoes := func() (n int) {
		t.Helper()
		for {
			seq, err := j.Append(body)
			if err != nil {
				require.ErrorIs(t, err, syscall.ENOSPC)
				return n
			}
			kept = append(kept, seq)
			n++
		}
	}
	others := fill()
	n := whileItGoes()
	assert.Greater(t, n, 500, "entries of a kilobyte, of which the reserve has room for 512")
	assert.Less(t, n, 600)
	assert.Zero(t, j.Stats().Reserve)
	assert.Zero(t, whileItGoes(), "it is used up")
	require.NoError(t, j.Sync())

	// The process dies and another one comes: nothing is lost, and there is no room yet.
	require.NoError(t, j.Close())
	j, err = journal.Open(in, o)
	require.NoError(t, err)
	entries, err := j.Pending(0, 0)
	require.NoError(t, err)
	assert.Len(t, entries, len(kept))

	// There is room again: entries are taken, and the reserve is as it was.
	require.NoError(t, errors.Join(others.Truncate(0), others.Close()))
	_, err = j.Append(body)
	require.NoError(t, err)
	for _, seq := range kept {
		j.Done(seq)
	}
	ctx, stop := context.WithCancel(t.Context())
	ran := make(chan error, 1)
	go func() { ran <- j.Run(ctx) }()
	require.Eventually(t, func() bool { return j.Stats().Reserve == 512<<10 }, 30*time.Second, 10*time.Millisecond)
	stop()
	require.NoError(t, <-ran)
	require.NoError(t, j.Close())

	// What an earlier process has left of it is taken up, and not made again beside it.
	j, err = journal.Open(in, o)
	require.NoError(t, err)
	spares, err := filepath.Glob(filepath.Join(in, "*.reserve"))
	require.NoError(t, err)
	assert.Len(t, spares, 8)
	require.NoError(t, j.Close())
	j, err = journal.Open(in, &journal.Options{SegmentBytes: 64 << 10})
	require.NoError(t, err)
	spares, err = filepath.Glob(filepath.Join(in, "*.reserve"))
	require.NoError(t, err)
	assert.Empty(t, spares, "none is to be held")
	require.NoError(t, j.Close())
}
