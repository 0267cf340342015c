package service

import (
	"os"
	"runtime"
)

// heapFloor is the heap at which a small process collects, at twice of this, instead of at
// twice what it holds: one that holds 15 MB and answers some thousand calls a second would
// collect several times a second, for a seventh of its work.
const heapFloor = 64 << 20

// HoldHeap has the process collect more seldom, for up to 128 MB of memory, until release
// is called. It does so by memory that is never touched, and so is none; a process that
// holds hundreds of megabytes hardly notices. Where GOGC or GOMEMLIMIT is set, they rule.
func HoldHeap() (release func()) {
	if os.Getenv("GOGC") != "" || os.Getenv("GOMEMLIMIT") != "" {
		return func() {}
	}
	held := make([]byte, heapFloor)
	return func() { runtime.KeepAlive(held) }
}
