package journal

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Options configure a Journal. The zero value works.
type Options struct {
	// SyncEvery is how long an entry may wait for the fsync that it shares with
	// others. 0 means 10 ms.
	SyncEvery time.Duration
	// SegmentBytes is the size at which a file of the journal is closed and the
	// next one begun. 0 means 8 MiB.
	SegmentBytes int64
	// MaxBytes bounds the files together; beyond it Append fails, so that a
	// journal that nobody empties doesn't fill the disk. 0 means 1 GiB.
	MaxBytes int64
	// Reserve is how much disk space is taken in advance, in bytes, so that entries can
	// be written to a disk that somebody else has filled. What was used of it is taken
	// again once there is room. 0 means none. It is rounded up to whole segments, and
	// there is none on file systems that can't do it.
	Reserve int64
}

// ErrFull is Append's error for a journal that has reached its Options.MaxBytes.
var ErrFull = errors.New("the journal is full")

// ErrLocked is Open's error for a directory that another process has open.
var ErrLocked = errors.New("another process has this journal; give each its own directory")

// Entry is what was appended and is not done.
type Entry struct {
	Seq  uint64
	Body []byte
}

// Journal is a directory of segments: files of records. Make one with Open. Its
// methods may be called by any number of goroutines.
type Journal struct {
	dir  string
	opts Options
	lock *os.File
	woke chan struct{} // holds one: there is something to sync

	mu       sync.Mutex
	seq      uint64 // of the newest entry
	open     map[uint64]*segment
	segments []*segment // oldest first; the last one is written to if it has a file
	retired  []*os.File // closed to writing, and not synced yet
	bytes    int64
	damaged  int64
	unsynced int64 // how often the disk failed to sync
	spare    reserve
	buf      []byte
}

// segment is one file.
type segment struct {
	path    string
	file    *os.File // nil once it is closed
	size    int64
	pending int  // its entries that are not done
	unsaid  bool // its name is not synced in the directory yet
}

const suffix = ".journal"

// Open opens the journal in the directory, which is made if it is missing. One
// process at a time may have it open. o may be nil.
func Open(dir string, o *Options) (*Journal, error) {
	j := &Journal{dir: dir, open: map[uint64]*segment{}, woke: make(chan struct{}, 1)}
	if o != nil {
		j.opts = *o
	}
	j.opts.SyncEvery = cmp.Or(j.opts.SyncEvery, 10*time.Millisecond)
	j.opts.SegmentBytes = cmp.Or(j.opts.SegmentBytes, 8<<20)
	j.opts.MaxBytes = cmp.Or(j.opts.MaxBytes, 1<<30)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("journal: %w", err)
	}
	var err error
	if j.lock, err = lockDir(filepath.Join(dir, ".lock")); err != nil {
		return nil, fmt.Errorf("journal: %s: %w", dir, err)
	}
	if err := j.scan(); err != nil {
		return nil, errors.Join(fmt.Errorf("journal: %w", err), j.lock.Close())
	}
	j.openReserve()
	return j, nil
}

// scan finds the segments and what is not done in them.
func (j *Journal) scan() error {
	files, err := os.ReadDir(j.dir)
	if err != nil {
		return err
	}
	var done []uint64
	for _, f := range files { // sorted by name, which is by age
		name, ok := strings.CutSuffix(f.Name(), suffix)
		first, err := strconv.ParseUint(name, 16, 64)
		if !ok || err != nil {
			continue
		}
		s := &segment{path: filepath.Join(j.dir, f.Name())}
		b, err := os.ReadFile(s.path)
		if err != nil {
			return err
		}
		j.seq = max(j.seq, first)
		j.damaged += int64(records(b, func(r record) {
			j.seq = max(j.seq, r.seq)
			if r.kind == kindDone {
				done = append(done, r.seq)
			} else if j.open[r.seq] == nil {
				j.open[r.seq] = s
				s.pending++
			}
		}))
		s.size = int64(len(b))
		j.bytes += s.size
		j.segments = append(j.segments, s)
	}
	for _, seq := range done {
		if s := j.open[seq]; s != nil {
			s.pending--
			delete(j.open, seq)
		}
	}
	j.clean()
	return nil
}

