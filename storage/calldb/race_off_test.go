//go:build !race

package calldb_test

const raced = false
