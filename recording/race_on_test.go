//go:build race

package recording_test

// slow is how much less the long tests do.
const slow = 5
