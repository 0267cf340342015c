package reconcile

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Runs give back what was added, in order, however many files there are, and from any key on.
func TestRunsSort(t *testing.T) {
	t.Parallel()
	r := openRuns(t.TempDir(), "objects", runsState{})
	var want []string
	for i := range 400 {
		key := fmt.Sprintf("key-%03d", i*37%400)
		want = append(want, key)
		r.add(expected{Key: key, Bytes: int64(i) - 1, SHA256: "s", Job: key, Must: i%2 == 0})
		if r.full(3) {
			old, err := r.flush()
			require.NoError(t, err)
			for _, name := range old {
				require.NoError(t, os.Remove(filepath.Join(r.dir, name)))
			}
			require.LessOrEqual(t, len(r.files), maxRuns)
		}
	}
	_, err := r.flush()
	require.NoError(t, err)
	slices.Sort(want)
	r = openRuns(r.dir, "objects", r.state())
	for _, after := range []string{"", "key-000", "key-123x", "key-399"} {
		m, err := r.merge(after)
		require.NoError(t, err)
		var got []string
		for {
			e, err := m.next()
			if errors.Is(err, io.EOF) {
				break
			}
			require.NoError(t, err)
			require.Equal(t, e.Key, e.Job)
			require.Equal(t, e.Bytes%2 != 0, e.Must)
			got = append(got, e.Key)
		}
		require.NoError(t, m.Close())
		i, _ := slices.BinarySearch(want, after+"\x00")
		assert.Equal(t, slices.Clone(want[i:]), append([]string{}, got...), after)
	}
}

// A run that was cut off or damaged is an error, and not the end.
func TestDamagedRun(t *testing.T) {
	t.Parallel()
	r := openRuns(t.TempDir(), "objects", runsState{})
	r.add(expected{Key: "a", SHA256: "0123456789", Job: "a"})
	r.add(expected{Key: "b", SHA256: "0123456789", Job: "b"})
	_, err := r.flush()
	require.NoError(t, err)
	name := filepath.Join(r.dir, r.files[0])
	whole, err := os.ReadFile(name)
	require.NoError(t, err)
	read := func() (n int, err error) {
		m, err := r.merge("")
		for err == nil {
			if _, err = m.next(); err == nil {
				n++
			}
		}
		return n, err
	}
	for cut := 1; cut < len(whole); cut++ {
		require.NoError(t, os.WriteFile(name, whole[:cut], 0o600))
		n, err := read()
		if cut == len(whole)/2 {
			require.Equal(t, 1, n)
			continue
		}
		require.NotErrorIs(t, err, io.EOF, "cut at %d", cut)
		require.ErrorContains(t, err, "begin again")
	}
	require.NoError(t, os.WriteFile(name, append([]byte{0xff, 0xff, 0xff, 0x7f}, whole...), 0o600))
	_, err = read()
	require.ErrorContains(t, err, "too long")
	require.NoError(t, os.Remove(name))
	_, err = read()
	require.ErrorContains(t, err, "begin again")
}

// A damaged file takes no more memory than it has bytes, and a little, whatever it claims.
func FuzzReadExpected(f *testing.F) {
	e := expected{Key: "acme/k", SHA256: "aa", Job: "k", Bytes: 7, Must: true}
	f.Add(e.append(nil))
	f.Add([]byte{0xff, 0xff, 0x03})
	f.Fuzz(func(t *testing.T, b []byte) {
		r := bufio.NewReader(bytes.NewReader(b))
		for {
			e, err := readExpected(r)
			if err != nil {
				return
			}
			require.LessOrEqual(t, len(e.Key)+len(e.SHA256)+len(e.Job), len(b))
			again, err := readExpected(bufio.NewReader(bytes.NewReader(e.append(nil))))
			require.NoError(t, err)
			require.Equal(t, e, again)
		}
	})
}
