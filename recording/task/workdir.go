package task

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// Workdir is a directory of this machine in which a job has its files. While it is in use
// it is locked, and the lock ends with the process: what a worker leaves behind that is
// killed [SweepWorkdirs] finds, and takes from no other worker.
type Workdir struct {
	// Path is the directory's, absolute.
	Path string

	lock *os.File // the directory; nil where there are no such locks
}

// workdirTries is how often a directory is made again that a sweep has taken before it was
// locked.
const workdirTries = 10

// NewWorkdir makes a directory for a job of the kind, that the process's user alone can
// read. parent "" is the system's temporary directory.
func NewWorkdir(parent, kind string) (*Workdir, error) {
	var err error
	for range workdirTries {
		var path string
		if path, err = os.MkdirTemp(parent, workdirPrefix+kind+"-*"); err != nil {
			return nil, err
		}
		if path, err = filepath.Abs(path); err != nil {
			return nil, err
		}
		var lock *os.File
		lock, err = lockDirectory(path)
		if err == nil {
			w := &Workdir{Path: path, lock: lock}
			if _, err = os.Lstat(path); err == nil {
				return w, nil
			}
			err = errors.Join(err, w.Remove())
		}
		if !errors.Is(err, errLocked) && !errors.Is(err, fs.ErrNotExist) {
			return nil, errors.Join(err, os.RemoveAll(path))
		}
	}
	return nil, err
}

// Remove removes the directory with all that is in it.
func (w *Workdir) Remove() error {
	err := os.RemoveAll(w.Path)
	if w.lock != nil {
		err = errors.Join(err, w.lock.Close())
	}
	return err
}

const workdirPrefix = "switchtape-"

// SweepWorkdirs removes the directories of jobs of these kinds whose workers have ended
// without removing them, and returns how many those were. Directories in use, by whichever
// process of this machine, and those of other users stay. What can't be removed is told,
// and the others are removed. On Windows nothing is swept.
func SweepWorkdirs(parent string, kinds ...string) (removed int, err error) {
	if parent == "" {
		parent = os.TempDir()
	}
	entries, err := os.ReadDir(parent)
	if err != nil {
		return 0, err
	}
	for _, e := range entries {
		if !e.IsDir() || !ofKinds(e.Name(), kinds) {
			continue
		}
		path := filepath.Join(parent, e.Name())
		lock, lockErr := lockDirectory(path)
		if lockErr != nil || lock == nil {
			continue // it is in use, somebody else's, or gone
		}
		gone := os.RemoveAll(path)
		if gone == nil {
			removed++
		}
		err = errors.Join(err, gone, lock.Close())
	}
	return removed, err
}

// ofKinds reports whether that is the name of a directory of one of the kinds' jobs.
func ofKinds(name string, kinds []string) bool {
	for _, kind := range kinds {
		if ok, err := filepath.Match(workdirPrefix+kind+"-[0-9]*", name); err == nil && ok {
			return true
		}
	}
	return false
}

// errLocked says that another process, or this one, uses the directory.
var errLocked = errors.New("the directory is in use")