// Append writes an entry and returns its number: the death of the process
// doesn't take it any more. After an error nothing of it is kept.
func (j *Journal) Append(body []byte) (seq uint64, err error) {
	if len(body) > MaxEntry {
		return 0, fmt.Errorf("journal: an entry of %d bytes is larger than %d", len(body), MaxEntry)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	seq = j.seq + 1
	s, err := j.write(record{kind: kindEntry, seq: seq, body: body})
	if err != nil {
		return 0, fmt.Errorf("journal: %w", err)
	}
	j.seq = seq
	j.open[seq] = s
	s.pending++
	select {
	case j.woke <- struct{}{}:
	default: // it is awake
	}
	return seq, nil
}

// Done notes that the entry needs no keeping any more. An unknown one is none.
func (j *Journal) Done(seq uint64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	s := j.open[seq]
	if s == nil {
		return
	}
	delete(j.open, seq)
	s.pending--
	if s.pending > 0 || s.file != nil {
		// If this can't be written, the entry comes again after a start.
		_, _ = j.write(record{kind: kindDone, seq: seq})
	}
	j.clean()
}

// write writes a record to the newest segment, or to a new one. It is called
// with mu held.
func (j *Journal) write(r record) (*segment, error) {
	j.buf = appendRecord(j.buf[:0], r)
	if cap(j.buf) > 1<<20 { // a large entry's memory isn't held on to
		defer func() { j.buf = nil }()
	}
	if r.kind == kindEntry && j.bytes+int64(len(j.buf)) > j.opts.MaxBytes {
		return nil, ErrFull
	}
	for {
		s, err := j.current()
		if err != nil {
			return nil, err
		}
		fresh := s.size == 0
		_, err = s.file.WriteAt(j.buf, s.size)
		if err == nil {
			s.size += int64(len(j.buf))
			j.bytes += int64(len(j.buf))
			return s, nil
		}
		// What was written of it goes, or is skipped as damaged when it is read.
		if s.file.Truncate(s.size) != nil {
			j.close(s)
		}
		if fresh || len(j.spare.files) == 0 {
			return nil, err
		}
		if s.file != nil {
			j.close(s) // the reserve has room
		}
	}
}

// current is the segment to write to.
func (j *Journal) current() (*segment, error) {
	if n := len(j.segments); n > 0 {
		if s := j.segments[n-1]; s.file != nil {
			if s.size < j.opts.SegmentBytes {
				return s, nil
			}
			j.close(s)
		}
	}
	// Named for a number that no entry before it has.
	s := &segment{unsaid: true, path: filepath.Join(j.dir, fmt.Sprintf("%016x%s", j.seq+1, suffix))}
	f, err := j.segmentFile(s.path)
	if errors.Is(err, os.ErrExist) { // of the same number, given up after an error
		j.seq++
		return j.current()
	}
	if err != nil {
		return nil, err
	}
	s.file = f
	j.segments = append(j.segments, s)
	return s, nil
}

// close ends writing to the segment. Sync does the rest: appends don't wait for it.
func (j *Journal) close(s *segment) {
	j.retired = append(j.retired, s.file)
	s.file = nil
	j.clean()
}

// smallSegment is how large the newest segment may grow before it is replaced
// when its entries are done.
const smallSegment = 256 << 10

// clean removes the segments that hold nothing any more.
func (j *Journal) clean() {
	j.segments = slices.DeleteFunc(j.segments, func(s *segment) bool {
		if s.pending > 0 || s.file != nil && s.size < smallSegment {
			return false
		}
		if s.file != nil {
			_ = s.file.Close() // it is removed
			s.file = nil
		}
		if err := os.Remove(s.path); err != nil && !errors.Is(err, os.ErrNotExist) {
			return false // tried again with the next one
		}
		j.bytes -= s.size
		return true
	})
}

// Pending is every entry that is not done, in the order in which they were
// appended, at most limit of those after the number after; 0 means all. Entries
// that can't be read are left out and named by the error.
func (j *Journal) Pending(after uint64, limit int) ([]Entry, error) {
	j.mu.Lock()
	seqs := make([]uint64, 0, len(j.open))
	from := map[*segment]bool{}
	for seq := range j.open {
		if seq > after {
			seqs = append(seqs, seq)
		}
	}
	slices.Sort(seqs)
	if limit > 0 && len(seqs) > limit {
		seqs = seqs[:limit]
	}
	wanted := make(map[uint64]bool, len(seqs))
	for _, seq := range seqs {
		wanted[seq], from[j.open[seq]] = true, true
	}
	j.mu.Unlock()

	list := make([]Entry, 0, len(seqs))
	var errs error
	for s := range from {
		b, err := os.ReadFile(s.path)
		if err != nil {
			if !errors.Is(err, os.ErrNotExist) { // its entries are done meanwhile
				errs = errors.Join(errs, fmt.Errorf("journal: %w", err))
			}
			continue
		}
		records(b, func(r record) {
			if r.kind == kindEntry && wanted[r.seq] {
				delete(wanted, r.seq)
				list = append(list, Entry{Seq: r.seq, Body: slices.Clone(r.body)})
			}
		})
	}
	slices.SortFunc(list, func(a, b Entry) int { return cmp.Compare(a.Seq, b.Seq) })
	return list, errs
}

// Stats are the journal's figures.
type Stats struct {
	Entries int   // that are not done
	Bytes   int64 // of all files
	Damaged int64 // bytes found at the start that belong to no whole record
	// SyncFailures is how often the disk failed to sync. The entries of that time
	// don't survive the death of the machine.
	SyncFailures int64
	// Reserve is the disk space that is held for entries to come, in bytes.
	Reserve int64
}

// Stats counts.
func (j *Journal) Stats() Stats {
	j.mu.Lock()
	defer j.mu.Unlock()
	return Stats{Entries: len(j.open), Bytes: j.bytes, Damaged: j.damaged, SyncFailures: j.unsynced, Reserve: int64(len(j.spare.files)) * j.opts.SegmentBytes}
}

// Run syncs entries to the disk, those of Options.SyncEvery together, until ctx
// ends, and then once more. Its error is of a disk that takes no syncs, once the
// journal is to end.
func (j *Journal) Run(ctx context.Context) error {
	wait := time.NewTimer(0)
	defer wait.Stop()
	hold := time.NewTicker(reserveAgain)
	defer hold.Stop()
	for {
		select {
		case <-ctx.Done():
			return j.Sync()
		case now := <-hold.C:
			j.refill(now)
			continue
		case <-j.woke:
		}
		wait.Reset(j.opts.SyncEvery)
		select {
		case <-ctx.Done():
			return j.Sync()
		case <-wait.C:
			if j.Sync() != nil {
				j.giveUp() // the next entries go to another file
			}
		}
	}
}

// giveUp closes the segment that is written to.
func (j *Journal) giveUp() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.unsynced++
	if n := len(j.segments); n > 0 && j.segments[n-1].file != nil {
		j.close(j.segments[n-1])
	}
}

