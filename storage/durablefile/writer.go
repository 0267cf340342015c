package durablefile

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io/fs"
	"os"
	"path/filepath"
)

// writer writes one object. gocloud's contract puts the context in it: a write
// is aborted by cancelling the context and then closing.
type writer struct {
	b          *bucket
	ctx        context.Context //nolint:containedctx // gocloud aborts a write through the context it was opened with
	path       string
	f          *tempFile
	hash       hash.Hash
	size       int64
	createOnly bool
	wantMD5    []byte
	attrs      attrs
	failed     error
}

func (w *writer) Write(p []byte) (int, error) {
	if w.failed != nil {
		return 0, w.failed
	}
	n, err := w.f.Write(p)
	w.hash.Write(p[:n])
	w.size += int64(n)
	w.failed = err
	return n, err
}

// Close commits the object, unless the context was cancelled, a write failed
// or the MD5 is not the one that was announced: then nothing is left of it.
func (w *writer) Close() error {
	err := w.failed
	if cerr := w.ctx.Err(); err == nil && cerr != nil {
		err = cerr
	}
	w.attrs.MD5, w.attrs.Size = w.hash.Sum(nil), w.size
	if err == nil && len(w.wantMD5) > 0 && !bytes.Equal(w.wantMD5, w.attrs.MD5) {
		err = fmt.Errorf("the MD5 of what was written is %x, announced was %x", w.attrs.MD5, w.wantMD5)
	}
	if err != nil {
		return errors.Join(err, w.f.discard())
	}
	return w.commit()
}

func (w *writer) commit() error {
	side, err := w.b.tempIn(filepath.Dir(w.path))
	if err != nil {
		return errors.Join(err, w.f.discard())
	}
	err = w.seal(side)
	if err == nil {
		err = w.b.locked(func() error { return w.link(side) })
	}
	err = errors.Join(err, side.discard(), w.f.discard())
	if err != nil {
		return err
	}
	// Without the directory the object was there, and somebody has deleted it since.
	if err := syncDir(filepath.Dir(w.path)); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// seal puts the object and its attributes on the disk, still without names.
func (w *writer) seal(side *tempFile) error {
	if err := w.f.Sync(); err != nil {
		return err
	}
	info, err := w.f.Stat()
	if err != nil {
		return err
	}
	w.attrs.ModTimeNS = info.ModTime().UnixNano()
	raw, err := json.Marshal(w.attrs)
	if err != nil {
		return err
	}
	if _, err := side.Write(raw); err != nil {
		return err
	}
	return side.Sync()
}

// link gives both their names. The attributes come first: a crash in between
// leaves attributes without an object, which nobody sees and the next writer
// replaces.
func (w *writer) link(side *tempFile) error {
	if w.createOnly {
		if _, err := os.Lstat(w.path); err == nil {
			return errExists
		}
	}
	// Files without names don't keep a directory from being removed whose last object is
	// deleted.
	if err := w.b.makeDir(filepath.Dir(w.path)); err != nil {
		return err
	}
	if err := side.replace(attrsPath(w.path)); err != nil {
		return err
	}
	if !w.createOnly {
		return w.f.replace(w.path)
	}
	err := w.f.create(w.path)
	if errors.Is(err, os.ErrExist) {
		// Only a stranger who doesn't take the lock can have been so quick.
		return errors.Join(errExists, os.Remove(attrsPath(w.path)))
	}
	return err
}
