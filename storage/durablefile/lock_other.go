//go:build !unix

package durablefile

import "os"

// lockFile has no lock between processes to take here: one process may write a
// bucket at a time, and temporary names are swept when it opens it.
func lockFile(*os.File, bool) error { return nil }

func isNotDir(error) bool { return false }
