// Package legsum hashes the files of a recording's legs with SHA-256, two at a
// time where the processor can.
//
// The hashes of the legs are two thirds of what mixing two files costs. The SHA
// instructions of a processor wait for their own results most of the time, so
// two streams side by side take little longer than one; and a recording reads
// its legs in turns, block by block. A [Group] puts such turns together.
//
//	leg A ──▶ buffer ──┐
//	                   ├──▶ two blocks at once
//	leg B ─────────────┘
//
// Without those instructions, and in builds with the tag purego, the hashes are
// crypto/sha256's.
package legsum
