package simulation

import (
	"os"
	"runtime/debug"
	"testing"
)

// TestMain has memory collected more seldom: the runs let go of nearly all that they make.
func TestMain(m *testing.M) {
	debug.SetGCPercent(400)
	os.Exit(m.Run())
}
