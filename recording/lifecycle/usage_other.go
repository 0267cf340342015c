//go:build !linux && !darwin

package lifecycle

import "errors"

// Usage knows no such call of this system's.
func Usage(string) (free, size int64, err error) {
	return 0, 0, errors.New("it isn't known here how full a disk is")
}
