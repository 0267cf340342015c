package storage

import (
	"context"
	"errors"
	"io/fs"
)

// RemoveNamed deletes the object that PutNamed has stored under the name, whatever it
// holds. One that isn't there is no error. A bucket with versions keeps it as one.
func (s *Store) RemoveNamed(ctx context.Context, name string) error {
	err := s.bucket.Delete(ctx, name)
	if err == nil {
		return nil
	}
	if err = s.fault("deleting", name, err); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
