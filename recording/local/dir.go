package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/switchtape/switchtape/callmodel"
)

// Dir opens legs below one directory. What leads out of it, symbolic links
// included, is refused.
//
// The directory may be a share that is mounted, unmounted and mounted again while
// the program runs: Dir looks at its path at every leg, and doesn't hold on to what
// was there before. While it can't be looked into, no leg is missing. That is so as
// well while an empty directory stands where another one was: so a share looks that
// isn't mounted any more.
type Dir struct {
	path string

	mu    sync.Mutex
	root  *os.Root    // what was at path last; nil if nothing was yet
	at    fs.FileInfo // of root
	empty bool        // root took the place of another directory, and was empty
}

// NewDir makes a Dir. The directory needn't be there yet.
func NewDir(path string) *Dir { return &Dir{path: path} }

// OpenDir is NewDir for a directory that must be there. Close it when no leg is to
// be opened any more.
func OpenDir(path string) (*Dir, error) {
	d := NewDir(path)
	if err := d.Check(); err != nil {
		return nil, err
	}
	return d, nil
}

// Check reports why the directory can't be looked into now; nil if it can.
func (d *Dir) Check() error {
	_, err := d.open()
	return err
}

// OpenLeg implements recording.LegOpener. uri is a slash-separated path below the
// directory.
func (d *Dir) OpenLeg(_ context.Context, uri string) (io.ReadCloser, error) {
	root, err := d.open()
	if err != nil {
		// %v, as a directory that isn't there is no leg that isn't.
		return nil, callmodel.Errorf(callmodel.CodeUnavailable, "%v", err)
	}
	return openIn(root, uri, uri)
}

// OpenLegBelow implements recording.LegBelowOpener.
func (d *Dir) OpenLegBelow(_ context.Context, dir, uri string) (io.ReadCloser, error) {
	root, err := d.open()
	if err != nil {
		return nil, callmodel.Errorf(callmodel.CodeUnavailable, "%v", err)
	}
	name, inside := strings.CutPrefix(uri, dir+"/")
	if !inside {
		return nil, callmodel.Permanent(callmodel.Errorf(callmodel.CodeInvalid, "%s is not below %s", uri, dir))
	}
	sub, err := root.OpenRoot(filepath.FromSlash(dir))
	if err != nil {
		return nil, explain(uri, err)
	}
	defer sub.Close() //nolint:errcheck // legs that are open stay so
	return openIn(sub, uri, name)
}

// openIn opens the file of that name in root, which is the leg uri.
func openIn(root *os.Root, uri, name string) (io.ReadCloser, error) {
	name = filepath.FromSlash(name)
	info, err := root.Stat(name)
	if err != nil {
		return nil, explain(uri, err)
	}
	if err := regular(uri, info); err != nil {
		return nil, err
	}
	f, err := root.Open(name)
	if err != nil {
		return nil, explain(uri, err)
	}
	return f, nil
}

// open gives the directory that is at the path now.
func (d *Dir) open() (*os.Root, error) {
	at, err := os.Stat(d.path)
	if err != nil {
		return nil, fmt.Errorf("the recordings directory can't be opened: %w", err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.root != nil && !d.empty && os.SameFile(d.at, at) {
		return d.root, nil
	}
	if err := d.reopen(at); err != nil {
		return nil, fmt.Errorf("the recordings directory can't be opened: %w", err)
	}
	return d.root, nil
}

// reopen takes the directory that is at the path, by at, for that of the legs.
func (d *Dir) reopen(at fs.FileInfo) error {
	root, err := os.OpenRoot(d.path)
	if err != nil {
		return err
	}
	empty := false
	if d.root != nil {
		if empty, err = isEmpty(root); err != nil {
			return errors.Join(err, root.Close())
		}
		_ = d.root.Close() // legs that are open stay so
	}
	d.root, d.at, d.empty = root, at, empty
	if empty {
		return fmt.Errorf("an empty directory is at %s where another one was: is the share mounted?", d.path)
	}
	return nil
}

func isEmpty(root *os.Root) (bool, error) {
	f, err := root.Open(".")
	if err != nil {
		return false, err
	}
	defer f.Close() //nolint:errcheck // only read from
	_, err = f.ReadDir(1)
	if errors.Is(err, io.EOF) {
		return true, nil
	}
	return false, err
}

// explain says which of the three things of recording.LegOpener an error of the
// system means.
func explain(uri string, err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrClosed): // closed by reopen, between
		return err
	case isNotDir(err): // a path below a file
		return errors.Join(fs.ErrNotExist, err)
	case isBadName(err):
		return callmodel.Permanent(fmt.Errorf("%s can't be a leg in the recordings directory: %w", uri, err))
	}
	return err
}

// Close closes the directory.
func (d *Dir) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.root == nil {
		return nil
	}
	return d.root.Close()
}
