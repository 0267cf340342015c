//go:build race

package analysis_test

// slow is how much less the long tests do.
const slow = 25
