//go:build !unix

package journal

import "os"

// lockDir opens the lock file. This system has no lock to take on it: see to it
// that no two processes use one directory.
func lockDir(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
}

// syncDir does nothing: this system keeps directories by itself.
func syncDir(string) error { return nil }
