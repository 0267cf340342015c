//go:build race

package simulation

// raced says that the race detector is on, under which SQLite, which is Go, too, takes
// ten times as long.
const raced = true
