//go:build !unix

package spool

// nonblocking is nothing where no file of a directory is a pipe.
const nonblocking = 0
