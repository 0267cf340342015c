//go:build unix

package reconcile

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"

	"github.com/switchtape/switchtape/callmodel"
)

// lock keeps other runs, of any process, away from the directory until it is undone, or
// the process ends.
func lock(dir string) (unlock func() error, err error) {
	f, err := os.OpenFile(filepath.Join(dir, ".lock"), os.O_CREATE|os.O_RDWR, 0o600) //nolint:gosec // the directory is the caller's
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(callmodel.Errorf(callmodel.CodeConflict, "%s is in use by another run; give this one a directory of its own: %w", dir, err), f.Close())
	}
	return f.Close, nil
}
