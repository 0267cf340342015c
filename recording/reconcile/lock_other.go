//go:build !unix

package reconcile

// lock does nothing where directories can't be locked.
func lock(string) (unlock func() error, err error) { return func() error { return nil }, nil }
