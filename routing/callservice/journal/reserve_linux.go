package journal

import (
	"errors"
	"os"
	"syscall"
)

// keepSize is FALLOC_FL_KEEP_SIZE of fallocate(2): the file's length stays what it is.
const keepSize = 1

// allocate takes disk space for the first n bytes of the file, whose size stays.
func allocate(f *os.File, n int64) error {
	conn, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	if err := conn.Control(func(fd uintptr) { failed = syscall.Fallocate(int(fd), keepSize, 0, n) }); err != nil {
		return err
	}
	if errors.Is(failed, syscall.EOPNOTSUPP) || errors.Is(failed, syscall.ENOSYS) {
		return errNoReserve
	}
	return failed
}
