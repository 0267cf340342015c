//go:build !unix

package task

import "os"

// lockDirectory locks nothing: there are no locks here that suit a directory.
func lockDirectory(string) (*os.File, error) { return nil, nil } //nolint:nilnil // nil is no lock
