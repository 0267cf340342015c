//go:build race

package webhook_test

// raced says whether the race detector looks on, which is slow.
const raced = true
