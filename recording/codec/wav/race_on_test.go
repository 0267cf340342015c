//go:build race

package wav_test

// slow is how much longer things may take.
const slow = 10
