//go:build unix

package durablefile

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// lockFile locks f until it is closed, also by the process's death (flock(2)).
// With wait false, a lock that somebody else has is an error.
func lockFile(f *os.File, wait bool) error {
	how := unix.LOCK_EX
	if !wait {
		how |= unix.LOCK_NB
	}
	for {
		err := unix.Flock(int(f.Fd()), how)
		if !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

func isNotDir(err error) bool { return errors.Is(err, unix.ENOTDIR) }
