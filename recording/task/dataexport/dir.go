package dataexport

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/record"
)

// Dir is a directory of this machine to export to, with Request.Flat. It has nothing else.
// An export that was stopped goes on there.
type Dir struct {
	dir string
	// file is the one part's file, of an export that is to be a file; "" of a directory.
	file string
}

// NewDir is the directory of that name. It is made if it isn't there.
func NewDir(dir string) (*Dir, error) {
	const private = 0o700
	if err := os.MkdirAll(dir, private); err != nil {
		return nil, err
	}
	return &Dir{dir: dir}, nil
}

// NewFile is a place for one zip, in the file of that name. An export that comes to more
// than one part is a CodeTooLarge error; its indexes are in the zip alone.
func NewFile(name string) *Dir { return &Dir{dir: filepath.Dir(name), file: filepath.Base(name)} }

// path is the file of that name; "" for none.
func (d *Dir) path(name string) (string, error) {
	if !callmodel.ValidID(name) {
		return "", callmodel.Permanent(callmodel.Errorf(callmodel.CodeInvalid, "%q is no file of an export", name))
	}
	switch {
	case d.file == "":
		return filepath.Join(d.dir, name), nil
	case name == PartName(1):
		return filepath.Join(d.dir, d.file), nil
	case strings.HasSuffix(name, ".zip"):
		return "", callmodel.Permanent(callmodel.Errorf(callmodel.CodeTooLarge, "the export has more than one part: name a directory to export to, or allow larger parts"))
	}
	return "", nil
}

// Open implements Place.
func (d *Dir) Open(_ context.Context, name string) (io.ReadCloser, error) {
	path, err := d.path(name)
	if err != nil {
		return nil, err
	}
	if path == "" {
		return nil, fs.ErrNotExist
	}
	return os.Open(path) //nolint:gosec // the operator has named the directory
}

// PutNamed implements Place. The file appears whole, and is on the disk then.
func (d *Dir) PutNamed(ctx context.Context, name string, _ record.ObjectMeta, write func(io.Writer) error) (info record.ObjectInfo, err error) {
	path, err := d.path(name)
	if err != nil {
		return info, err
	}
	if path == "" {
		sum := newSummed(io.Discard)
		err := write(sum)
		return record.ObjectInfo{Bytes: sum.n, SHA256: sum.sum()}, err
	}
	temp, err := os.CreateTemp(d.dir, ".switchtape-*")
	if err != nil {
		return info, err
	}
	defer func() {
		if gone := os.Remove(temp.Name()); !errors.Is(gone, fs.ErrNotExist) {
			err = errors.Join(err, gone)
		}
	}()
	sum := newSummed(&until{ctx, temp})
	err = write(sum)
	if err == nil {
		err = temp.Sync()
	}
	if err = errors.Join(err, temp.Close()); err != nil {
		return info, err
	}
	info = record.ObjectInfo{URL: "file://" + filepath.ToSlash(path), Bytes: sum.n, SHA256: sum.sum()}
	err = os.Link(temp.Name(), path)
	if errors.Is(err, fs.ErrExist) {
		has, readErr := fileSum(path)
		if readErr == nil && has == info.SHA256 {
			info.Existed = true
			return info, nil
		}
		return info, callmodel.Permanent(callmodel.Errorf(callmodel.CodeConflict, "%s exists already, with other bytes: choose another name: %w", path, errors.Join(err, readErr)))
	}
	return info, err
}

// until writes to w until ctx ends.
type until struct {
	ctx context.Context //nolint:containedctx // it lives within one PutNamed
	w   io.Writer
}

func (u *until) Write(p []byte) (int, error) {
	if u.ctx.Err() != nil {
		return 0, context.Cause(u.ctx)
	}
	return u.w.Write(p)
}

func fileSum(path string) (string, error) {
	f, err := os.Open(path) //nolint:gosec // as above
	if err != nil {
		return "", err
	}
	sum := newSummed(io.Discard)
	_, err = io.Copy(sum, f)
	return sum.sum(), errors.Join(err, f.Close())
}
