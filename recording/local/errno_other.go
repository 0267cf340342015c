//go:build !unix

package local

func isNotDir(error) bool { return false }

func isBadName(error) bool { return false }
