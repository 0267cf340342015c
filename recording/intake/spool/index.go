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
//
// The file may lie in the spool itself, on a share that isn't mounted yet. So it is made
// when the first call is handed over, whose files were seen there, and not before: a
// file in the place of the share would hide that it isn't there.
type index struct {
	path string // "": in memory alone

	mu     sync.Mutex
	sorted []id
	recent map[id]struct{}
	file   *os.File // nil: it isn't open, or there is none yet
	torn   bool     // the file's last line has no end
}

// mergeAt is how many ids are kept apart before they are sorted in.
const mergeAt = 1 << 14

func newIndex(path string) *index { return &index{path: path, recent: map[id]struct{}{}} }

// open opens the file and reads it, if it is there and isn't open.
func (x *index) open() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.path == "" || x.file != nil {
		return nil
	}
	f, err := openIndex(x.path, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("the spool's index can't be opened: %w", err)
	}
	x.read(f)
	return nil
}

// openIndex opens the file, which may be in the tree: a pipe in its place would never
// come to its end.
func openIndex(path string, flag int) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_APPEND|nonblocking|flag, 0o640) //nolint:gosec // the operator's directory
	if err != nil {
		return nil, err
	}
	if err := checkRegular(f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// read takes the open file for the index's, and what it holds in.
func (x *index) read(f *os.File) {
	lines := bufio.NewReader(f)
	for {
		line, err := lines.ReadSlice('\n')
		var i id
		text := bytes.TrimSuffix(line, []byte("\n"))
		if len(text) == 2*len(i) {
			if _, bad := hex.Decode(i[:], text); bad == nil {
				x.sorted = append(x.sorted, i)
			}
		}
		x.torn = len(line) > 0 && len(text) == len(line)
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			break // the end, or a file that can't be read on: the ledger knows the rest
		}
	}
	slices.SortFunc(x.sorted, compare)
	x.sorted = slices.Compact(x.sorted)
	x.file = f
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
	if x.path == "" {
		return nil
	}
	if err := x.create(); err != nil {
		return err
	}
	line := hex.EncodeToString(i[:]) + "\n"
	if x.torn {
		line = "\n" + line
	}
	_, err := x.file.WriteString(line) // one write, at the end
	if x.torn = err != nil; err != nil {
		_ = x.file.Close() // as of a share that went; it is opened again
		x.file = nil
	}
	return err
}

// create opens the file, and makes it if it isn't there.
func (x *index) create() error {
	if x.file != nil {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(x.path), 0o750); err != nil {
		return fmt.Errorf("the spool's index can't be kept: %w", err)
	}
	f, err := openIndex(x.path, os.O_CREATE)
	if err != nil {
		return fmt.Errorf("the spool's index can't be kept: %w", err)
	}
	x.read(f)
	return nil
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
	return err
}
