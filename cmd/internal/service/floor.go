package service

import "os"

// collectorFloor is how much a process allocates at least between two runs of Go's
// collector, in bytes.
const collectorFloor = 64 << 20

// CollectorFloor is memory that nothing ever touches, so that it takes none, and that the
// caller keeps alive while it serves. The collector runs whenever the heap has grown by its
// own size, and so a process whose heap is small runs it many times a second: a fifth of
// what a call costs. With this in the heap it runs once for each 64 MB that calls allocate.
// Where GOGC or GOMEMLIMIT say how it is to run, they do.
func CollectorFloor() []byte {
	if os.Getenv("GOGC") != "" || os.Getenv("GOMEMLIMIT") != "" {
		return nil
	}
	return make([]byte, collectorFloor)
}
