// Package audio is the pull pipeline that turns the legs of a call into
// finished channels: every stage is a [Source] over other Sources.
//
//	leg file ─ decoder ─ Downmix ─ Gain ─ Redact ─ Tee ─ Resample ─ Place (offset, span) ─ Redact ─┬─ Mix ─ Limit  (one channel)
//	                                                                                               └─ Merge        (a channel each)
//	                                                                                                      │
//	                                                                                              PutPCM16 … in an encoder
//
// Samples are interleaved float32 in [-1, 1]. Time is counted in frames and never
// read from a clock. The same input gives the same bytes on every machine: no
// multiplication is fused with an addition, and package exactmath stands in for
// the functions of math that differ between machines. Every stage gives the same
// samples whatever block sizes it is read with, keeps a bounded amount of state,
// and allocates nothing once it has seen its largest block.
package audio
