package journal

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// errNoReserve: disk space can't be held here.
var errNoReserve = errors.New("the file system holds no space for files")

// reserve is empty files whose disk space is taken: segments to come. A disk that
// somebody else fills has room for what goes into them.
type reserve struct {
	most  int // files
	made  int // ever, for their names
	files []string
	tried time.Time // when one could not be made
}

const reserveSuffix = ".reserve"

// reserveAgain is how long nothing is tried after a failure.
const reserveAgain = time.Second

// openReserve takes up what an earlier process has left, and as much more as is to be held.
// What can't be held now is tried again by Run.
func (j *Journal) openReserve() {
	j.spare.most = int((j.opts.Reserve + j.opts.SegmentBytes - 1) / j.opts.SegmentBytes) // 0: what is there is removed
	files, _ := filepath.Glob(filepath.Join(j.dir, "*"+reserveSuffix))                   // none, if it can't be read
	for _, path := range files {
		if len(j.spare.files) >= j.spare.most || !j.holds(path) {
			_ = os.Remove(path) // else it is overwritten by its name
			continue
		}
		j.spare.files = append(j.spare.files, path)
	}
	j.refill(time.Time{})
}

// holds reports whether the file is empty and has its space.
func (j *Journal) holds(path string) bool {
	f, err := os.OpenFile(path, os.O_RDWR, 0) //nolint:gosec // of the journal's directory
	if err != nil {
		return false
	}
	info, err := f.Stat()
	ok := err == nil && info.Size() == 0 && allocate(f, j.opts.SegmentBytes) == nil
	return f.Close() == nil && ok
}

// refill makes the files that are missing. It is called without mu: the disk may be slow.
func (j *Journal) refill(now time.Time) {
	for {
		j.mu.Lock()
		r := &j.spare
		if len(r.files) >= r.most || now.Sub(r.tried) < reserveAgain && !r.tried.IsZero() {
			j.mu.Unlock()
			return
		}
		r.made++
		path := filepath.Join(j.dir, fmt.Sprintf("%d-%d%s", os.Getpid(), r.made, reserveSuffix))
		j.mu.Unlock()
		err := j.makeSpare(path)
		j.mu.Lock()
		switch {
		case err == nil:
			r.files = append(r.files, path)
		case errors.Is(err, errNoReserve):
			r.most = 0
		default:
			r.tried = now
		}
		j.mu.Unlock()
		if err != nil {
			return
		}
	}
}

func (j *Journal) makeSpare(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_RDWR, 0o600) //nolint:gosec // of the journal's directory
	if err != nil {
		return err
	}
	if err = errors.Join(allocate(f, j.opts.SegmentBytes), f.Close()); err != nil {
		_ = os.Remove(path) // it holds nothing
	}
	return err
}

// segmentFile is a new file of the name, one of the reserve if there is any. It is called
// with mu held.
func (j *Journal) segmentFile(path string) (*os.File, error) {
	for len(j.spare.files) > 0 {
		n := len(j.spare.files) - 1
		spare := j.spare.files[n]
		j.spare.files = j.spare.files[:n]
		if _, err := os.Lstat(path); err == nil {
			break // the name is taken, as is found below
		}
		if os.Rename(spare, path) != nil {
			continue
		}
		if f, err := os.OpenFile(path, os.O_RDWR, 0o600); err == nil { //nolint:gosec // of the journal's directory
			return f, nil
		}
	}
	return os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600) //nolint:gosec // of the journal's directory
}
