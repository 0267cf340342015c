// Package rulefile reads rule files, YAML or JSON, into structs. It is strict:
// unknown and repeated fields and wrong types are all reported at once, each with
// its line and path.
//
//	data ── open ──▶ format ── entries, items ──▶ parts ── tree ──▶ nodes with lines ── value ──▶ struct, faults
//
// Nearly every part is YAML or JSON of a plain kind, which plainYAML and plainJSON
// parse; the parsers of the whole languages take the rest, and find the faults.
//
// [Lines] finds a path again by the part that it is in.
package rulefile
