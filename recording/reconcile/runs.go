package reconcile

import (
	"bufio"
	"container/heap"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// expected is an object, or a leg, that a job names. Key is what it is sorted by.
type expected struct {
	Key    string
	Bytes  int64 // -1: not known
	SHA256 string
	Job    string // the id of the one that names it
	Must   bool   // it should be there
	Backup bool   // it is in the backup for now; not in runs, of which there are some for each bucket
}

const (
	// maxRuns is how many files are merged at once; more are merged into one before.
	maxRuns = 64
	// maxField bounds a text of an entry that is read back, in bytes.
	maxField = 64 << 10
)

// runs are sorted files, whose names begin with name.
type runs struct {
	dir, name string
	entries   []expected
	files     []string
	made      int // how many files there ever were
}

// runsState is what a position keeps of them.
type runsState struct {
	Files []string `json:"files"`
	Made  int      `json:"made"`
}

func (r *runs) state() runsState { return runsState{Files: slices.Clone(r.files), Made: r.made} }

func openRuns(dir, name string, s runsState) *runs {
	return &runs{dir: dir, name: name, files: slices.Clone(s.Files), made: s.Made}
}

func (r *runs) add(e expected) { r.entries = append(r.entries, e) }

// full reports whether the entries in memory are to be written.
func (r *runs) full(most int) bool { return len(r.entries) >= most }

// flush writes what is in memory to a file of its own. It returns the files that nobody
// needs any more once the state was kept.
func (r *runs) flush() (old []string, err error) {
	if len(r.entries) > 0 {
		slices.SortFunc(r.entries, func(x, y expected) int { return strings.Compare(x.Key, y.Key) })
		next := 0
		err = r.write(func() (expected, error) {
			if next == len(r.entries) {
				return expected{}, io.EOF
			}
			next++
			return r.entries[next-1], nil
		})
		if err != nil {
			return nil, err
		}
		r.entries = r.entries[:0]
	}
	if len(r.files) < maxRuns {
		return nil, nil
	}
	old = r.files
	m, err := r.merge("")
	if err != nil {
		return nil, err
	}
	r.files = nil
	if err = errors.Join(r.write(m.next), m.Close()); err != nil {
		r.files = old
		return nil, err
	}
	return old, nil
}

// write puts what next gives, until io.EOF, into a new file.
func (r *runs) write(next func() (expected, error)) error {
	r.made++
	name := fmt.Sprintf("%s-%06d.run", r.name, r.made)
	f, err := os.OpenFile(filepath.Join(r.dir, name), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600) //nolint:gosec // the directory is the caller's
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(f, 64<<10)
	var line []byte
	for {
		e, nextErr := next()
		if errors.Is(nextErr, io.EOF) {
			break
		}
		if nextErr != nil {
			return errors.Join(nextErr, f.Close())
		}
		line = e.append(line[:0])
		if _, err = w.Write(line); err != nil {
			return errors.Join(err, f.Close())
		}
	}
	if err = errors.Join(w.Flush(), f.Sync(), f.Close()); err != nil {
		return err
	}
	r.files = append(r.files, name)
	return nil
}

func (e *expected) append(b []byte) []byte {
	for _, s := range []string{e.Key, e.SHA256, e.Job} {
		b = binary.AppendUvarint(b, uint64(len(s)))
		b = append(b, s...)
	}
	b = binary.AppendVarint(b, e.Bytes)
	if e.Must {
		return append(b, 1)
	}
	return append(b, 0)
}

func readExpected(r *bufio.Reader) (e expected, err error) {
	for i, s := range []*string{&e.Key, &e.SHA256, &e.Job} {
		n, err := binary.ReadUvarint(r)
		if i == 0 && errors.Is(err, io.EOF) {
			return e, io.EOF
		}
		if err != nil {
			return e, cut(err)
		}
		if n > maxField {
			return e, errors.New("a text of it is too long")
		}
		text := make([]byte, n)
		if _, err := io.ReadFull(r, text); err != nil {
			return e, cut(err)
		}
		*s = string(text)
	}
	if e.Bytes, err = binary.ReadVarint(r); err != nil {
		return e, cut(err)
	}
	must, err := r.ReadByte()
	e.Must = must == 1
	return e, cut(err)
}

// cut tells the end within an entry from the end of the file.
func cut(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// merged gives the entries of several runs in order.
type merged struct {
	heads heads
	files []*os.File
}

type head struct {
	e    expected
	r    *bufio.Reader
	name string
}

type heads []head

func (h heads) Len() int           { return len(h) }
func (h heads) Less(i, j int) bool { return h[i].e.Key < h[j].e.Key }
func (h heads) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *heads) Push(x any)        { *h = append(*h, x.(head)) } //nolint:forcetypeassert // heap's own
func (h *heads) Pop() any {
	last := len(*h) - 1
	x := (*h)[last]
	*h = (*h)[:last]
	return x
}

// merge opens the runs behind a key, "" for all of them.
func (r *runs) merge(after string) (*merged, error) {
	m := &merged{}
	for _, name := range r.files {
		f, err := os.Open(filepath.Join(r.dir, name)) //nolint:gosec // the directory is the caller's
		if err != nil {
			return nil, errors.Join(fmt.Errorf("a sorted run is not there any more; begin again: %w", err), m.Close())
		}
		m.files = append(m.files, f)
		h := head{r: bufio.NewReaderSize(f, 16<<10), name: name}
		for {
			if h.e, err = readExpected(h.r); err != nil || after == "" || h.e.Key > after {
				break
			}
		}
		switch {
		case errors.Is(err, io.EOF):
		case err != nil:
			return nil, errors.Join(fmt.Errorf("sorted run %s is damaged; begin again: %w", name, err), m.Close())
		default:
			m.heads = append(m.heads, h)
		}
	}
	heap.Init(&m.heads)
	return m, nil
}

// next is the next entry; io.EOF at the end.
func (m *merged) next() (expected, error) {
	if len(m.heads) == 0 {
		return expected{}, io.EOF
	}
	h := &m.heads[0]
	e := h.e
	var err error
	h.e, err = readExpected(h.r)
	switch {
	case errors.Is(err, io.EOF):
		heap.Pop(&m.heads)
	case err != nil:
		return e, fmt.Errorf("sorted run %s is damaged; begin again: %w", h.name, err)
	default:
		heap.Fix(&m.heads, 0)
	}
	return e, nil
}

func (m *merged) Close() error {
	var err error
	for _, f := range m.files {
		err = errors.Join(err, f.Close())
	}
	m.files = nil
	return err
}

// upTo hands over the entries of the merge key by key.
type upTo struct {
	m    *merged
	e    expected
	done bool
}

func newUpTo(m *merged) (*upTo, error) {
	u := &upTo{m: m}
	return u, u.advance()
}

func (u *upTo) advance() error {
	var err error
	u.e, err = u.m.next()
	if errors.Is(err, io.EOF) {
		u.done = true
		return nil
	}
	return err
}
