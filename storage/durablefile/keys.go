package durablefile

import (
	"encoding/hex"
	"errors"
	"path/filepath"
	"strings"
)

// maxNameBytes is what common file systems allow a file name; the sidecar's
// needs a few more than the object's.
const maxNameBytes = 255 - len(".attrs") - 1

// emptyName stands for an empty part of a key, as in "a//b".
const emptyName = "%"

func safe(c byte, first bool) bool {
	switch {
	case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
		return true
	case c == '.':
		return !first // leading dots are the driver's own
	}
	return strings.IndexByte("_-=~@+,", c) >= 0
}

// escapeName is the file name of one part of a key.
func escapeName(part string) string {
	if part == "" {
		return emptyName
	}
	clean := true
	for i := range len(part) {
		if !safe(part[i], i == 0) {
			clean = false
			break
		}
	}
	if clean {
		return part
	}
	const digits = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(part) {
		if c := part[i]; safe(c, i == 0) {
			b.WriteByte(c)
		} else {
			b.Write([]byte{'%', digits[c>>4], digits[c&15]})
		}
	}
	return b.String()
}

// unescapeName is the part of a key that a file name stands for; ok is false
// for a file that the driver can't have made, or that is its own.
func unescapeName(name string) (part string, ok bool) {
	if name == emptyName {
		return "", true
	}
	if strings.HasPrefix(name, ".") {
		return "", false
	}
	if !strings.Contains(name, "%") {
		return name, true
	}
	var b strings.Builder
	for i := 0; i < len(name); i++ {
		if name[i] != '%' {
			b.WriteByte(name[i])
			continue
		}
		if i+2 >= len(name) {
			return "", false
		}
		c, err := hex.DecodeString(name[i+1 : i+3])
		if err != nil {
			return "", false
		}
		b.Write(c)
		i += 2
	}
	return b.String(), true
}

// errBadKey is why a key can't be a file.
var errBadKey = errors.New("a part of the key is too long for a file name")

// errEmptyKey: the empty key would be the bucket's own directory.
var errEmptyKey = errors.New("the key is empty")

// path is where the object of key is.
func (b *bucket) path(key string) (string, error) {
	if key == "" {
		return "", errEmptyKey
	}
	parts := strings.Split(key, "/")
	for i, p := range parts {
		parts[i] = escapeName(p)
		if len(parts[i]) > maxNameBytes {
			return "", errBadKey
		}
	}
	return filepath.Join(append([]string{b.dir}, parts...)...), nil
}

// Path is where the object of key is within the bucket's directory dir. It is
// for showing people; the object is opened through the bucket.
func Path(dir, key string) string {
	p, err := (&bucket{dir: dir}).path(key)
	if err != nil {
		return ""
	}
	return p
}

func attrsPath(object string) string {
	return filepath.Join(filepath.Dir(object), "."+filepath.Base(object)+".attrs")
}
