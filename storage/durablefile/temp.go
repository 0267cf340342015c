package durablefile

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// tempFile is a file that isn't an object yet. It has no name, or a temporary
// one that its writer keeps locked.
type tempFile struct {
	*os.File

	name string // "" while it has none
}

// temp makes a file in dir.
func (b *bucket) temp(dir string) (*tempFile, error) {
	if !b.opts.NoUnnamed {
		f, err := openUnnamed(dir, b.opts.FileMode)
		if err == nil {
			// Locked before it can get a temporary name on its way to its own.
			if err := lockFile(f, true); err != nil {
				return nil, errors.Join(err, f.Close())
			}
			return &tempFile{File: f}, nil
		}
		if !errors.Is(err, errors.ErrUnsupported) {
			return nil, err
		}
	}
	return b.namedTemp(dir)
}

func (b *bucket) namedTemp(dir string) (*tempFile, error) {
	const tries = 100
	for range tries {
		name := filepath.Join(dir, tempName())
		f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, b.opts.FileMode) //nolint:gosec // the path is the bucket's own
		if err != nil {
			return nil, err
		}
		if err := lockFile(f, true); err != nil {
			return nil, errors.Join(err, f.Close(), os.Remove(name))
		}
		// A sweeper may have come between the making and the locking, and
		// taken it for a dead writer's.
		if _, err := os.Lstat(name); err == nil {
			return &tempFile{File: f, name: name}, nil
		}
		if err := f.Close(); err != nil {
			return nil, err
		}
	}
	return nil, errSwept
}

// errSwept says that somebody opens the bucket over and over.
var errSwept = errors.New("temporary files are swept away faster than they can be locked")

func tempName() string {
	var r [12]byte
	_, _ = rand.Read(r[:]) // never fails
	return tempPrefix + hex.EncodeToString(r[:])
}

// create gives the file the name path, which must be free.
func (f *tempFile) create(path string) error {
	if f.name == "" {
		return linkUnnamed(f.File, path)
	}
	return os.Link(f.name, path)
}

// replace gives the file the name path, whoever had it.
func (f *tempFile) replace(path string) error {
	if f.name == "" {
		// An unnamed file can't be renamed over another: it needs a name first.
		name := filepath.Join(filepath.Dir(path), tempName())
		if err := linkUnnamed(f.File, name); err != nil {
			return err
		}
		f.name = name
	}
	if err := os.Rename(f.name, path); err != nil {
		return err
	}
	f.name = ""
	return nil
}

// discard closes the file and removes its temporary name, if it has one.
func (f *tempFile) discard() error {
	var err error
	if f.name != "" {
		err = os.Remove(f.name)
	}
	return errors.Join(err, f.Close())
}

// locked runs commit while no other writer of the bucket commits, in this
// process or another.
func (b *bucket) locked(commit func() error) error {
	b.committing.Lock()
	defer b.committing.Unlock()
	f, err := os.OpenFile(filepath.Join(b.dir, lockName), os.O_RDWR|os.O_CREATE, b.opts.FileMode)
	if err != nil {
		return err
	}
	if err := lockFile(f, true); err != nil {
		return errors.Join(err, f.Close())
	}
	return errors.Join(commit(), f.Close()) // closing unlocks
}

// sweep removes the temporary names whose writers are dead: a living one holds
// its file's lock.
func (b *bucket) sweep() error {
	return filepath.WalkDir(b.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			if errors.Is(err, fs.ErrNotExist) {
				return nil // removed by somebody else meanwhile
			}
			return err
		}
		if d.IsDir() || !strings.HasPrefix(d.Name(), tempPrefix) {
			return nil
		}
		f, err := os.Open(path) //nolint:gosec // only a lock is asked of it
		if err != nil {
			return nil //nolint:nilerr // it is gone, or not ours to remove
		}
		if lockFile(f, false) == nil {
			_ = os.Remove(path) //nolint:gosec // the directory is the bucket's own
		}
		return f.Close()
	})
}
