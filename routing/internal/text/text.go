// Package text has what the packages of routing share for texts and keys.
package text

import "encoding/binary"

// Clip returns s, or the first 40 bytes of a longer one, for messages.
func Clip(s string) string {
	if len(s) > 40 {
		return s[:40] + "…"
	}
	return s
}

// Bound returns s, or the first bytes of one that is longer than any id or path that
// people write, so that a fault doesn't repeat megabytes of a file.
func Bound(s string) string {
	const most = 256
	if len(s) > most {
		return Clip(s)
	}
	return s
}

// AppendKey appends a list so that different lists give different bytes, for
// the keys of maps.
func AppendKey[S ~string](b []byte, list []S) []byte {
	b = binary.AppendUvarint(b, uint64(len(list)))
	for _, s := range list {
		b = binary.AppendUvarint(b, uint64(len(s)))
		b = append(b, s...)
	}
	return b
}