// Sync puts everything that was appended on the disk. Appends go on meanwhile.
func (j *Journal) Sync() error {
	j.mu.Lock()
	retired := j.retired
	j.retired = nil
	var file *os.File
	var fresh []*segment
	for _, s := range j.segments {
		if s.file != nil {
			file = s.file
		}
		if s.unsaid {
			fresh = append(fresh, s)
		}
	}
	j.mu.Unlock()
	var err error
	for _, f := range retired {
		err = errors.Join(err, f.Sync(), f.Close())
	}
	if file != nil {
		if e := file.Sync(); !errors.Is(e, os.ErrClosed) { // closed: it was removed
			err = errors.Join(err, e)
		}
	}
	if len(fresh) > 0 {
		e := syncDir(j.dir)
		err = errors.Join(err, e)
		j.mu.Lock()
		for _, s := range fresh {
			s.unsaid = e != nil
		}
		j.mu.Unlock()
	}
	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	return nil
}

// Close syncs and closes the journal. What is not done stays for the next Open.
func (j *Journal) Close() error {
	err := j.Sync()
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, s := range j.segments {
		if s.file != nil {
			err = errors.Join(err, s.file.Close())
			s.file = nil
		}
	}
	j.clean()
	return errors.Join(err, j.lock.Close())
}
