package callmodel

import (
	"errors"
	"path"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxRelativePath bounds the paths of jobs, in bytes.
const maxRelativePath = 1024

// ValidateRelativePath says what is wrong with a path that isn't relative and
// slash-separated, of letters, digits and " !@#$%&()+,-._=~:", or doesn't stay
// below its root. At most 1024 bytes. The message is about the path, without it.
func ValidateRelativePath(name string) error {
	return validatePath(name, func(c rune) bool {
		letter := c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		return letter || strings.ContainsRune("/ !@#$%&()+,-._=~:", c)
	}, "use letters, digits and /._-@+ only")
}

// ValidateLegPath is [ValidateRelativePath] for the file of a leg, whose name a
// telephone server has chosen: it may hold any character that can be printed, of any
// script, but no backslash. It is in UTF-8.
func ValidateLegPath(name string) error {
	if !utf8.ValidString(name) {
		return errors.New("is not UTF-8; rename the file")
	}
	return validatePath(name, func(c rune) bool { return c != '\\' && unicode.IsPrint(c) }, "use characters that can be printed")
}

// validatePath checks a path of the characters that may be in it.
func validatePath(name string, may func(rune) bool, instead string) error {
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
		if !may(c) {
			return errors.New("holds " + strconv.QuoteRune(c) + "; " + instead)
		}
	}
	if path.Clean(name) != name || name == ".." || strings.HasPrefix(name, "../") {
		return errors.New("is not a clean path: no '.', '..', double or trailing slashes")
	}
	return nil
}
