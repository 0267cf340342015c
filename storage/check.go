package storage

import (
	"cmp"
	"context"
	"errors"
	"os"
)

// Check looks whether the bucket can be used: whether it can be listed, and, of a
// file:// bucket and the spool, whether the directory takes a file. Its error is a
// *callmodel.BucketAwayError. That a cloud's bucket can be listed doesn't say that it
// can be written, nor the other way round: its credentials decide.
func (s *Store) Check(ctx context.Context) error {
	if err := s.away(ctx); err != nil {
		return err
	}
	if s.dir != "" {
		err := os.MkdirAll(s.dir, 0o750) // as a Put would
		if err == nil {
			err = tryFile(s.dir)
		}
		if err != nil {
			return s.awayError(Fault{Reason: diskFault(err)}, err)
		}
	}
	if err := tryFile(cmp.Or(s.opts.SpoolDir, os.TempDir())); err != nil {
		return s.spoolError(err)
	}
	return nil
}

// tryFile writes a file in dir that never has a name for longer than a moment.
func tryFile(dir string) error {
	f, err := os.CreateTemp(dir, ".switchtape-check-*")
	if err != nil {
		return err
	}
	err = os.Remove(f.Name())
	if err == nil {
		_, err = f.Write(make([]byte, tryBytes))
	}
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// tryBytes is more than a disk that is full has left between two blocks.
const tryBytes = 64 << 10
