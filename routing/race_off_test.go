//go:build !race

package routing_test

// slow is how much less the long tests do.
const slow = 1
