package local

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"

	"github.com/switchtape/switchtape/callmodel/record"
)

// readable is the mode of finished files, before the umask of a new one.
const readable = 0o644

// draft is a file that is being written, under a name of its own beside its place.
type draft struct {
	ctx  context.Context //nolint:containedctx // it lives within one Put
	file *os.File
	hash hash.Hash
	size int64
}

// newDraft begins a file that is to stand at path.
func newDraft(ctx context.Context, path string) (*draft, error) {
	f, err := os.CreateTemp(filepath.Dir(path), ".switchtape-*")
	if err != nil {
		return nil, unwritable(path, err)
	}
	return &draft{ctx: ctx, file: f, hash: sha256.New()}, nil
}

func unwritable(path string, err error) error {
	return fmt.Errorf("the recording can't be written to %s: %w", path, err)
}

// Write implements io.Writer, until the context ends.
func (d *draft) Write(p []byte) (int, error) {
	if d.ctx.Err() != nil {
		return 0, context.Cause(d.ctx)
	}
	n, err := d.file.Write(p)
	d.hash.Write(p[:n])
	d.size += int64(n)
	return n, err
}

func (d *draft) sum() string { return hex.EncodeToString(d.hash.Sum(nil)) }

// fill has write write the whole file, and brings it to the disk.
func (d *draft) fill(write func(io.Writer) error) error {
	if err := write(d); err != nil {
		return err
	}
	if d.ctx.Err() != nil {
		return context.Cause(d.ctx)
	}
	if err := errors.Join(d.file.Sync(), d.file.Chmod(readable)); err != nil {
		return unwritable(d.file.Name(), err)
	}
	return nil
}

// create gives the draft the name path if no file has it. The error for one that
// is there wraps fs.ErrExist.
func (d *draft) create(path string) error {
	err := os.Link(d.file.Name(), path)
	if err != nil && !errors.Is(err, fs.ErrExist) {
		// The file system has no hard links: the name is taken first.
		var placeholder *os.File
		if placeholder, err = os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, readable); err == nil { //nolint:gosec // readable, as recordings are
			err = errors.Join(placeholder.Close(), os.Rename(d.file.Name(), path))
		}
	}
	if err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// replace gives the draft the name path, whatever has it.
func (d *draft) replace(path string) error {
	if err := os.Rename(d.file.Name(), path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// discard closes the draft, and removes the name that it was written under.
func (d *draft) discard() {
	_ = d.file.Close() // what matters was synced
	if err := os.Remove(d.file.Name()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return // a stray file that nobody takes for a recording
	}
}

// syncDir brings a directory's names to the disk. Some systems can't sync one.
func syncDir(dir string) error {
	f, err := os.Open(dir) //nolint:gosec // where the file was just made
	if err != nil {
		return err
	}
	_ = f.Sync()
	return f.Close()
}

// holds reports whether the file at path has the draft's bytes.
func (d *draft) holds(path string) (bool, error) {
	f, err := os.Open(path) //nolint:gosec // where the recording was to go
	if err != nil {
		return false, err
	}
	defer f.Close() //nolint:errcheck // only read from
	if info, err := f.Stat(); err != nil || info.Size() != d.size || !info.Mode().IsRegular() {
		return false, err
	}
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return false, err
	}
	return hex.EncodeToString(h.Sum(nil)) == d.sum(), nil
}

// info describes the file at path, which has the draft's bytes.
func (d *draft) info(key record.ObjectKey, path string, existed bool) (record.ObjectInfo, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return record.ObjectInfo{}, err
	}
	return record.ObjectInfo{
		Key: key, URL: (&url.URL{Scheme: "file", Path: filepath.ToSlash(abs)}).String(),
		Bytes: d.size, SHA256: d.sum(), Existed: existed,
	}, nil
}
