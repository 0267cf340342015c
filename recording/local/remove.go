package local

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/switchtape/switchtape/callmodel"
)

// StatLeg is the size of a leg's file and when it was written last. below is the
// directory that it must be in, as in OpenLegBelow; "" for any. The error for a missing
// one wraps fs.ErrNotExist; what isn't a regular file itself, as a symbolic link, is a
// callmodel.PermanentError.
func (d *Dir) StatLeg(_ context.Context, below, uri string) (size int64, modified time.Time, err error) {
	err = d.inside(below, uri, func(root *os.Root, name string) error {
		size, modified, err = lstat(root, uri, name)
		return err
	})
	return size, modified, err
}

// RemoveLeg removes a leg's file and brings that to the disk, if it still has the size
// and the time of StatLeg: removed is false if it hasn't. The errors are StatLeg's.
func (d *Dir) RemoveLeg(_ context.Context, below, uri string, size int64, modified time.Time) (removed bool, err error) {
	err = d.inside(below, uri, func(root *os.Root, name string) error {
		hasSize, has, err := lstat(root, uri, name)
		if err != nil {
			return err
		}
		if hasSize != size || !has.Equal(modified) {
			return nil
		}
		if err := root.Remove(name); err != nil {
			return explain(uri, err)
		}
		removed = true
		dir, err := root.Open(filepath.FromSlash(path.Dir(filepath.ToSlash(name))))
		if err != nil {
			return explain(uri, err)
		}
		return errors.Join(dir.Sync(), dir.Close())
	})
	return removed, err
}

// inside runs do on the directory below, and the name that the leg has there.
func (d *Dir) inside(below, uri string, do func(root *os.Root, name string) error) error {
	if why := callmodel.ValidateRelativePath(uri); why != nil {
		return callmodel.Permanent(callmodel.Errorf(callmodel.CodeInvalid, "%s %w", uri, why))
	}
	root, err := d.open()
	if err != nil {
		return callmodel.Errorf(callmodel.CodeUnavailable, "%v", err)
	}
	if below == "" {
		return do(root, filepath.FromSlash(uri))
	}
	name, in := strings.CutPrefix(uri, below+"/")
	if !in {
		return callmodel.Permanent(callmodel.Errorf(callmodel.CodeInvalid, "%s is not below %s", uri, below))
	}
	sub, err := root.OpenRoot(filepath.FromSlash(below))
	if err != nil {
		return explain(uri, err)
	}
	defer sub.Close() //nolint:errcheck // nothing is written through it
	return do(sub, filepath.FromSlash(name))
}

func lstat(root *os.Root, uri, name string) (int64, time.Time, error) {
	info, err := root.Lstat(name)
	if err != nil {
		return 0, time.Time{}, explain(uri, err)
	}
	if info.Mode().Type() == fs.ModeSymlink {
		return 0, time.Time{}, callmodel.Permanent(fmt.Errorf("%s is a symbolic link: what it leads to isn't removed through it", uri))
	}
	return info.Size(), info.ModTime(), regular(uri, info)
}
