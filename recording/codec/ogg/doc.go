// Package ogg writes and reads the Ogg container (RFC 3533): packets of one
// logical stream, cut into pages that carry a checksum, a number and the
// position of what they complete.
//
//	packet ─▶ lacing values ─▶ page: header · CRC-32 · up to 255 segments ─▶ io.Writer
//	io.Reader ─▶ pages, each checked ─▶ Walk ─▶ packets
//
// The writer neither seeks nor looks at a clock or at random numbers: the same
// packets under the same serial number are the same bytes. The reader is for
// verification: it reports what a stream does wrong instead of repairing it.
package ogg
