//go:build race

package calldb_test

// raced says that the race detector is on, under which SQLite, which is Go, too, takes
// ten times as long.
const raced = true
