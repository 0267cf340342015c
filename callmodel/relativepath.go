package callmodel

import (
	"errors"
	"path"
	"strconv"
	"strings"
)

// maxRelativePath bounds the paths of jobs, in bytes.
const maxRelativePath = 1024

// ValidateRelativePath says what is wrong with a path that isn't relative and
// slash-separated, of letters, digits and " !@#$%&()+,-._=~:", or doesn't stay
// below its root. At most 1024 bytes. The message is about the path, without it.
func ValidateRelativePath(name string) error {
	switch {
	case name == "":
		return errors.New("is empty; give the leg's path below the recordings directory")
	case len(name) > maxRelativePath:
		return errors.New("is longer than " + strconv.Itoa(maxRelativePath) + " bytes")
	case strings.Contains(name, "://"):
		return errors.New("is a foreign URL; give a path below the recordings directory")
	case name[0] == '/':
		return errors.New("is absolute; give a path relative to the recordings directory")
	}
	for _, c := range name {
		letter := c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		if !letter && !strings.ContainsRune("/ !@#$%&()+,-._=~:", c) {
			return errors.New("holds " + strconv.QuoteRune(c) + "; use letters, digits and /._-@+ only")
		}
	}
	if path.Clean(name) != name || name == ".." || strings.HasPrefix(name, "../") {
		return errors.New("is not a clean path: no '.', '..', double or trailing slashes")
	}
	return nil
}
