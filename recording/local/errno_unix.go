//go:build unix

package local

import (
	"errors"
	"syscall"
)

func isNotDir(err error) bool { return errors.Is(err, syscall.ENOTDIR) }

// isBadName reports whether the error is about the name and will never be over: it
// is too long, or leads in a circle, or out of an os.Root, which refuses that
// without asking the system.
func isBadName(err error) bool {
	var no syscall.Errno
	return !errors.As(err, &no) || no == syscall.ENAMETOOLONG || no == syscall.ELOOP
}
