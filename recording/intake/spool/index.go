package spool

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
)

// index holds which calls are handed over: 16 bytes of memory each, and a line of the
// file. Several processes may add to the file at once, and a line that a crash cut off
// is passed over: what isn't in it is asked of the ledger.
type index struct {
	mu     sync.Mutex
	sorted []id
	recent map[id]struct{}
	file   *os.File // nil: it is kept in memory alone
	torn   bool     // the file's last line has no end
}

// mergeAt is how many ids are kept apart before they are sorted in.
const mergeAt = 1 << 14

// openIndex reads the index of the file, which needn't be there. "": in memory.
func openIndex(path string) (*index, error) {
	x := &index{recent: map[id]struct{}{}}
	if path == "" {
		return x, nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return x, fmt.Errorf("the spool's index can't be kept: %w", err)
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o640) //nolint:gosec // the operator's directory
	if err != nil {
		return x, fmt.Errorf("the spool's index can't be kept: %w", err)
	}
	lines := bufio.NewReader(f)
	for {
		line, err := lines.ReadSlice('\n')
		var i id
		text := bytes.TrimSuffix(line, []byte("\n"))
		if n, bad := hex.Decode(i[:], text[:min(len(text), 2*len(i))]); bad == nil && n == len(i) && len(text) == 2*len(i) {
			x.sorted = append(x.sorted, i)
		}
		x.torn = len(line) > 0 && len(text) == len(line)
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			break // the end, or a file that can't be read on: the ledger knows the rest
		}
	}
	slices.SortFunc(x.sorted, compare)
	x.sorted = slices.Compact(x.sorted)
	x.file = f
	return x, nil
}

func compare(a, b id) int { return bytes.Compare(a[:], b[:]) }

// has reports whether the call is handed over.
func (x *index) has(i id) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	if _, ok := x.recent[i]; ok {
		return true
	}
	_, ok := slices.BinarySearchFunc(x.sorted, i, compare)
	return ok
}

// add notes that the call is handed over. An error is the file's: the call is noted in
// memory all the same.
func (x *index) add(i id) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.recent[i] = struct{}{}
	if len(x.recent) >= mergeAt {
		for r := range x.recent {
			x.sorted = append(x.sorted, r)
		}
		slices.SortFunc(x.sorted, compare)
		x.sorted = slices.Compact(x.sorted)
		clear(x.recent)
	}
	if x.file == nil {
		return nil
	}
	line := hex.EncodeToString(i[:]) + "\n"
	if x.torn {
		line = "\n" + line
	}
	_, err := x.file.WriteString(line) // one write, at the end
	x.torn = err != nil
	return err
}

// Close closes the file.
func (x *index) Close() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.file == nil {
		return nil
	}
	err := x.file.Close()
	x.file = nil
	if errors.Is(err, fs.ErrClosed) {
		return nil
	}
	return err
}
