//go:build linux || darwin

package lifecycle

import "golang.org/x/sys/unix"

// Usage is how many bytes are free on the disk of the path for those who aren't root, and
// how many there are.
func Usage(path string) (free, size int64, err error) {
	var s unix.Statfs_t
	if err := unix.Statfs(path, &s); err != nil {
		return 0, 0, err
	}
	block := int64(s.Bsize) //nolint:unconvert // its type is another on other systems
	return int64(s.Bavail) * block, int64(s.Blocks) * block, nil
}
