package spool

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// errNotRegular says that a name is a link, a pipe or a device. Opening a pipe waits for
// whoever writes to it, and opening a device may do anything.
var errNotRegular = errors.New("it is a link, a pipe or a device, and no file")

// openRegular opens a file of the tree to be read from. What isn't a regular file isn't
// opened, and one that takes a file's place meanwhile isn't waited for.
func openRegular(root *os.Root, name string) (*os.File, error) {
	info, err := root.Lstat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errNotRegular
	}
	f, err := root.OpenFile(name, os.O_RDONLY|nonblocking, 0)
	if err != nil {
		return nil, err
	}
	if err := checkRegular(f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// checkRegular reports whether what is open is a regular file.
func checkRegular(f *os.File) error {
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = errNotRegular
	}
	return err
}

// openDir opens a directory of the tree. The error wraps fs.ErrNotExist where something
// else has taken its place.
func openDir(root *os.Root, name string) (*os.File, fs.FileInfo, error) {
	f, err := root.OpenFile(name, os.O_RDONLY|nonblocking, 0)
	if err != nil {
		return nil, nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.IsDir() {
		err = fmt.Errorf("it is no directory any more: %w", fs.ErrNotExist)
	}
	if err != nil {
		return nil, nil, errors.Join(err, f.Close())
	}
	return f, info, nil
}

// openRoot opens the tree. A pipe in its place isn't waited for.
func openRoot(dir string) (*os.Root, error) {
	info, err := os.Stat(dir)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return nil, errors.New("it is no directory")
	}
	return os.OpenRoot(dir)
}
