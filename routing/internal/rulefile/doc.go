// Package rulefile reads rule files, YAML or JSON, into structs. It is strict:
// unknown and repeated fields and wrong types are all reported at once, each with
// its line and path.
//
//	data ── parseTree ──▶ nodes with lines ── Decode ──▶ struct, Lines, faults
package rulefile
