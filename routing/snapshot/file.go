package snapshot

import (
	"errors"
	"hash/crc32"
	"os"
	"path/filepath"
	"syscall"
)

// The directory holds what routing knows, URIs and numbers included.
const (
	dirMode  = 0o750
	tempName = ".new-*"
)

// checksum returns CRC-32C, which finds damage by disks and crashes. The content hash
// tells whether a version is the right one.
func checksum(pieces ...[]byte) (sum uint32) {
	for _, b := range pieces {
		sum = crc32.Update(sum, crc32.MakeTable(crc32.Castagnoli), b)
	}
	return sum
}

// syncBytes is how much is synced at a time: whatever else is synced on the disk, the
// journal of emergency calls first of all, may wait for it.
const syncBytes = 1 << 20

// write puts a file of these pieces in its place, completely or not at all.
func write(path string, pieces ...[]byte) (err error) {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, tempName)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, ignoreMissing(os.Remove(f.Name())))
		}
	}()
	for _, b := range pieces {
		for len(b) > 0 && err == nil {
			n := min(len(b), syncBytes)
			if _, err = f.Write(b[:n]); err == nil {
				err = f.Sync()
			}
			b = b[n:]
		}
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err = os.Rename(f.Name(), path); err != nil {
		return err
	}
	return syncDir(dir)
}

func ignoreMissing(err error) error {
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}

// syncDir makes a change of names in the directory durable, on systems that can sync
// a directory.
func syncDir(path string) error {
	d, err := os.Open(path) //nolint:gosec // the operator's directory
	if err != nil {
		return err
	}
	err = d.Sync()
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, errors.ErrUnsupported) {
		err = nil
	}
	return errors.Join(err, d.Close())
}
